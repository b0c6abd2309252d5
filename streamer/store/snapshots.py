"""States as arrays in, files out, and back: the newest two of each stream, each complete or absent."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from streamer.errors import StateError
from streamer.store.database import SNAPSHOTS, failures

log = logging.getLogger("streamer.store")

ABOUT = "about"
"""The array that holds `Snapshot.about` as JSON; files of before had it in their header."""
KEPT = 2
"""Snapshots kept of each stream; the older one is used if the newer one cannot be read."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a stream between two batches: `about` holds JSON values, `arrays` have a row per series."""

    about: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def digest(self) -> str:
        """A digest of the whole content, by which damage is noticed."""
        sums = hashlib.blake2b(json.dumps(self.about, sort_keys=True).encode(), digest_size=16)
        for name in sorted(self.arrays):
            array = self.arrays[name]
            sums.update(f"{name} {array.dtype} {array.shape}".encode())
            sums.update(np.ascontiguousarray(array).data)
        return sums.hexdigest()


def write(directory: Path, stream: str, snapshot: Snapshot) -> None:
    """Writes a snapshot of a stream to the state directory; deletes all but the newest KEPT.

    Raises StateError.
    """
    folder = directory / SNAPSHOTS
    with failures(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        numbers = [number for number, _ in files(folder, stream)]
        path = folder / f"{stream}.{max(numbers, default=0) + 1}.safetensors"
        # An array and not the file's header, whose size is bounded, while the names of the series come from the wire.
        arrays = {ABOUT: np.frombuffer(json.dumps(snapshot.about).encode(), np.uint8)}
        arrays |= {name: np.ascontiguousarray(array) for name, array in snapshot.arrays.items()}
        draft = folder / f"{path.name}.draft"
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                file.write(safetensors.numpy.save(arrays, {"digest": snapshot.digest()}))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)  # the journal may need the space
            raise
        except SafetensorError as error:
            draft.unlink(missing_ok=True)
            raise StateError(f"{path}: cannot be written ({error})") from error
        for _, old in files(folder, stream)[KEPT:]:
            old.unlink()


def files(folder: Path, stream: str) -> list[tuple[int, Path]]:
    """(number, path) of a stream's snapshots, newest first."""
    pattern = re.compile(re.escape(stream) + r"\.(\d+)\.safetensors")
    found = [(pattern.fullmatch(path.name), path) for path in folder.glob("*.safetensors")]
    return sorted(((int(match[1]), path) for match, path in found if match), reverse=True)


def streams(directory: Path) -> set[str]:
    """The streams of a state directory that have snapshots."""
    found = (re.fullmatch(r"(.+)\.\d+\.safetensors", path.name) for path in (directory / SNAPSHOTS).glob("*"))
    return {match[1] for match in found if match}


def delete(directory: Path, stream: str) -> None:
    """Deletes the snapshots of a stream. Raises OSError."""
    for _, path in files(directory / SNAPSHOTS, stream):
        path.unlink()


def newest_first(directory: Path, stream: str) -> Iterator[Snapshot]:
    """Yields the readable snapshots of a stream; logs and skips the others."""
    for _, path in files(directory / SNAPSHOTS, stream):
        try:
            yield read(path)
        except StateError as damaged:
            log.warning("%s; going back to the snapshot before it", damaged)


def read(path: Path) -> Snapshot:
    """Reads one snapshot; raises StateError if it is damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = arrays.pop(ABOUT).tobytes() if ABOUT in arrays else metadata["about"]
        snapshot = Snapshot(json.loads(about), arrays)
        if snapshot.digest() != metadata["digest"]:
            raise StateError(f"{path}: its contents are not what was written")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise StateError(f"{path}: no snapshot can be read from it ({error})") from error
    return snapshot
