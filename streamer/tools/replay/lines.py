"""A text file, plain or gzipped, in; its lines out, every failure to read them as a SourceError."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import SourceError


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file one by one, line ends kept; a name that ends in .gz is unpacked on the way.

    Raises SourceError where the file is missing, unreadable, cut short in its compression or, with the line, not UTF-8.
    """
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    number = 0
    try:
        with opener(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                # A byte order mark, as spreadsheets write it, would become part of the first column's name.
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path}: is no intact gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}:{number}: is not UTF-8 text: {error}") from error
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
