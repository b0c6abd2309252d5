"""A state directory in, its samples as CSV out; a daemon may be running on it."""

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

from streamer.errors import SourceError
from streamer.ingest.topics import joined, matches
from streamer.publish.encode import rfc3339
from streamer.store.journal import Journal, SeriesRow
from streamer.tools.plot.curve import opened
from streamer.tools.progress import Told

CHUNK = 10_000
"""Samples that are read at once."""


def export(state: Path, pattern: str, out: TextIO, told: Told) -> int:
    """Write series, time and values of all samples of the series that a filter selects, a row for each: how many.

    Raises StateError, and SourceError where there is no such series.
    """
    rows = csv.writer(out, lineterminator="\n")
    done = 0
    with opened(state) as journal:
        some = list(selected(journal, pattern))
        if not some:
            raise SourceError(f"{pattern}: selects no series; `streamer inspect` lists them")
        widest = max(d for _, d in some)
        rows.writerow(["series", "time", *(["value"] if widest == 1 else [f"value.{i}" for i in range(widest)])])
        for row, _ in some:
            name, tick = joined(row.topic, row.part), -1
            while True:
                ticks, times, values = journal.between(row.ident, tick, row.tick, CHUNK)
                rows.writerows([name, rfc3339(at), *x] for at, x in zip(times, values.tolist(), strict=True))
                done += len(ticks)
                told(done, "")
                if len(ticks) < CHUNK:
                    break
                tick = ticks[-1]
    return done


def selected(journal: Journal, pattern: str) -> Iterator[tuple[SeriesRow, int]]:
    """The series whose name or topic the filter selects, each with the numbers of its samples."""
    for source in journal.sources():
        for row in journal.series(source):
            if matches(pattern, joined(row.topic, row.part)) or matches(pattern, row.topic):
                yield row, source.d


def total(state: Path, pattern: str) -> int:
    """How many samples there are to write. Raises StateError."""
    with closing(Journal.read(state)) as journal:
        return sum(journal.count(row.ident) for row, _ in selected(journal, pattern))
