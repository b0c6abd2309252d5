"""The name of a source and its options in, an iterator of samples out, in constant memory."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from statistics import median

from streamer.errors import SourceError
from streamer.tools.replay.building import Building
from streamer.tools.replay.csvfile import csv_file
from streamer.tools.replay.recording import recording
from streamer.tools.replay.sample import START, Sample
from streamer.tools.replay.signals import WAVES, Signal

CSV = (".csv", ".csv.gz")
RECORDING = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")

STEPS = 1000
"""Number of time steps whose median is the typical interval of a source."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is read.

    columns, time_column: of CSV files; interval (seconds) and start_time (seconds since 1970): of waves, of the
    building, and of CSV files without times; seed: of the noise of waves, and of the building; loop: repeat a source
    that ends; gaps: keep rows of CSV files that lack some of their values.
    """

    columns: tuple[str, ...] = ()
    time_column: str | None = None
    interval: float = 1.0
    start_time: float = START
    seed: int = 0
    loop: bool = False
    gaps: bool = False

    def __post_init__(self) -> None:
        if not (self.interval > 0 and math.isfinite(self.interval)):
            raise SourceError(f"the interval must be a number of seconds above 0, not {self.interval}")
        if self.seed < 0:
            raise SourceError(f"the seed must be 0 or more, not {self.seed}")


def open_source(source: str, options: SourceOptions | None = None) -> Iterator[Sample]:
    """The samples of a wave, of `building`, of `waterflow`, or of a file by its suffix; the first is read at once.

    Raises SourceError, here or during iteration, if the source is unknown, missing, empty or malformed.
    """
    options = options or SourceOptions()
    if source in WAVES:
        return signal(source, options.seed, options.interval, options.start_time)
    if source == "building":
        return building(options.seed, options.interval, options.start_time)
    samples = _finite(source, options, quiet=False)
    first = next(samples, None)
    if first is None:
        raise SourceError(f"{source}: holds no samples")
    samples = chain([first], samples)
    return repeat(samples, lambda: _finite(source, options, quiet=True)) if options.loop else samples


def _finite(source: str, options: SourceOptions, *, quiet: bool) -> Iterator[Sample]:
    """One pass over a source that ends; with `quiet`, later passes do not repeat what the first one logged."""
    path, name = Path(source), source.lower()
    if source == "waterflow":
        return waterflow()
    if name.endswith(CSV):
        fields = options.columns, options.time_column, options.interval, options.start_time
        return csv_file(path, *fields, quiet=quiet, gaps=options.gaps)
    if name.endswith(RECORDING):
        return recording(path)
    known = ", ".join([*WAVES, "building", "waterflow"])
    raise SourceError(f"{source!r} is no source: there are {known}, and files that end in {', '.join(CSV + RECORDING)}")


def signal(name: str, seed: int = 0, interval: float = 1.0, start_time: float = START) -> Iterator[Sample]:
    """The paper's wave `name`, without end; sample i has the time start_time + i·interval."""
    return spaced(Signal(name).stream(seed), interval, start_time)


def building(seed: int, interval: float, start_time: float) -> Iterator[Sample]:
    """The temperature of a room in °C, without end; sample i has the time start_time + i·interval."""
    return spaced(Building().stream(seed, interval, start_time), interval, start_time)


def spaced(values: Iterable[float], interval: float, start_time: float) -> Iterator[Sample]:
    """Values as samples that are an interval apart."""
    for i, value in enumerate(values):
        yield Sample(start_time + i * interval, (value,))


def waterflow() -> Iterator[Sample]:
    """River's hourly water flow, in litres per second, at its own times; hours without data are missing."""
    # Here, because no other source needs river, and importing it takes more than a second.
    from river.datasets import WaterFlow

    # Read whole (1,268 samples), because river closes its file only at the end.
    for x, value in list(WaterFlow()):
        yield Sample(x["Time"].timestamp(), (float(value),))


def each_on_its_own(samples: Iterable[Sample], topics: Sequence[str]) -> Iterator[Sample]:
    """The values of each row as samples on the topics of their columns. Raises SourceError where these do not fit."""
    for sample in samples:
        if len(topics) != len(sample.values):
            text = f"{len(sample.values)} columns and {len(topics)} topics"
            raise SourceError(f"{text}: name a --topic for each --column")
        for topic, value in zip(topics, sample.values, strict=True):
            yield replace(sample, values=(value,), topic=topic)


def repeat(samples: Iterator[Sample], again: Callable[[], Iterator[Sample]]) -> Iterator[Sample]:
    """`samples`, then `again()` for ever; each pass is shifted in time by the length of the one before.

    The length is newest - oldest time + one typical interval, to the microsecond, so that passes do not overlap.
    Recorded payloads stay unchanged: a time within them is not shifted.
    """
    shift = 0.0
    while True:
        span = Span()
        for sample in samples:
            span.add(sample)
            yield replace(sample, time=sample.time + shift) if shift else sample
        if span.newest < span.oldest:
            raise SourceError("the source to loop over has become empty")
        shift += span.length
        samples = again()


@dataclass(slots=True)
class Span:
    """Oldest and newest time of one pass, and the time steps that give its typical interval."""

    oldest: float = math.inf
    newest: float = -math.inf
    steps: list[float] = field(default_factory=list)
    previous: dict[str | None, float] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Take in the time of a sample; steps are counted between samples of the same topic."""
        self.oldest = min(self.oldest, sample.time)
        self.newest = max(self.newest, sample.time)
        if len(self.steps) < STEPS:
            step = sample.time - self.previous.get(sample.topic, sample.time)
            if step > 0:
                self.steps.append(step)
            self.previous[sample.topic] = sample.time

    @property
    def length(self) -> float:
        """Newest - oldest time + the median step (1 s if there is none), in seconds, to the microsecond."""
        return round(self.newest - self.oldest + max(median(self.steps or [1.0]), 1e-6), 6)
