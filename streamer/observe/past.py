"""The journal of one series in, what had been forecast of it before out.

Nothing of the past is kept for it, so nobody pays until somebody asks: the state is a fold over the journal, and the
samples of the one series go once more through a stream of its own, in a thread that gives way to the fast lane. Where
the journal has all samples and trainings of the series, these are the forecasts as they were issued, to the last bit.
"""

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from streamer.config import Metrics, Stream
from streamer.observe import answers
from streamer.observe.views import forecasts
from streamer.records import ForecastBatch, TickBatch
from streamer.resume.fold import conclude, replay
from streamer.resume.retold import Retold
from streamer.store.database import failures
from streamer.store.journal import Journal
from streamer.store.outcomes import outcomes_after
from streamer.stream.state import StreamState

WARM = 3
"""Samples before the first forecast shown that are folded at most, in multiples of those after it: more would cost
seconds, and change little."""
REST = 1.0
"""Rest after work, in multiples of it: the thread and the fast lane want the same interpreter."""
PIECE_SECONDS = 0.002
"""Work between two rests."""
MOST_SECONDS = 8.0
"""Work and rests of one answer."""


class TooLong(Exception):
    """The fold has taken MOST_SECONDS."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A series as its stream has it; leads: those of the stream that are shown."""

    config: Stream
    leads: tuple[int, ...]
    ident: int
    topic: str
    part: str


class Recorder:
    """Watches a stream of one series: forecasts made from tick `first` on, and of those every so many whole.

    lines: by lead, times of the truths and what had been said of them. kept: whole forecasts.
    """

    def __init__(self, first: int, last: int, every: int, leads: tuple[int, ...]) -> None:
        self.first, self.last, self.every = first, last, every
        self.lines = [answers.Line(lead, [], [], {}) for lead in leads]
        self.kept: list[answers.Forecast] = []
        self.begun, self.worked = time.monotonic(), time.thread_time()

    def scored(self, stream: StreamState, batch: TickBatch) -> None:
        """Raises TooLong."""
        work = time.thread_time() - self.worked
        if work > PIECE_SECONDS:
            time.sleep(REST * work)
            self.worked = time.thread_time()
            if time.monotonic() - self.begun > MOST_SECONDS:
                raise TooLong

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        tick = int(batch.ticks.tick[0])
        if tick < self.first:
            return
        (made,) = forecasts(stream, batch)
        for line in self.lines:
            line.times.append(made.time + line.lead * made.interval)
            line.mean.append(made.mean[line.lead - 1])
            for name, bound in made.quantiles.items():
                line.quantiles.setdefault(name, []).append(bound[line.lead - 1])
        if (self.last - tick) % self.every == 0:
            self.kept.append(made)


def past(directory: Path, of: Origin, points: int, count: int) -> answers.Past:
    """The forecasts made after the newest `points` samples by lead, and `count` of them whole, evenly spread.

    Raises StateError, TooLong.
    """
    with closing(Journal.read(directory)) as journal, failures(journal.path):
        ticks, _ = journal.newest(of.ident, points * (1 + WARM) + 1)
        if not len(ticks):
            return answers.Past(of.ident, True, [], [])
        shown = ticks[-points:]
        every = max(1, (int(shown[-1]) - int(shown[0]) + 1) // count)
        begin = int(ticks[0]) if len(ticks) > points * (1 + WARM) else -1
        seen = Recorder(int(shown[0]), int(shown[-1]), every, of.leads)
        versions = fold(of, begin, seen, journal)
        whole = begin < 0 and int(ticks[0]) == 0 and versions == [*range(1, len(versions) + 1)]
    return answers.Past(of.ident, whole, seen.lines, seen.kept[-count:])


def fold(of: Origin, begin: int, seen: Recorder, journal: Journal) -> list[int]:
    """The samples after a tick, and all trainings, in their order: the versions of these. Raises TooLong."""
    stream = StreamState(of.config, Metrics(leads=of.leads), observer=seen)
    series, halt = stream.add(of.ident, of.topic, of.part), threading.Event()
    outcomes = outcomes_after(journal, stream.name, of.config.sizes, 0)
    retold = Retold.of(stream, journal, {of.ident: begin})

    def until(last: dict[int, int]) -> None:
        replay(stream, {of.ident: max(begin, series.tick)}, last, journal, halt, retold)

    for outcome in outcomes:
        span = outcome.spans.get(of.ident)
        until({of.ident: span.last if span else -1})
        conclude(stream, outcome, journal, halt)
    until({})
    return [outcome.version for outcome in outcomes]
