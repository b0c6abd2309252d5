"""Exports of InfluxDB in, messages or values with labels out: line protocol, and annotated CSV as its queries answer.

Sources: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ and …/syntax/annotated-csv/
"""

import csv
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from streamer.config import Config, InfluxPayload
from streamer.errors import Rejected, SourceError
from streamer.ingest.influx import PER_SECOND, Point, points
from streamer.records import Message
from streamer.tools.history.labelled import Value, messages, topic_of
from streamer.tools.history.table import stream_of
from streamer.tools.progress import Told
from streamer.tools.replay.lines import lines
from streamer.tools.replay.sample import parse_time

log = logging.getLogger(__name__)

NUMBERS = ("double", "long", "unsignedLong", "boolean")
"""Datatypes of annotated CSV that are numbers."""
OF_THE_QUERY = ("", "result", "table", "_start", "_stop", "_time", "_value")
"""Columns that are no label."""
TRUTHS = {"true": 1.0, "false": 0.0}
EVERY = 10_000
"""Lines between two words about the progress."""


class Line(NamedTuple):
    """A line of line protocol that is a point with a time."""

    text: str
    point: Point
    time: float

    def labels(self, field: str | None = None) -> dict[str, str]:
        """Its tags, `measurement`, and `field` where there is one."""
        named = {} if field is None else {"field": field}
        return {**self.point.tags, "measurement": self.point.measurement, **named}


def of_lines(path: Path, template: str, config: Config, told: Told) -> tuple[Iterator[Message], int]:
    """The messages of a file of line protocol, and how many: its lines for a stream that reads such, else its numbers.

    Times are nanoseconds. All is read first, as it may come series by series. Raises SourceError.
    """
    some = parsed(path, told)
    first = next(some, None)
    if first is None:
        raise SourceError(f"{path}: holds no point with a time")
    topic = topic_of(template, first.labels(next(iter(first.point.fields))))
    payload = stream_of(topic, config.streams).payload
    some = chain([first], some)
    if not isinstance(payload, InfluxPayload):
        return messages(numbers(some), template, config)
    unit = PER_SECOND[payload.precision]
    held = [(one.time, topic_of(template, one.labels()), stamped(one, unit)) for one in some]
    held.sort(key=itemgetter(0, 1))
    return together(held), len(held)


def together(held: Iterable[tuple[float, str, str]]) -> Iterator[Message]:
    """The lines of one time and topic as one message, so that an import that is stopped has all of them or none."""
    for (time, topic), some in groupby(held, key=itemgetter(0, 1)):
        yield Message(topic, "\n".join(line for _, _, line in some).encode(), 0, False, None, time)


def stamped(line: Line, unit: int) -> str:
    """A line with its time in another unit than nanoseconds."""
    if unit == PER_SECOND["ns"]:
        return line.text
    return f"{line.text.rstrip().rpartition(' ')[0]} {round(line.time * unit)}"


def numbers(some: Iterable[Line]) -> Iterator[Value]:
    """The number of each field of each point."""
    for line in some:
        for field, value in line.point.fields.items():
            if not isinstance(value, str):
                yield Value(tuple(sorted(line.labels(field).items())), line.time, float(value))


def parsed(path: Path, told: Told) -> Iterator[Line]:
    """The lines of a file that are points with a time; how many are none is told at the end, with the first of them.

    Raises SourceError.
    """
    bad, why = 0, ""
    for number, text in enumerate(lines(path), start=1):
        if number % EVERY == 0:
            told(number, "")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            found, faults = points(text.encode())
            if faults or found[0].time is None:
                raise faults[0] if faults else Rejected("time", "without a time")
            yield Line(text.rstrip("\r\n"), found[0], found[0].time)
        except Rejected as fault:
            bad, why = bad + 1, why or f"line {number}: {str(fault).removeprefix('line 1: ')}"
    if bad:
        log.warning("%s: %d lines are no points with a time, and left out; the first: %s", path, bad, why)


def is_annotated(path: Path) -> bool:
    """Whether a CSV file is an answer of InfluxDB. Raises SourceError."""
    first = next((line for line in lines(path) if line.strip()), "").lstrip("\ufeff")
    return first.startswith(("#datatype,", "#group,", "#default,", ",result,table,"))


@dataclass(frozen=True, slots=True)
class Head:
    """What the lines before the rows of a table say: names of the columns, and which of them are values or labels."""

    names: Sequence[str]
    time: int
    values: Sequence[int]
    labels: Sequence[int]

    @classmethod
    def of(cls, where: str, names: Sequence[str], kinds: Sequence[str]) -> "Head":
        """Raises SourceError where there are no times, or no numbers."""
        known = dict(zip(names, kinds, strict=False))
        if "_time" not in names:
            raise SourceError(f"{where}: has no column _time; it has: {', '.join(filter(None, names))}")
        wide = [i for i, name in enumerate(names) if name not in OF_THE_QUERY and known.get(name) in NUMBERS]
        values = [names.index("_value")] if "_value" in names else wide
        if not values:
            raise SourceError(f"{where}: has no column _value, and no other of numbers")
        labels = [i for i, name in enumerate(names) if name not in OF_THE_QUERY and i not in values]
        return cls(names, names.index("_time"), values, labels)

    def read(self, where: str, row: Sequence[str]) -> Iterator[Value]:
        """The values of a row. Raises SourceError."""
        labels = {self.names[i].removeprefix("_"): row[i] for i in self.labels if row[i]}
        for i in self.values:
            if row[i]:
                field = {} if self.names[i] == "_value" else {"field": self.names[i]}
                try:
                    value = TRUTHS[row[i]] if row[i] in TRUTHS else float(row[i])
                    yield Value(tuple(sorted((labels | field).items())), parse_time(row[self.time]), value)
                except ValueError as error:
                    raise SourceError(f"{where}: {error}") from error


def of_tables(path: Path, told: Told) -> Iterator[Value]:
    """The values of annotated CSV: of the column `_value`, or of all columns of numbers where a query pivoted them.

    The other columns are labels, without the underscore that some begin with. Raises SourceError, with file and line.
    """
    rows, head, kinds = csv.reader(lines(path)), None, list[str]()
    for row in rows:
        where = f"{path}:{rows.line_num}"
        if rows.line_num % EVERY == 0:
            told(rows.line_num, "")
        if not row or not any(row):
            head, kinds = None, []
        elif row[0].startswith("#"):
            head, kinds = None, row if row[0] == "#datatype" else kinds
        elif head is None:
            if "error" in row:
                raise SourceError(f"{where}: is an error of InfluxDB: {', '.join(filter(None, next(rows, [])))}")
            head = Head.of(where, row, kinds)
        elif len(row) != len(head.names):
            raise SourceError(f"{where}: has {len(row)} cells instead of {len(head.names)}")
        else:
            yield from head.read(where, row)
