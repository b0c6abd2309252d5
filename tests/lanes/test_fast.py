"""The fast lane without a broker: messages in, forecasts out."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.config import Metrics
from streamer.errors import StateBlocked
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch
from streamer.store.journal import Journal
from streamer.store.samples import Limits, full
from streamer.stream.state import StreamState
from streamer.swap.promote import promote
from tests.streams import NOW, fast_lane, feed, message, process, read, resumed, sample, save, timed, untimed


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[FastLane]:
    made = fast_lane(tmp_path, timed())
    yield made
    made.journal.close()


def test_the_second_sample_gets_a_forecast(fast: FastLane) -> None:
    """A new series is forecast from its second sample on, by persistence, and the message says so."""
    assert feed(fast, [sample("plant/a", 10, 1.5)]) == []
    (forecast,) = feed(fast, [sample("plant/a", 11, 2.5)])
    bounds = forecast.pop("quantiles")
    assert {name: bound[0] for name, bound in bounds.items()} == pytest.approx({"0.1": 0.894, "0.9": 4.106}, rel=0.01)
    assert forecast == {
        "topic": "forecast/plant/a",
        "series": "plant/a",
        "time": "1970-01-01T00:00:11.000Z",
        "interval": 1.0,
        "model": "mix",
        "version": 0,
        "mean": [2.5] * 6,
    }


def test_two_samples_of_a_series_in_one_batch_are_both_forecast(fast: FastLane) -> None:
    """A batch may hold many samples of one series: each is stepped and forecast, in order."""
    forecasts = feed(
        fast, [sample("plant/a", t, t) for t in range(5)] + [sample("plant/b", 0, 7), sample("plant/b", 1, 8)]
    )
    assert [f["mean"][0] for f in forecasts if f["series"] == "plant/a"] == [1, 2, 3, 4]
    assert [f["mean"][0] for f in forecasts if f["series"] == "plant/b"] == [8]


def test_late_and_duplicate_samples_are_counted_and_change_nothing(fast: FastLane) -> None:
    """Neither a sample of the past nor a second one of a tick is forecast or journaled."""
    feed(fast, [sample("plant/a", t, t) for t in (0, 1, 5)])
    assert feed(fast, [sample("plant/a", 4, 9), sample("plant/a", 5, 9), sample("plant/a", 5.3, 9)]) == []
    (stream,) = fast.streams
    assert stream.counts.rejected == {"late": 1, "duplicate": 2}
    ticks, values = fast.journal.newest(1, 10, 99)
    assert ticks.tolist() == [0, 1, 5]
    assert values.ravel().tolist() == [0, 1, 5]
    assert stream.counts.bridged == 3


def test_every_message_is_a_tick_without_an_interval(tmp_path: Path) -> None:
    """With `interval: null` times may be anything that grows; the message tells the median of their gaps so far."""
    fast = fast_lane(tmp_path, untimed(interval=None))
    forecasts = feed(fast, [message("plant/a", b"1", NOW + t) for t in (0, 3, 4, 5, 105)])
    assert [f["interval"] for f in forecasts] == [3.0, 1.0, 1.0, 1.0]
    fast.journal.close()


def test_vectors_are_forecast_as_vectors(tmp_path: Path) -> None:
    """With d > 1 the mean is a list of k·p lists."""
    fast = fast_lane(tmp_path, untimed(payload={"format": "array", "d": 2}))
    (forecast,) = feed(fast, [message("plant/a", b"[1,2]"), message("plant/a", b"[3,4.5]", NOW + 1)])
    assert forecast["mean"] == [[3, 4.5]] * 6
    fast.journal.close()


def test_a_forecast_is_not_forecast_again(tmp_path: Path) -> None:
    """A filter that also selects the daemon's own output does not feed it back."""
    fast = fast_lane(tmp_path, untimed(topics=["#"]))
    feed(fast, [message("forecast/plant/a", b"1"), message("plant/a", b"1")])
    (stream,) = fast.streams
    assert [series.topic for series in stream.series] == ["plant/a"]
    assert stream.counts.rejected == {"own_forecast": 1}
    fast.journal.close()


def test_series_beyond_the_cap_are_refused(tmp_path: Path) -> None:
    """`max_series` bounds memory: messages of further topics are counted, the known ones go on."""
    fast = fast_lane(tmp_path, untimed(max_series=2))
    feed(fast, [message(f"plant/{i}", b"1") for i in range(5)])
    assert len(feed(fast, [message(f"plant/{i}", b"1", NOW + 1) for i in range(5)])) == 2
    assert fast.streams[0].counts.rejected == {"series_limit": 6}
    fast.journal.close()


def test_old_retained_messages_without_a_time_are_refused(tmp_path: Path) -> None:
    """A retained message is of unknown age: without a time of its own it is no sample of now."""
    fast = fast_lane(tmp_path, untimed())
    feed(fast, [message("plant/a", b"1", retain=True)])
    assert fast.streams[0].counts.rejected == {"retained": 1}
    fast.journal.close()


def test_times_ahead_of_the_clock_are_refused(fast: FastLane) -> None:
    """One sample from a sensor whose clock is years ahead does not make all later ones late."""
    feed(fast, [sample("plant/a", NOW + 90_000, 1), sample("plant/a", NOW, 1), sample("plant/a", NOW + 1, 1)])
    assert fast.streams[0].counts.rejected == {"future": 1}
    assert fast.streams[0].counts.samples == 2


def test_large_payloads_are_refused_unread(fast: FastLane) -> None:
    """A payload over mqtt.max_payload is counted, whatever is in it."""
    feed(fast, [message("plant/a", b" " * 70_000 + b'{"time": 1, "value": 1}')])
    assert fast.streams[0].counts.rejected == {"too_large": 1}


def test_what_is_no_sample_is_told_again_now_and_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rejection is told for each topic and reason once, and then now and then for all topics of the stream; so are
    messages on topics of no stream."""
    clock = iter([0.0, 1.0, 2.0, 3.0, 70.0, 71.0])
    fast = FastLane([StreamState(untimed(), Metrics())], Journal.open(tmp_path), 65536, lambda: next(clock))
    for topic in ("plant/a", "plant/a", "plant/b", "else", "plant/a", "else"):
        fast.accept_message(message(topic, b"junk"))
    lines = [line.split(": ")[0] + line[line.find(" (") :] * line.endswith(" s)") for line in caplog.messages]
    assert lines == [
        "rejected stream=plant topic='plant/a' reason=syntax",
        "rejected stream=plant topic='plant/b' reason=syntax",
        "left topic='else'",
        "rejected stream=plant topic='plant/a' reason=syntax (3 more in 70 s)",
        "left topic='else' (1 more in 68 s)",
    ]
    fast.journal.close()


def test_the_first_stream_that_matches_gets_the_topic(tmp_path: Path) -> None:
    """Streams are asked in the order of the file."""
    fast = fast_lane(tmp_path, untimed(topics=["plant/a"], name="one"), untimed(topics=["plant/+"], name="rest"))
    feed(fast, [message("plant/a", b"1"), message("plant/b", b"1"), message("elsewhere", b"1")])
    assert [[series.topic for series in stream.series] for stream in fast.streams] == [["plant/a"], ["plant/b"]]
    assert fast.unrouted == 1
    fast.journal.close()


def test_publishing_every_nth_tick(tmp_path: Path) -> None:
    """`publish.every: 3` forecasts at every third tick only."""
    fast = fast_lane(tmp_path, timed(publish={"every": 3, "topic": "f/{stream}/{topic}"}))
    forecasts = feed(fast, [sample("plant/a", t, t) for t in range(10)])
    assert [f["mean"][0] for f in forecasts] == [3, 6, 9]
    assert forecasts[0]["topic"] == "f/plant/plant/a"
    fast.journal.close()


def test_the_buffer_is_trimmed_to_its_window(tmp_path: Path) -> None:
    """The journal keeps `retrain.window` ticks of each series, and what is not settled yet or shares a chunk."""
    fast = fast_lane(tmp_path, timed(), limits=Limits(settle=64))
    for begin in range(0, 1000, 10):
        save(fast)
        feed(fast, [sample("plant/a", t, t) for t in range(begin, begin + 10)])
    ticks, _ = fast.journal.newest(1, 10_000, 10_000)
    assert [ident for ident, _ in fast.retention.surplus(10_000)] == [1]
    assert ticks[-1] == 999
    assert 200 <= len(ticks) <= 200 + 2 * 64 + full(24)
    fast.journal.close()


def test_a_restarted_lane_goes_on_where_it_was(tmp_path: Path) -> None:
    """Known series keep their grid: what was journaled before is a duplicate after, the next tick is the next."""
    fast = fast_lane(tmp_path, timed())
    feed(fast, [sample("plant/a", 100 + t, t) for t in range(5)])
    fast.journal.close()
    again = resumed(tmp_path, timed())
    (forecast,) = feed(again, [sample("plant/a", 104, 4), sample("plant/a", 105, 5)])
    assert forecast["time"] == "1970-01-01T00:01:45.000Z"
    assert again.streams[0].counts.rejected == {"duplicate": 1}
    assert again.streams[0].series[0].held == 6
    again.journal.close()


def test_a_restart_with_other_topics_forgets_what_they_do_not_select(tmp_path: Path) -> None:
    """Series that today's filters do not select, or give to another stream, are not sampled by yesterday's."""
    fast = fast_lane(tmp_path, untimed(topics=["#"]))
    feed(fast, [message("plant/a", b"1"), message("other/a", b"1")])
    fast.journal.close()
    again = resumed(tmp_path, untimed(topics=["other/#"], name="first"), untimed(topics=["plant/#"]))
    feed(again, [message("plant/a", b"1", NOW + 1), message("other/a", b"1", NOW + 1), message("x", b"1", NOW + 1)])
    assert [[series.topic for series in stream.series] for stream in again.streams] == [["other/a"], ["plant/a"]]
    assert [stream.series[0].tick for stream in again.streams] == [0, 1]
    assert again.unrouted == 1
    again.journal.close()


def test_a_dead_series_does_not_hold_up_training(tmp_path: Path) -> None:
    """A training is due when any series has grown enough, whichever has lived longest."""
    fast = fast_lane(tmp_path, timed(retrain={"minimum": 30, "every": 20, "window": 200}))
    (stream,) = fast.streams
    first = fast.process(MessageBatch([sample("plant/old", t, t) for t in range(100)], 1))
    assert first.due == [stream]
    assert not stream.training_due()
    stream.conclude({}, 1)
    dues = []
    for i in range(1, 61):
        if fast.process(MessageBatch([sample("plant/new", 99 + i, i)], 1)).due:
            dues.append(i)
            stream.conclude({}, 1 + len(dues))
    assert dues == [20, 40, 60]
    fast.journal.close()


async def test_errors_that_grow_make_a_training_due_early(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a training, errors five times as large make the next one due before `every`, not before a quarter of it,
    at the same tick in a stream that was killed and resumed; log and counter tell the cause."""
    config = timed(retrain={"minimum": 30, "every": 4000, "window": 200}, max_ahead=None)
    fast = fast_lane(tmp_path / "whole", config)
    rng = np.random.default_rng(0)
    sizes = np.where(np.arange(2000) < 600, 1.0, 5.0)
    messages = [sample("plant/a", t, x) for t, x in enumerate((rng.normal(size=2000) * sizes).tolist())]
    assert fast.process(MessageBatch(messages[:30], 1)).due
    await promote(fast.streams[0], [], fast.journal, fast.lock, NOW)
    assert not fast.process(MessageBatch(messages[30:700], 1)).due
    save(fast)
    assert not fast.process(MessageBatch(messages[700:1025], 1)).due
    assert fast.streams[0].schedule.drift.series == 1
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    again = resumed(tmp_path / "killed", config)
    for one in (fast, again):
        caplog.clear()
        with caplog.at_level("INFO"):
            due = [bool(one.process(MessageBatch([each], 1)).due) for each in messages[1025:1200]]
        assert [1025 + i for i, is_due in enumerate(due) if is_due] == [1029]
        assert "training due stream=plant cause=drift" in caplog.text
        assert one.streams[0].counts.trainings.dues["drift"] == 1
        one.journal.close()


def test_bridged_ticks_are_no_reason_to_train(tmp_path: Path) -> None:
    """Eleven messages 101 ticks apart are eleven samples of growth, not a thousand, also after a resume; from the
    journal alone, too."""
    config = timed(retrain={"minimum": 30, "every": 200, "window": 200}, max_ahead=None)
    fast = fast_lane(tmp_path, config)
    for some in (range(6), range(6, 11)):  # a batch bridges 500 ticks of a series at most
        feed(fast, [sample("plant/a", 101 * i, i) for i in some])
    assert fast.streams[0].counts.bridged == 1000
    fast.journal.close()
    again = resumed(tmp_path, config)
    for each in (fast, again):
        assert (each.streams[0].schedule.growth, each.streams[0].training_due()) == (11, None)
    again.journal.close()


def test_one_message_is_worked_off_in_pieces(tmp_path: Path) -> None:
    """A message after a silence of a hundred ticks of 600 series is taken in by pieces of at most 512 ticks, with the
    forecasts that come of it in the same order; until the last one no snapshot can be taken."""
    config = timed(fill="last", retrain={"every": 0}, max_ahead=None, forecasters=["persistence"])
    fast, other = fast_lane(tmp_path / "a", config), fast_lane(tmp_path / "b", config)
    first = [sample(f"plant/{i}", 0, i) for i in range(600)]
    for one in (fast, other):
        one.process(MessageBatch(first, 1))
        one.accept(MessageBatch([sample("plant/0", 101, 7)], 1))
    assert sum(len(some) for some in fast.streams[0].ticks.waiting.values()) == 601
    fast.write()
    out, sizes = [], []
    for piece in fast.pieces():
        with pytest.raises(AssertionError, match="stand at samples"):
            fast.snapshots()
        out += piece
        sizes.append(len(piece))
    assert max(sizes) <= 512
    assert fast.streams[0].counts.filled == 60_000
    assert out == other.finish().forecasts
    fast.snapshots()
    fast.journal.close()
    other.journal.close()


def test_a_sample_of_1970_and_one_of_today_are_no_reason_to_train(tmp_path: Path) -> None:
    """Ticks of a gap too long to bridge do not count as grown."""
    fast = fast_lane(tmp_path, timed(max_gap=5))
    feed(fast, [sample("plant/a", 3, 1), sample("plant/a", NOW, 1)])
    assert not fast.streams[0].training_due()
    fast.journal.close()


def test_a_bad_time_makes_no_series(fast: FastLane) -> None:
    """What is rejected before it is a sample takes no place of a series."""
    feed(fast, [sample("plant/a", -5, 1), sample("plant/b", 1e300, 1)])
    assert fast.streams[0].counts.rejected == {"time": 2}
    assert not fast.streams[0].series


def test_a_clock_set_back_loses_no_message_where_every_one_is_a_tick(tmp_path: Path) -> None:
    """Without a time of its own and without an interval, a message is the next tick whatever the clock says."""
    fast = fast_lane(tmp_path, untimed())
    feed(fast, [message("plant/a", b"1", NOW + t) for t in (0, 1, -3600, -3600, 2)])
    assert fast.streams[0].counts.samples == 5
    fast.journal.close()


def test_the_journal_keeps_what_the_older_snapshot_needs(tmp_path: Path) -> None:
    """However small the window, samples after the older of two snapshots stay, and all while there is but one."""
    fast = fast_lane(tmp_path, timed(), limits=Limits(settle=64))
    save(fast)
    feed(fast, [sample("plant/a", t, t) for t in range(1000)])
    feed(fast, [sample("plant/a", 1000, 0)])
    assert fast.journal.newest(1, 10_000)[0][0] == 0
    save(fast)
    feed(fast, [sample("plant/a", t, t) for t in range(1001, 2000)])
    assert fast.journal.newest(1, 10_000)[0][0] == 0
    save(fast)
    feed(fast, [sample("plant/a", t, t) for t in range(2000, 2300)])
    assert 1001 - full(24) < fast.journal.newest(1, 10_000)[0][0] <= 1001
    fast.journal.close()


def delivered(payload: bytes, mid: int, *, dup: bool = False, topic: str = "plant/a") -> Message:
    return replace(message(topic, payload), mid=mid, dup=dup)


def heard(fast: FastLane, *messages: Message, session: int = 0) -> list[float]:
    """The first value of each forecast that a batch causes."""
    return [read(out)["mean"][0] for out in process(fast, messages, session)]


def test_a_message_without_a_time_that_comes_again_is_no_sample(tmp_path: Path) -> None:
    """The broker repeats what it got no acknowledgement of: with dup, the same packet identifier, topic and payload it
    is the same sample, whatever came in between; with any of them different it is another."""
    fast = fast_lane(tmp_path, untimed())
    heard(fast, delivered(b"1", 7), delivered(b"2", 8), delivered(b"2", 9))
    assert heard(fast, delivered(b"1", 7, dup=True), delivered(b"2", 8, dup=True)) == []
    assert heard(fast, delivered(b"2", 9, dup=True)) == []
    (stream,) = fast.streams
    assert stream.counts.rejected == {"redelivered": 3}
    assert heard(fast, delivered(b"2", 10, dup=True), delivered(b"3", 7, dup=True), delivered(b"2", 8)) == [2, 3, 2]
    heard(fast, delivered(b"3", 7, dup=True, topic="plant/b"))
    assert stream.counts.samples == 7
    assert fast.journal.newest(1, 99)[1].ravel().tolist() == [1, 2, 2, 2, 3, 2]
    fast.journal.close()


def test_what_comes_again_after_a_restart_is_no_sample_either(tmp_path: Path) -> None:
    """Packet identifiers are journaled with their samples; a new session on the broker counts them anew."""
    fast = fast_lane(tmp_path, untimed())
    heard(fast, delivered(b"1", 7), delivered(b"2", 8))
    fast.journal.close()
    fast = resumed(tmp_path, untimed())
    assert heard(fast, delivered(b"2", 8, dup=True), delivered(b"2", 9, dup=True)) == [2]
    assert fast.streams[0].counts.rejected == {"redelivered": 1}
    fast.journal.close()
    for session, repeated in ((1, False), (0, True)):  # what a session began with is all that the next start knows
        fast = resumed(tmp_path, untimed())
        heard(fast, delivered(b"2", 8, dup=True), session=session)
        assert fast.streams[0].counts.rejected == ({"redelivered": 1} if repeated else {})
        fast.journal.close()
    fast = resumed(tmp_path, untimed())
    assert heard(fast, delivered(b"2", 9, dup=True)) == [2]
    fast.journal.close()


def test_an_identifier_that_has_gone_round_means_another_message(tmp_path: Path) -> None:
    """A constant sensor sends the same under each identifier again and again: only what is half a round old or younger
    can be taken for its repetition."""
    fast = fast_lane(tmp_path, untimed())
    heard(fast, delivered(b"1", 7))
    heard(fast, delivered(b"1", 7 + 2**15))
    assert heard(fast, delivered(b"1", 7, dup=True)) == [1]
    assert fast.streams[0].counts.rejected == {}
    fast.journal.close()


def test_a_message_with_a_time_of_its_own_needs_no_identifier(fast: FastLane) -> None:
    """Its time tells that it came before, on whatever session."""
    one = sample("plant/a", 10, 1)
    feed(fast, [one])
    assert feed(fast, [replace(one, dup=True), replace(one, mid=9)]) == []
    assert fast.streams[0].counts.rejected == {"duplicate": 2}


def test_a_blocked_journal_gets_the_same_batch_later(tmp_path: Path) -> None:
    """A commit that fails leaves the batch as it is: nothing of it is journaled, and the next attempt writes it all,
    once, new series under the ids they have."""
    fast = fast_lane(tmp_path, untimed())
    heard(fast, message("plant/a", b"0"), session=1)
    batch = [delivered(b"1", 7), delivered(b"2", 8, topic="plant/b"), delivered(b"3", 9, topic="plant/b")]
    fast.accept(MessageBatch(batch, 1, 2))
    with closing(sqlite3.connect(fast.journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        fast.journal.database.execute("PRAGMA busy_timeout = 0")
        for _ in range(2):
            with pytest.raises(StateBlocked, match="locked"):
                fast.finish()
            assert fast.blocked
        with pytest.raises(AssertionError, match="the journal may not have"):
            fast.snapshots()
        other.execute("ROLLBACK")
    assert len(fast.journal.newest(1, 9)[0]) == 1
    assert [read(out)["mean"][0] for out in fast.finish().forecasts] == [1, 3]
    assert (fast.blocked, fast.open) == (False, None)
    assert fast.journal.newest(2, 9)[1].ravel().tolist() == [2, 3]
    heard(fast, message("plant/c", b"4"), session=2)
    rows = fast.journal.series(fast.streams[0].source)
    assert [(row.ident, row.topic, row.tick) for row in rows] == [
        (1, "plant/a", 1),
        (2, "plant/b", 1),
        (3, "plant/c", 0),
    ]
    assert sorted(fast.journal.deliveries()) == [1, 7, 8, 9]
    fast.journal.close()


def test_a_batch_without_samples_writes_nothing(fast: FastLane) -> None:
    """Rejections alone are no reason to write to the disk."""
    changes = fast.journal.database.total_changes
    feed(fast, [message("plant/a", b"junk"), message("elsewhere", b"1")])
    assert fast.journal.database.total_changes == changes
    assert fast.journal.committed == 0


def test_the_doubled_hour(tmp_path: Path) -> None:
    """In the night that summer time ends, local times between two and three count twice, in their order."""
    payload = {"format": "json", "time": "time", "timezone": "Europe/Berlin"}
    local = fast_lane(tmp_path / "local", untimed(payload=payload, interval=900.0))
    clock = ["01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"]
    for i, one in enumerate(clock):
        text = json.dumps({"time": f"2026-10-25T{one}:00", "value": i}).encode()
        feed(local, [message("plant/a", text, NOW)])
    (series,) = local.streams[0].series
    assert not local.streams[0].counts.rejected
    assert local.journal.newest(series.ident, 20)[0].tolist() == list(range(10))
    local.journal.close()


junk = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "time", "x"]), inner),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda time, value: json.dumps({"time": time, "value": value}).encode(),
        st.floats() | st.text(max_size=8) | st.sampled_from([-1, 0, 1e300, "2026-01-01T00:00:00Z"]),
        st.floats() | st.integers() | st.none() | st.just([1]),
    ),
)
topics = st.one_of(
    st.text(st.characters(exclude_characters="+#\0", codec="utf-8"), min_size=1, max_size=12),
    st.sampled_from(["plant/x", "plant//", "forecast/plant/a"]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(topics, junk), max_size=8), min_size=3, max_size=12))
def test_nothing_on_the_wire_disturbs_the_good_series(tmp_path: Path, batches: list[list[tuple[str, bytes]]]) -> None:
    """Any topics and payloads are samples, ignored or rejected, with a count; a good series beside them is as ever."""
    directory = tmp_path / str(np.random.default_rng().integers(2**60))
    noisy = fast_lane(directory / "noisy", timed(topics=["good", "#"]))
    alone = fast_lane(directory / "alone", timed(topics=["good"]))
    sent = 0
    for t, batch in enumerate(batches):
        good = sample("good", t, np.sin(t))
        among = [message(f"plant/{topic}" if i % 2 else topic, payload) for i, (topic, payload) in enumerate(batch)]
        among = [one for one in among if one.topic != "good"]
        sent += len(among) + 1
        heard = feed(noisy, [*among[::2], good, *among[1::2]])
        assert [one for one in heard if one["series"] == "good"] == feed(alone, [good])
    (stream,) = noisy.streams
    counts = stream.counts
    assert counts.samples + counts.rejected.total() + counts.ignored + noisy.unrouted == sent
    noisy.journal.close()
    alone.journal.close()
