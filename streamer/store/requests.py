"""What another process asks of the daemon that uses a state directory: a file that the daemon takes away."""

import os
from pathlib import Path

from streamer.errors import StateError

FILE = "forget"
LONGEST = 65_536
"""Bytes of a request that are read."""


def ask(directory: Path, pattern: str) -> None:
    """Ask that the series a topic filter selects are forgotten. Raises StateError, also while another request waits."""
    draft = directory / f"{FILE}.draft"
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(pattern)
        os.link(draft, directory / FILE)
    except FileExistsError:
        raise StateError(f"{directory / FILE}: another request waits; delete it if no daemon takes it") from None
    except OSError as error:
        raise StateError(f"{directory}: {error}; run this as the user of the daemon") from error
    finally:
        draft.unlink(missing_ok=True)


def waits(directory: Path) -> bool:
    """Whether a request has not been taken yet."""
    return (directory / FILE).exists()


def take(directory: Path) -> str | None:
    """The pattern that is asked for, once; None where nothing is, or nothing that can be read."""
    file = directory / FILE
    try:
        with file.open("rb") as opened:
            text = opened.read(LONGEST)
        file.unlink()
    except OSError:
        return None
    return text.decode("utf-8", "replace").strip() or None
