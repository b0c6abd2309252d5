"""What a stream has done since the daemon started; the metrics read it from other threads."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from streamer.models import KINDS
from streamer.records import Candidate, Floats, Ints

LATENCIES = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0])
"""Upper bounds of the sample-to-forecast histogram, in seconds."""


class Latency:
    """A histogram: samples by LATENCIES, [L + 1], and the sum of their seconds."""

    def __init__(self) -> None:
        self.samples = np.zeros(len(LATENCIES) + 1, np.int64)
        self.seconds = 0.0

    def add(self, latency: Floats) -> None:
        """Samples that took so many seconds each."""
        self.samples += np.bincount(np.searchsorted(LATENCIES, latency), minlength=len(LATENCIES) + 1)
        self.seconds += float(latency.sum())


class Trainings:
    """Counters of a stream's trainings.

    dues: those that were due, by cause. ended: by kind of network and result. seconds: that they took. gated: error of
    each network at its newest one, as the gate compares it (`Errors.ratio`).
    """

    def __init__(self) -> None:
        self.dues: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.seconds = 0.0
        self.gated: dict[str, float] = {}

    def due(self, cause: str) -> None:
        """A training that is due."""
        self.dues[cause] += 1

    def end(self, result: str, kinds: Iterable[str] = KINDS) -> None:
        """What came of a training for these kinds of networks."""
        for kind in kinds:
            self.ended[kind, result] += 1

    def spend(self, seconds: float) -> None:
        """Time that a training took."""
        self.seconds += seconds

    def gate(self, candidate: Candidate) -> None:
        """The error that the gate compared."""
        self.gated[candidate.kind] = candidate.errors.ratio


class Counts:
    """Counters of one stream.

    surprises: announcements of series that are outside their bands. latency: from sample to forecast.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.samples = self.bridged = self.filled = self.ignored = self.gathered = self.surprises = self.forgotten = 0
        self.rejected: Counter[str] = Counter()
        self.forecasts: Counter[str] = Counter()
        self.latency = Latency()
        self.trainings = Trainings()

    def accept(self, bridged: int) -> None:
        """One sample, after so many missing ticks."""
        self.samples += 1
        self.bridged += bridged

    def leave_gap(self) -> None:
        """One gap that is not bridged, as its series had too many at once."""
        self.gaps += 1

    def gather(self) -> None:
        """One reading that becomes part of a sample."""
        self.gathered += 1

    def fill(self, ticks: int) -> None:
        """Ticks that have the last value."""
        self.filled += ticks

    def reject(self, reason: str) -> None:
        """One message, or one part of it, that is no sample."""
        self.rejected[reason] += 1

    def ignore(self) -> None:
        """One message, or one part of it, without a value that is asked for."""
        self.ignored += 1

    def forecast(self, models: Sequence[str], chosen: Ints, latency: Floats) -> None:
        """Forecasts handed over: the index of the model of each, and seconds since the samples among them arrived."""
        for model, count in zip(models, np.bincount(chosen, minlength=len(models)).tolist(), strict=True):
            self.forecasts[model] += count
        self.latency.add(latency)

    def surprise(self, series: int) -> None:
        """So many series of which it is announced that they are outside their bands."""
        self.surprises += series

    def forget(self, series: int) -> None:
        """So many series that are no more."""
        self.forgotten += series
