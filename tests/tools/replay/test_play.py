"""Playing on a clock of its own: no test waits, but those of cancellation and of the real clock."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceError
from streamer.tools.replay.play import Form, Pace, Summary, Timing, play
from streamer.tools.replay.sample import Sample
from streamer.tools.replay.sources import signal

FORM = Form("t", "number")


@dataclass
class Bench:
    """A clock that only sleeping and publishing advance, and what was published when."""

    cost: float = 0.0
    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    messages: list[tuple[str, bytes, int, bool]] = field(default_factory=list)

    @property
    def timing(self) -> Timing:
        return Timing(lambda: self.now, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    async def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        self.moments.append(self.now - 1000.0)
        self.messages.append((topic, payload, qos, retain))
        self.now += self.cost


def at(*times: float) -> list[Sample]:
    return [Sample(time, (time,)) for time in times]


async def test_rate() -> None:
    """At a rate of r, sample i is published at i/r, whatever its event time and however long publishing takes."""
    bench = Bench(cost=0.1)
    summary = await play(at(0, 100, 200, 300, 250), bench.publish, Pace(rate=4), FORM, timing=bench.timing)
    assert bench.moments == pytest.approx([0, 0.25, 0.5, 0.75, 1.0], abs=1e-9)
    assert (summary.samples, summary.event_seconds) == (5, 300.0)
    assert summary.seconds == pytest.approx(1.1)


async def test_speed() -> None:
    """At a speed of x, a sample is published x times sooner than it happened; one from the past goes out at once."""
    bench = Bench()
    await play(at(50, 52, 60, 55, 61), bench.publish, Pace(speed=2), FORM, timing=bench.timing)
    assert bench.moments == pytest.approx([0, 1, 5, 5, 5.5])


@given(st.floats(0.01, 1e6), st.integers(1, 300), st.floats(0, 0.005))
def test_no_drift(rate: float, size: int, cost: float) -> None:
    """Where publishing is faster than the rate, no sample is late, none is more than 1 ms early."""
    bench = Bench(cost=min(cost, 0.9 / rate))
    asyncio.run(play(islice(signal("sine"), size), bench.publish, Pace(rate=rate), FORM, timing=bench.timing))
    for i, moment in enumerate(bench.moments):
        assert -0.001 - 1e-6 <= moment - i / rate <= 1e-6


async def test_high_rates_share_sleeps() -> None:
    """At 20,000 samples per second many samples share one sleep."""
    bench = Bench()
    await play(islice(signal("sine"), 10_000), bench.publish, Pace(rate=20_000), FORM, timing=bench.timing)
    assert bench.now - 1000.0 == pytest.approx(0.5, abs=0.002)
    assert sum(seconds > 0 for seconds in bench.sleeps) <= 500


async def test_cannot_keep_up(caplog: pytest.LogCaptureFixture) -> None:
    """A publisher slower than the rate is driven as fast as it goes, and the log says so once."""
    bench = Bench(cost=0.2)
    summary = await play(islice(signal("sine"), 100), bench.publish, Pace(rate=10), FORM, timing=bench.timing)
    assert summary.seconds == pytest.approx(20.0)
    (record,) = caplog.records
    assert record.getMessage().startswith("cannot keep up: 1.")
    assert record.levelno == logging.WARNING


async def test_catches_up(caplog: pytest.LogCaptureFixture) -> None:
    """After a short stall the schedule is met again, without a word."""
    bench = Bench()

    async def publish(topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        bench.moments.append(bench.now - 1000.0)
        bench.now += 0.9 if len(bench.moments) == 1 else 0.0

    await play(islice(signal("sine"), 20), publish, Pace(rate=10), FORM, timing=bench.timing)
    assert bench.moments[1] == pytest.approx(0.9)
    assert bench.moments[9:] == pytest.approx([i / 10 for i in range(9, 20)])
    assert not caplog.records


async def test_fast(caplog: pytest.LogCaptureFixture) -> None:
    """Without a pace nothing waits and nothing is late, but the event loop gets its turn."""
    bench = Bench(cost=0.05)
    summary = await play(islice(signal("sine"), 1000), bench.publish, Pace(), FORM, timing=bench.timing)
    assert (summary.samples, summary.event_seconds) == (1000, 999.0)
    assert summary.seconds == pytest.approx(50.0)
    assert set(bench.sleeps) == {0}
    assert len(bench.sleeps) >= 10
    assert not caplog.records


async def test_progress() -> None:
    """Progress is told about every second, through a long wait too, and at the end."""
    bench = Bench()
    told: list[Summary] = []
    await play(at(0, 10), bench.publish, Pace(speed=1), FORM, told.append, bench.timing)
    assert [round(summary.seconds) for summary in told] == [*range(1, 11), 10]
    assert [summary.samples for summary in told] == [1] * 10 + [2]
    assert told[-1].event_seconds == 10.0


async def test_messages() -> None:
    """A recorded message keeps its topic, payload, qos and retain; the form fills what a sample leaves open."""
    bench = Bench()
    samples = [Sample(0.0, (1.0,)), Sample(0.0, (), "own", b"raw", 0, False)]
    await play(samples, bench.publish, Pace(), Form("t", "json", 1, True), timing=bench.timing)
    assert bench.messages == [
        ("t", b'{"time":"1970-01-01T00:00:00.000Z","value":1.0}', 1, True),
        ("own", b"raw", 0, False),
    ]


async def test_no_topic() -> None:
    """A sample without a topic, and none given, is a SourceError."""
    with pytest.raises(SourceError, match="--topic"):
        await play(at(1), Bench().publish, Pace(), Form())


async def test_nothing() -> None:
    """A source without samples gives a summary of zeros."""
    bench = Bench()
    assert await play([], bench.publish, Pace(), FORM, timing=bench.timing) == Summary(0, 0.0, 0.0)


@pytest.mark.parametrize("pace", [Pace(), Pace(rate=1e9), Pace(rate=0.001)], ids=["fast", "late", "asleep"])
async def test_cancellation(pace: Pace) -> None:
    """A replay that is cancelled ends at once, though its publisher never waits, and tells how far it came."""
    published, begun = count(), asyncio.Event()
    told: list[Summary] = []

    async def publish(topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        next(published)
        begun.set()

    task = asyncio.create_task(play(signal("sine"), publish, pace, FORM, told.append))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(1):
            await task
    assert told[-1].samples == next(published) > 0


async def test_real_clock() -> None:
    """On the real clock 200 samples at 1,000 per second take 0.2 seconds."""
    begun = time.monotonic()
    summary = await play(islice(signal("sine"), 200), Bench().publish, Pace(rate=1000), FORM)
    assert 0.19 < time.monotonic() - begun < 5.0
    assert summary.samples == 200


@pytest.mark.parametrize("pace", [{"rate": 0.0}, {"speed": -1.0}, {"rate": float("inf")}, {"rate": 1.0, "speed": 1.0}])
def test_pace(pace: dict[str, float]) -> None:
    """A pace is above 0, and either a rate or a speed."""
    with pytest.raises(SourceError):
        Pace(**pace)
