"""A text file, plain or gzipped, in; its lines out. Every failure to read it raises SourceError."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import SourceError


def count(path: Path) -> int | None:
    """How many lines a file has, None where it cannot be read: whoever reads it then says why."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except (EOFError, zlib.error, OSError):
        return None


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their line ends; a file whose name ends in .gz is unpacked.

    Raises SourceError if the file is missing, unreadable, damaged gzip or not UTF-8 (with the line number).
    """
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    number = 0
    try:
        with opener(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                # Spreadsheets write a byte order mark, which would become part of the name of the first column.
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path}: is no intact gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}:{number}: is not UTF-8 text: {error}") from error
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
