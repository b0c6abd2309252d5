"""Series that the running daemon goes on without."""

from pathlib import Path

import pytest

from streamer.lanes.forgetting import named, old
from streamer.lanes.reload import Reloader
from streamer.lanes.slow import SlowLane
from streamer.mqtt.link import Link
from streamer.records import Outgoing
from tests.lanes.test_reload import config, stream
from tests.streams import NOW, fast_lane, feed, sample

DAY = 86_400.0


def ages(directory: Path, *newest: float, now: float, after: float | None = DAY) -> list[str]:
    """The names of those too old among series with their newest samples at these times."""
    fast = fast_lane(directory, stream("a", forget_after=after, interval=None))
    feed(fast, [sample(f"a/{i}", time, 1.0) for i, time in enumerate(newest)])
    found = [one.name for one in old(fast.streams, now)]
    fast.journal.close()
    return found


@pytest.mark.parametrize(
    ("newest", "now", "after", "gone"),
    [
        ((0.0, DAY, 1.1 * DAY), 1.2 * DAY, DAY, ["a/0"]),
        ((0.0, DAY), 9 * DAY, DAY, []),  # an outage of all
        ((0.0, 1e6 * DAY), 0.5 * DAY, DAY, []),  # one that is dated ahead
        ((0.0, 1.5 * DAY), 1e4 * DAY, DAY, ["a/0"]),  # a recording that is replayed
        ((0.0, 3 * DAY), 3 * DAY, None, []),
    ],
)
def test_who_is_too_old(
    tmp_path: Path, newest: tuple[float, ...], now: float, after: float | None, gone: list[str]
) -> None:
    """A series is old by its stream's newest sample and by the clock: outages, replays and wrong dates age nobody."""
    assert ages(tmp_path, *newest, now=now, after=after) == gone


async def test_the_others_go_on_bit_by_bit(tmp_path: Path) -> None:
    """Without two of three series, forgotten while it runs, the stream forecasts the third as its twin does that keeps
    all; what a broker keeps of the two is taken back, counted, and one that returns begins anew."""
    start = config(tmp_path / "one", stream("a"))
    fast, twin = fast_lane(start.state.path, stream("a")), fast_lane(tmp_path / "twin", stream("a"))
    reloader = Reloader(start, fast, SlowLane(start, fast.journal, fast.lock, lambda: NOW), Link(start.mqtt, ["a/+"]))
    for lane in (fast, twin):
        feed(lane, [sample(f"a/{name}", t, t % 7 + len(name)) for t in range(40) for name in ("x", "yy", "zzz")])
    cleared: list[Outgoing] = []
    before = fast.streams[0].counts
    await reloader.forget([*named(fast.streams, "a/x"), *named(fast.streams, "a/zzz")], cleared.extend)
    assert [(one.topic, one.payload, one.retain) for one in cleared] == [
        ("forecast/a/x", b"", True),
        ("forecast/a/zzz", b"", True),
    ]
    assert fast.streams[0].counts is before
    assert (before.forgotten, before.samples) == (2, 120)
    for t in range(40, 60):
        some = [sample("a/yy", t, t % 7)]
        assert feed(fast, some) == feed(twin, some)
    feed(fast, [sample("a/x", 60, 1.0)])
    assert [(one.name, one.tick, one.ident) for one in fast.streams[0].series] == [("a/yy", 59, 2), ("a/x", 0, 4)]
    for lane in (fast, twin):
        lane.journal.close()


async def test_open_ticks_are_forgotten_too(tmp_path: Path) -> None:
    """The readings of a forgotten series in a tick that is open lead to no sample; those of another one do."""
    of = stream("a", aggregate="mean", interval=10.0)
    start = config(tmp_path, of)
    fast = fast_lane(tmp_path, of)
    reloader = Reloader(start, fast, SlowLane(start, fast.journal, fast.lock, lambda: NOW), Link(start.mqtt, ["a/+"]))
    feed(fast, [sample(f"a/{name}", t, t) for t in range(25) for name in ("x", "y")])
    await reloader.forget([*named(fast.streams, "a/x")], lambda _: None)
    feed(fast, [sample("a/y", 31, 1.0)])
    assert [(one.name, one.time) for one in fast.streams[0].series] == [("a/y", 30.0)]
    gather = fast.streams[0].gather
    assert gather is not None
    assert [*gather.ongoing] == [("a/y", "")]
    fast.journal.close()
