"""A CSV file in, one sample per row out."""

import csv
import logging
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from streamer.errors import SourceError
from streamer.tools.replay.lines import lines
from streamer.tools.replay.sample import START, Sample, parse_time

log = logging.getLogger(__name__)

EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none"})

Row = tuple[int, list[str]]


def csv_file(
    path: Path,
    columns: Sequence[str] = (),
    time_column: str | None = None,
    interval: float = 1.0,
    start_time: float = START,
    *,
    quiet: bool = False,
    gaps: bool = False,
) -> Iterator[Sample]:
    """The rows as samples of d = len(columns) values.

    A column is given by its name in the header or its position from 1; it may be omitted if the file has only one
    besides the time. Without a time column, row i (from 0) has the time start_time + i·interval seconds. Rows with an
    empty or NaN cell are gaps: they are skipped and, unless `quiet`, their number is logged; with `gaps` those stay
    that have any value, with NaN where there is none. A first line of only numbers and times is data, not a header.

    Raises SourceError, with file and line, for a missing column, a cell that is not a number, or an invalid time.
    """
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise SourceError(f"{path}: is empty")
    header = None if all(map(_is_data, first[1])) else first[1]
    picked, timed = _positions(path, header, len(first[1]), columns, time_column)
    skipped = total = 0
    for line, row in rows if header else chain([first], rows):
        where = f"{path}:{line}"
        time = start_time + total * interval if timed is None else _time(where, _cell(where, row, timed))
        values = tuple(_number(where, _cell(where, row, position)) for position in picked)
        total += 1
        if (all if gaps else any)(map(math.isnan, values)):
            skipped += 1
        else:
            yield Sample(time, values)
    if skipped and not quiet:
        log.info("%s: %d of %d rows have empty cells and were left out", path, skipped, total)


def _rows(path: Path) -> Iterator[Row]:
    """Line number and cells of every row that is not blank; the separator is the most frequent of , ; tab in line 1."""
    text = lines(path)
    first = next(text, "")
    reader = csv.reader(chain([first], text), delimiter=max(",;\t", key=first.count))
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise SourceError(f"{path}:{reader.line_num}: {error}") from error


def _positions(
    path: Path, header: list[str] | None, width: int, columns: Sequence[str], time_column: str | None
) -> tuple[list[int], int | None]:
    """Positions (from 0) of the value columns and of the time column."""
    names = [name.strip() for name in header or []]

    def position(column: str) -> int:
        if column in names:
            return names.index(column)
        if column.isdecimal() and 1 <= int(column) <= width:
            return int(column) - 1
        there = ", ".join(names) if names else f"no names, but columns 1 to {width}"
        raise SourceError(f"{path}: has no column {column!r}; it has: {there}")

    timed = None if time_column is None else position(time_column)
    picked = [position(column) for column in columns] or [i for i in range(width) if i != timed]
    if not columns and len(picked) != 1:
        there = ", ".join(names) or f"1 to {width}"
        raise SourceError(f"{path}: say which columns to replay; it has: {there}")
    return picked, timed


def _cell(where: str, row: list[str], position: int) -> str:
    if position >= len(row):
        raise SourceError(f"{where}: has {len(row)} cells, column {position + 1} is missing")
    return row[position].strip()


def _number(where: str, cell: str) -> float:
    """The cell as a finite number; NaN for an empty cell and for the words in EMPTY."""
    if cell.lower() in EMPTY:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise SourceError(f"{where}: {cell!r} is no number") from None
    if math.isinf(value):
        raise SourceError(f"{where}: {cell!r} is no finite number")
    return value


def _time(where: str, cell: str) -> float:
    try:
        return parse_time(cell)
    except ValueError:
        raise SourceError(f"{where}: {cell!r} is no time: write RFC 3339, or epoch seconds or milliseconds") from None


def _is_data(cell: str) -> bool:
    """Whether a cell of the first line is a number or a time, and therefore not a column name."""
    for parse in (float, parse_time):
        try:
            parse(cell)
        except ValueError:
            continue
        return True
    return False
