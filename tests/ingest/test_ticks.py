"""Ticks that hold the last value, against an oracle that knows the samples of one series alone."""

import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Stream
from streamer.ingest.grid import segments
from streamer.records import ForecastBatch, TickBatch
from streamer.stream.state import StreamState
from tests.streams import NOW, SMALL, fast_lane, feed, message, process, sample, timed

PUMP: dict[str, Any] = {"fill": "last", "forecasters": "auto", "season": None, "retrain": {"every": 0}}
LONG = {**SMALL, "k": 5, "p": 8}


class Met:
    """What each series has met, as its stream observes it: tick, value, and whether it began anew."""

    def __init__(self) -> None:
        self.by: dict[str, list[tuple[int, float, bool]]] = {}
        self.times: dict[str, list[float]] = {}

    def scored(self, stream: StreamState, batch: TickBatch) -> None:
        for row, tick, x, fresh, time in zip(
            batch.rows, batch.tick, batch.x[:, 0], batch.fresh, batch.time, strict=True
        ):
            name = stream.series[row].name
            self.by.setdefault(name, []).append((int(tick), float(x), bool(fresh)))
            self.times.setdefault(name, []).append(float(time))

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        """Of no interest here."""


def expected(samples: Sequence[tuple[int, float]], until: int, max_gap: int) -> list[tuple[int, float, bool]]:
    """Ticks of one series with these samples, held up to a tick: from its samples alone."""
    met: list[tuple[int, float, bool]] = []
    for i, (tick, x) in enumerate(samples):
        end = samples[i + 1][0] - 1 if i + 1 < len(samples) else until
        fresh = i == 0 or tick - samples[i - 1][0] > max_gap + 1
        met += [(tick, x, fresh), *((at, x, False) for at in range(tick + 1, min(end, tick + max_gap) + 1))]
    return met


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=1, max_size=30), st.integers(0, 7))
def test_every_tick_has_the_last_value(tmp_path_factory: Any, steps: list[tuple[int, int]], max_gap: int) -> None:
    """Each series meets all its ticks once, in order, with its newest value, up to max_gap after each sample; so far as
    the stream's newest sample is an interval past them. A longer silence restarts it."""
    met, samples, now = Met(), dict[str, list[tuple[int, float]]](), 0
    fast = fast_lane(tmp_path_factory.mktemp("a"), timed(max_gap=max_gap, **PUMP), observer=met)
    rng = random.Random(0)
    for which, step in steps:
        now += step
        name, value = f"plant/{which}", rng.choice([0.0, 1500.0])
        first = samples.setdefault(name, [])
        process(fast, [sample(name, now, value)])
        first.append((now, value))
    fast.journal.close()
    for name, some in samples.items():
        begun = some[0][0]
        own = [(tick - begun, x) for tick, x in some]
        assert met.by[name] == expected(own, now - 1 - begun, max_gap)
        assert met.times[name] == [begun + tick for tick, _, _ in met.by[name]]


def test_what_changed_within_a_tick_is_not_lost(tmp_path: Path) -> None:
    """Of two samples of one tick the second counts at the next one, and a delayed one at the next tick that has no
    value yet: a pump that went off is off."""
    met = Met()
    fast = fast_lane(tmp_path, timed(**PUMP), observer=met)
    pump = [sample("plant/pump", 0, 0), sample("plant/pump", 5.0, 1500), sample("plant/pump", 5.2, 0)]
    process(fast, [*pump, sample("plant/clock", 0, 1), sample("plant/clock", 12, 1)])
    process(fast, [sample("plant/pump", 9, 700)])
    values = [x for _, x, _ in met.by["plant/pump"]]
    assert values == [0, 0, 0, 0, 0, 1500, 0, 0, 0, 0, 0, 0, 700]
    assert not fast.streams[0].counts.rejected
    fast.journal.close()


def test_too_many_in_a_tick_are_duplicates(tmp_path: Path) -> None:
    """A series that sends more than it may gets at most max_gap ticks ahead of its time."""
    fast = fast_lane(tmp_path, timed(**PUMP, max_gap=3))
    process(fast, [sample("plant/a", 0.001 * i, i) for i in range(10)])
    assert fast.streams[0].series[0].tick == 3
    assert fast.streams[0].counts.rejected == {"duplicate": 6}
    fast.journal.close()


def test_a_quiet_series_is_forecast(tmp_path: Path) -> None:
    """While others of its stream report, a quiet series has a forecast of each tick that is over; after its silence one
    alone, of its sample, not of ticks that are past."""
    fast = fast_lane(tmp_path, timed(**PUMP))
    feed(fast, [sample("plant/pump", 0, 7), sample("plant/clock", 0, 1), sample("plant/pump", 1, 7)])
    out = [one for t in range(1, 8) for one in feed(fast, [sample("plant/clock", t, t)])]
    said = [(one["time"][-5:-1], one["mean"][0]) for one in out if one["series"] == "plant/pump"]
    assert said == [(f".{0:03d}", 7.0)] * 5
    assert fast.streams[0].counts.filled == 5
    last = feed(fast, [sample("plant/pump", 40, 9)])
    assert [one["time"][14:19] for one in last if one["series"] == "plant/pump"] == ["00:40"]
    fast.journal.close()


def pump(shortest: int, fixed: int | None) -> list[tuple[int, float]]:
    """The changes of a pump that runs for so many seconds, or for a random time as its rests are."""
    rng, changes, t = random.Random(3), list[tuple[int, float]](), 0
    for i in range(150):
        changes.append((t, 1500.0 * (i % 2)))
        t += fixed if fixed and i % 2 else rng.randrange(shortest, 4 * shortest)
    return changes


PUMPS = pytest.mark.parametrize(("shortest", "fixed", "max_gap"), [(5, None, 100), (30, 20, 300), (30, 20, 25)])


@PUMPS
def test_a_pump_that_reports_on_change(tmp_path: Path, shortest: int, fixed: int | None, max_gap: int) -> None:
    """Held at its last value, a pump of 0 and 1500 W is scored at every second, and its forecasts are over all
    leads, and at the first three each, no worse than that nothing changes."""
    fast = fast_lane(tmp_path, timed(**PUMP, model=LONG, max_gap=max_gap))
    for at, x in pump(shortest, fixed):
        process(fast, [sample("plant/pump", at, x), sample("plant/clock", at, 1.0)])
    scores = fast.streams[0].panel.scores
    nothing, mix = (scores.sums[0, :, 2, m] / scores.weight[0, m] for m in (scores.reference, -1))
    assert (scores.weight[0, scores.reference] > 300).all()
    assert mix.mean() <= 1.02 * nothing.mean()
    assert (mix[:3] <= 1.02 * nothing[:3]).all()
    fast.journal.close()


@PUMPS
def test_without_fill_persistence_is_published(tmp_path: Path, shortest: int, fixed: int | None, max_gap: int) -> None:
    """Where most forecasts meet no truth, those that do by chance say nothing of the others: forecasts of the pump are
    as good as that nothing changes, though at the lead of its fixed time persistence is wrong whenever it is scored."""
    changes = pump(shortest, fixed)
    truth = np.repeat([x for _, x in changes], np.diff([at for at, _ in changes], append=changes[-1][0] + 1))
    fast = fast_lane(tmp_path, timed(**{**PUMP, "fill": None}, model=LONG, max_gap=max_gap))
    out = [one for at, x in changes for one in feed(fast, [sample("plant/pump", at, x)])][20:-20]
    ours = nothing = 0.0
    for one in out:
        at = round(datetime.fromisoformat(one["time"]).timestamp())
        ahead = truth[at + 1 : at + 41]
        ours += np.abs(ahead - one["mean"]).mean()
        nothing += np.abs(ahead - truth[at]).mean()
    assert ours <= 1.001 * nothing
    fast.journal.close()


def test_a_sparse_grid_that_is_regular_is_scored(tmp_path: Path) -> None:
    """Every third tick measured, regularly: where a lead always meets its truth, the mixture learns as ever."""
    sparse = timed(forecasters="auto", season=None, model={**SMALL, "k": 6, "p": 2}, retrain={"every": 0})
    fast = fast_lane(tmp_path, sparse)
    process(fast, [sample("plant/a", 3 * i, float(i)) for i in range(400)])
    panel = fast.streams[0].panel
    weights = panel.weights()
    leads = panel.scores.leads.tolist()
    reference = panel.mix.models.index("persistence")
    assert weights[reference, leads.index(12)] < 0.5
    assert weights[reference, leads.index(1)] == 1.0
    fast.journal.close()


@given(st.lists(st.integers(1, 8), min_size=1, max_size=20), st.integers(0, 5), st.integers(0, 5))
def test_segments_hold_the_last_value_too(steps: list[int], max_gap: int, beyond: int) -> None:
    """What training and warming read of the journal is what the stream has met."""
    ticks = np.cumsum([0, *steps])
    until = int(ticks[-1]) + min(beyond, max_gap)
    found = segments(ticks, ticks[:, None] * 1.0, max_gap, fill=True, until=until)
    met = expected([(tick, float(tick)) for tick in ticks.tolist()], until, max_gap)
    assert [x for part in found for x in part[:, 0].tolist()] == [x for _, x, _ in met]


def test_fill_needs_an_interval() -> None:
    """Without a grid there are no ticks to fill, and the configuration says so."""
    with pytest.raises(ValueError, match=r"fill\n.*needs an interval"):
        Stream(name="a", topics=["#"], fill="last")


def test_without_a_time_of_its_own(tmp_path: Path) -> None:
    """Where samples have no time, it is their arrival that the clock goes by."""
    met = Met()
    stream = timed(**PUMP).model_copy(update={"payload": Stream(name="a", topics=["#"]).payload})
    fast = fast_lane(tmp_path, stream, observer=met)
    for t in range(4):
        process(fast, [message("plant/clock", b"1", NOW + t)] + [message("plant/pump", b"5", NOW)] * (t == 0))
    assert [x for _, x, _ in met.by["plant/pump"]] == [5.0, 5.0, 5.0]
    fast.journal.close()
