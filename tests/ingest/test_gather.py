"""Readings in, samples out, against a reference in plain Python."""

import random
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.config import Stream
from streamer.errors import Ignored, Rejected
from streamer.ingest.gather import Gather, Made
from streamer.ingest.ongoing import REMEMBERED

KEY = "plant/a", ""
NAMES = ["first", "last", "mean", "min", "max", "sum", "count"]
Readings = list[tuple[float, float]]


def stream(**changes: Any) -> Stream:
    return Stream(**{"name": "s", "topics": ["plant/#"], "interval": 10, "aggregate": "mean", **changes})


def fed(gather: Gather, readings: Iterable[tuple[float, float]]) -> list[tuple[float, float | str]]:
    """The samples that these lead to, the open tick's too; in place of a value the reason why there is none."""
    made: list[Made] = []
    for time, value in readings:
        try:
            made += gather.take(KEY, time, (value,), time)
        except Rejected as why:
            made += [Made(time, why)] if why.reason not in ("late", "duplicate") else []
    made += gather.close(KEY)
    return [(one.time, one.values.reason if isinstance(one.values, Rejected) else one.values[0]) for one in made]


def reference(readings: Readings, name: str, max_gap: int = 100) -> Readings:
    """The same: what came in time, once each, by ticks of 10 s."""
    ticks: dict[int, dict[float, float]] = {}
    for time, value in readings:
        tick = int(time // 10)
        if tick >= max(ticks, default=0) and time not in ticks.get(tick, {}):
            ticks.setdefault(tick, {})[time] = value
    make: dict[str, Any] = {"sum": sum, "min": min, "max": max, "count": len, "mean": lambda x: sum(x) / len(x)}
    make |= {"first": lambda x: x[0], "last": lambda x: x[-1]}
    out: Readings = []
    for tick, held in ticks.items():
        empty = range(int(out[-1][0] // 10), tick) if out and name in ("sum", "count") else range(0)
        out += [((gap + 1) * 10, 0.0) for gap in empty if len(empty) <= max_gap]
        values = [held[time] for time in (sorted(held) if name in ("first", "last") else held)]
        out.append(((tick + 1) * 10, float(make[name](values))))
    return out


def disturbed(seed: int, count: int = 400) -> Readings:
    """A reading every second or so, of which some are missing, doubled, or come late."""
    chance, readings = random.Random(seed), list[tuple[float, float, float]]()
    for i in range(count):
        time = i * chance.choice([1.0, 1.0, 1.01])
        if chance.random() < 0.9 and not 200 < i < 260:
            late = chance.choice([0, 0, 0, 2, 5, 15])
            readings.append((time + late, time, chance.gauss(5, 2)))
            if chance.random() < 0.1:
                readings.append((time + late + chance.choice([0.1, 3]), time, chance.gauss(5, 2)))
    return [(time, value) for _, time, value in sorted(readings)]


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_against_the_reference(name: Any, seed: int) -> None:
    """Whatever is late, doubled or missing, each tick is what its readings in time make."""
    readings = disturbed(seed)
    assert fed(Gather(stream(aggregate=name)), readings) == reference(readings, name)


@given(st.integers(0, 10**6), st.integers(0, 399))
@settings(max_examples=30)
def test_it_is_a_fold(seed: int, at: int) -> None:
    """Written down at any reading and read back, with the readings since then, it goes on to the same bits."""
    readings = disturbed(seed)
    whole_way, before = Gather(stream()), Gather(stream())
    expected = fed(whole_way, readings)
    first = fed_open(before, readings[: at // 2])
    whole = before.whole()
    records = [[*KEY, time, [value], True] for time, value in readings[at // 2 : at]]
    between = fed_open(before, readings[at // 2 : at])
    again = Gather(stream())
    again.restore(whole, [orjson.dumps([one]) for one in records_in_time(whole, records)])
    assert again.whole() == before.whole()
    assert first + between + fed(again, readings[at:]) == expected


def records_in_time(whole: bytes, records: list[list[Any]]) -> list[list[Any]]:
    """The records that were taken: what is late or doubled is not written down."""
    gather, taken = Gather(stream()), []
    gather.restore(whole, [])
    for record in records:
        try:
            gather.take(KEY, record[2], tuple(record[3]), record[2])
        except Rejected:
            continue
        taken.append(record)
    return taken


def fed_open(gather: Gather, readings: Readings) -> list[tuple[float, float | str]]:
    """Samples so far; the open tick stays open."""
    out: list[tuple[float, float | str]] = []
    for time, value in readings:
        try:
            made = gather.take(KEY, time, (value,), time)
        except Rejected:
            continue
        out += [(one.time, one.values[0]) for one in made if not isinstance(one.values, Rejected)]
    return out


def test_the_clock_closes_a_tick() -> None:
    """A tick is closed by the clock once it is over and `grace` has passed, counted from when its reading came."""
    gather = Gather(stream(grace=3))
    gather.take(KEY, 12.0, (1.0,), 1000.0)
    assert list(gather.due(1010.9)) == []
    assert list(gather.due(1011.0)) == [KEY]
    assert gather.close(KEY) == [Made(20.0, (1.0,))]
    with pytest.raises(Rejected, match="its tick is closed"):
        gather.take(KEY, 13.0, (1.0,), 1012.0)
    assert gather.take(KEY, 20.0, (2.0,), 1012.0) == []


def test_readings_without_a_time() -> None:
    """Readings that come at one time all count where they have none of their own."""
    gather = Gather(stream(aggregate="count"))
    for _ in range(3):
        gather.take(KEY, 12.0, (1.0,), 12.0, dated=False)
    assert gather.close(KEY) == [Made(20.0, (3.0,))]


def test_very_late_readings() -> None:
    """A late reading older than all that are remembered of its tick is rejected: it may have come before."""
    gather = Gather(stream(interval=1000))
    for i in range(REMEMBERED + 10):
        gather.take(KEY, 100.0 + i, (1.0,), 0.0)
    gather.take(KEY, 100.5 + REMEMBERED, (1.0,), 0.0)
    for time, reason in ((100.5, "late"), (100.5 + REMEMBERED, "duplicate"), (100.0 + REMEMBERED, "duplicate")):
        with pytest.raises(Rejected) as caught:
            gather.take(KEY, time, (1.0,), 0.0)
        assert caught.value.reason == reason


def test_a_clock_that_was_ahead() -> None:
    """Once enough readings came late, as far apart as they are dated, their ticks count, the first one marked."""
    gather = Gather(stream(interval=1))
    gather.take(KEY, 10_000.0, (1.0,), 0.0)
    rejected, made = 0, list[Made]()
    for i in range(40):
        try:
            made += gather.take(KEY, 100.0 + i, (2.0,), float(i))
        except Rejected:
            rejected += 1
    assert rejected == 15
    assert [(one.time, one.back) for one in made[:3]] == [(10_001.0, False), (116.0, True), (117.0, False)]


def differences(totals: Iterable[float], **keys: Any) -> list[float | str]:
    """What a counter with these totals, one a tick, has counted."""
    changes = {"aggregate": None, "difference": keys.pop("difference", True), **keys}
    return [value for _, value in fed(Gather(stream(**changes)), [(10.0 * i, x) for i, x in enumerate(totals)])]


@pytest.mark.parametrize(
    ("totals", "keys", "counted"),
    [
        ([5, 7, 7, 10], {}, ["null", 2, 0, 3]),
        ([65530, 65535, 4], {"difference": {"wrap": 65536}}, ["null", 5, 5]),
        ([100, 0, 103], {}, ["null", "reset", 1.5]),
        ([100, 0, 1, 3], {}, ["null", "reset", "reset", 2]),
        ([100, 0, 0, 3], {}, ["null", "reset", "reset", 3]),
        ([8000, 8002, 12, 13], {}, ["null", 2, "reset", 1]),
        ([60000, 12], {"difference": {"wrap": 100_000}}, ["null", 40012]),
        ([60000, 50000, 50001], {"difference": {"wrap": 65536}}, ["null", "reset", 1]),
        ([0, 2], {"difference": {"per": "hour"}}, ["null", 720]),
        ([0, 2, 900], {"scale": 0.5, "highest": 100}, ["null", 1, "out_of_range"]),
        ([0, 2, 900], {"clip": [0, 100]}, ["null", 2, 100]),
    ],
)
def test_counters(totals: list[float], keys: dict[str, Any], counted: list[float | str]) -> None:
    """Resets, wraps, a single 0 and another meter are told, and give no value that was not counted."""
    assert differences(totals, **keys) == counted


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.sets(st.integers(1, 58)))
def test_nothing_counted_is_lost_in_gaps(steps: list[int], missing: set[int]) -> None:
    """Over ticks that are missing the difference is spread: times its ticks it is what the counter counted."""
    totals = [sum(steps[: i + 1]) + 1000.0 for i in range(len(steps))]
    kept = [i for i in range(len(steps)) if i not in missing]
    out = fed(Gather(stream(aggregate=None, difference=True)), [(10.0 * i, totals[i]) for i in kept])
    counted = 0.0
    for (time, value), before, now in zip(out[1:], kept, kept[1:], strict=False):
        assert time == (now + 1) * 10
        counted += float(value) * (now - before)
    assert counted == pytest.approx(totals[kept[-1]] - totals[kept[0]])


def test_a_gap_too_long() -> None:
    """After a gap longer than can be bridged a counter begins anew."""
    gather = Gather(stream(aggregate=None, difference=True, max_gap=3))
    assert [value for _, value in fed(gather, [(0, 1), (50, 9), (60, 10)])] == ["null", "null", 1]


def test_a_counter_of_messages() -> None:
    """Without an interval each message is a tick, and a rate counts by their times."""
    gather = Gather(stream(interval=None, aggregate=None, difference={"per": "minute"}))
    assert fed(gather, [(0.5, 10), (30.5, 11), (30.5, 12), (20, 13), (60.5, 12)]) == [
        (0.5, "null"),
        (30.5, 2.0),
        (60.5, 2.0),
    ]
    (first,) = Gather(stream(interval=None, aggregate=None, difference=True)).take(KEY, 1, (1,), 1)
    assert isinstance(first.values, Ignored)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"interval": None}, r"aggregate\n.*needs an interval"),
        ({"difference": True}, r"aggregate\n.*of the totals"),
        ({"aggregate": None, "difference": True, "fill": "last"}, "leave fill out"),
        ({"clip": [3, 1]}, r"clip\n.*write the lower bound"),
    ],
)
def test_what_cannot_be_meant(changes: dict[str, Any], problem: str) -> None:
    """Keys that contradict each other are refused with the remedy."""
    with pytest.raises(ValidationError, match=problem):
        stream(**changes)
