"""The fast lane on streams whose samples are made of several readings, or are differences, over starts and reloads."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.config import Stream
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch
from streamer.store import gathered
from tests.streams import NOW, fast_lane, feed, message, process, resumed, sample, save, timed, untimed


def gathering(**changes: Any) -> Stream:
    """Ticks of 10 s, of the means of what comes in them."""
    payload = {"format": "json", "time": "time"}
    return untimed(**{"payload": payload, "interval": 10.0, "aggregate": "mean", **changes})


def end(fast: FastLane) -> None:
    """As after a kill: nothing is said any more."""
    fast.journal.close()


def test_a_tick_is_forecast_when_the_next_begins(tmp_path: Path) -> None:
    """A tick gives one sample, the mean of its readings, at the time of its end, once the next one begins."""
    fast = fast_lane(tmp_path, gathering())
    assert feed(fast, [sample("plant/a", t, v) for t, v in ((1, 1.0), (5, 3.0), (3, 5.0), (12, 7.0))]) == []
    (forecast,) = feed(fast, [sample("plant/a", 25, 1.0)])
    assert (forecast["time"], forecast["mean"][0]) == ("1970-01-01T00:00:20.000Z", 7.0)
    (series,) = fast.streams[0].series
    assert fast.journal.newest(series.ident, 9)[1].tolist() == [[3.0], [7.0]]
    assert (fast.streams[0].counts.samples, fast.streams[0].counts.gathered) == (2, 5)
    end(fast)


def test_late_and_doubled_readings_are_counted(tmp_path: Path) -> None:
    """What comes after its tick has closed, or twice, is rejected and counted."""
    fast = fast_lane(tmp_path, gathering())
    feed(fast, [sample("plant/a", t, 1.0) for t in (1, 5, 1, 5, 12, 9)])
    assert dict(fast.streams[0].counts.rejected) == {"duplicate": 2, "late": 1}
    end(fast)


def test_the_clock_closes_ticks(tmp_path: Path) -> None:
    """An empty batch, as the link gives one when nothing comes, closes what is over."""
    now = [NOW]
    fast = fast_lane(tmp_path, gathering(grace=2.0))
    fast.clock = lambda: now[0]
    feed(fast, [replace(sample("plant/a", NOW + t, 1.0), arrived=NOW + t) for t in (1, 5, 12)])
    assert fast.streams[0].counts.samples == 1
    now[0] = NOW + 21.9
    assert feed(fast, []) == []
    now[0] = NOW + 22.0
    (forecast,) = feed(fast, [])
    assert forecast["time"] == "2027-01-15T08:00:20.000Z"
    assert fast.patience is not None
    end(fast)


def test_nothing_is_gathered_unasked(tmp_path: Path) -> None:
    """A stream without aggregate and difference keeps nothing, and wants no empty batches."""
    fast = fast_lane(tmp_path, timed())
    feed(fast, [sample("plant/a", t, 1.0) for t in (1, 2)])
    assert (fast.streams[0].gather, fast.patience) == (None, None)
    assert gathered.read(fast.journal, "plant", "") == (None, [])
    end(fast)


def test_a_field_of_a_document(tmp_path: Path) -> None:
    """Each series of a message with several has its own ticks."""
    payload = {"format": "json", "fields": "*", "time": "time"}
    fast = fast_lane(tmp_path, untimed(payload=payload, interval=10.0, aggregate="sum"))
    for t in (1, 2, 11):
        process(fast, [message("plant/a", b'{"time": %d, "x": 1, "y": %d}' % (t, t))])
    held = {one.part: fast.journal.newest(one.ident, 9)[1].tolist() for one in fast.streams[0].series}
    assert held == {"x": [[2.0]], "y": [[3.0]]}
    end(fast)


def test_more_series_than_allowed(tmp_path: Path) -> None:
    """Open ticks are bounded as series are."""
    fast = fast_lane(tmp_path, gathering(max_series=2))
    feed(fast, [sample(f"plant/{name}", 1, 1.0) for name in "abc"])
    assert dict(fast.streams[0].counts.rejected) == {"series_limit": 1}
    end(fast)


def life(chance: random.Random, count: int) -> list[Message]:
    """Readings of three series, some of them late, doubled or missing, with totals that grow, and now and then fall."""
    messages, totals = [], dict.fromkeys("abc", 100.0)
    for i in range(count):
        name = chance.choice("abc")
        totals[name] = 0.0 if chance.random() < 0.01 else totals[name] + chance.randint(0, 9) / 7
        time = 1.3 * i - chance.choice([0, 0, 0, 4, 30])
        if chance.random() < 0.95:
            messages.append(sample(f"plant/{name}", 1000 + time, totals[name]))
        if chance.random() < 0.05 and messages:
            messages.append(messages[-1])
    return [replace(one, mid=i % 60_000 + 1) for i, one in enumerate(messages)]


@pytest.mark.parametrize(
    "changes",
    [
        {"aggregate": "mean"},
        {"aggregate": "count"},
        {"aggregate": None, "difference": True},
        {"aggregate": "max", "fill": "last", "max_gap": 4},
        {"aggregate": None, "difference": {"per": "hour"}, "interval": None},
    ],
)
def test_kills_within_ticks(changes: dict[str, Any], tmp_path: Path) -> None:
    """Killed fifty times within ticks, and told the last messages again, the daemon forecasts the same to the bit."""
    chance = random.Random(5)
    messages, config = life(chance, 1200), gathering(**changes)
    whole = fast_lane(tmp_path / "whole", config)
    expected = [out.payload for one in messages for out in process(whole, [one])]
    fast = fast_lane(tmp_path / "killed", config)
    kills, found, last = set(chance.sample(range(len(messages)), 50)), [], list[Message]()
    for i, one in enumerate(messages):
        found += [out.payload for out in process(fast, [one])]
        last = [*last[-4:], one]
        if i in kills:
            if chance.random() < 0.3:
                save(fast)
            end(fast)
            fast = resumed(tmp_path / "killed", config)
            found += [out.payload for out in process(fast, [replace(again, dup=True) for again in last])]
    assert found == expected
    assert fast.streams[0].gather is not None
    assert whole.streams[0].gather is not None
    assert fast.streams[0].gather.whole() == whole.streams[0].gather.whole()
    end(fast)
    end(whole)


def test_a_series_that_has_no_sample_yet(tmp_path: Path) -> None:
    """A start within the first tick of a series goes on with it."""
    fast = fast_lane(tmp_path, gathering())
    feed(fast, [sample("plant/a", 1, 1.0)])
    end(fast)
    fast = resumed(tmp_path, gathering())
    feed(fast, [sample("plant/a", 2, 5.0), sample("plant/a", 11, 0.0)])
    (series,) = fast.streams[0].series
    assert fast.journal.newest(series.ident, 9)[1].tolist() == [[3.0]]
    end(fast)


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    """What was gathered under other settings does not count."""
    fast = fast_lane(tmp_path, gathering())
    feed(fast, [sample("plant/a", 1, 1.0)])
    end(fast)
    fast = resumed(tmp_path, gathering(aggregate="sum"))
    feed(fast, [sample("plant/a", 2, 5.0), sample("plant/a", 11, 0.0)])
    (series,) = fast.streams[0].series
    assert fast.journal.newest(series.ident, 9)[1].tolist() == [[5.0]]
    end(fast)


def test_what_is_written_down_stays_small(tmp_path: Path) -> None:
    """However long it runs, the journal holds the whole and a bounded number of readings since then."""
    fast = fast_lane(tmp_path, gathering(interval=1e6))
    for at in range(0, 12_000, 400):
        process(fast, [sample("plant/a", at + i, 1.0) for i in range(400)])
    (rows,) = fast.journal.database.execute("SELECT count(*) FROM readings").fetchone()
    assert rows < 20
    end(fast)


def test_a_damaged_row(tmp_path: Path) -> None:
    """Readings that are not what was written are left out, told and counted."""
    fast = fast_lane(tmp_path, gathering())
    feed(fast, [sample("plant/a", 1, 1.0)])
    fast.journal.database.execute("UPDATE readings SET readings = x'5b5d'")
    end(fast)
    fast = resumed(tmp_path, gathering())
    assert fast.journal.damage.rows == {"readings": 1}
    end(fast)


def test_an_empty_batch_is_acknowledged_with_nothing(tmp_path: Path) -> None:
    """Readings alone are committed, so that their messages may be acknowledged."""
    fast = fast_lane(tmp_path, gathering())
    before = fast.journal.commits
    fast.process(MessageBatch([sample("plant/a", 1, 1.0)], 1))
    assert fast.journal.commits == before + 1
    end(fast)
