"""When a forecast crosses a threshold, what is said of it, and what is not said twice."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config import Stream
from streamer.ingest.grid import Series
from streamer.observe.thresholds import until
from streamer.publish.thresholds import Thresholds
from streamer.records import Crossings, Floats, ForecastBatch, TickBatch
from streamer.resume.fold import resumed as resume_async
from tests.streams import NOW, fast_lane, feed, read, resumed, sample, save, timed, untimed

FULL = {"name": "full", "above": 95.0}


def thresholds(*some: dict[str, Any], rows: int = 1, **changes: Any) -> Thresholds:
    made = Thresholds(untimed(thresholds=some, **changes))
    made.grow(rows)
    return made


def forecasts(x: Floats, mean: Floats, bounds: Floats | None = None) -> ForecastBatch:
    """Of newest values [b, d]: forecasts [b, h, d] and their bounds [b, Q, h, d]."""
    rows, at = np.arange(len(x)), np.zeros(len(x))
    ticks = TickBatch(rows, x, rows, at, at.astype(np.bool_), at)
    return ForecastBatch(ticks, mean[:, None], 0 * rows, at + 1.0, bounds=bounds)


def meet(met: Thresholds, x: list[float], *mean: list[float]) -> list[list[float | None]]:
    """Newest values, a series each, and their forecasts: news by series and threshold, None for nothing."""
    news = met.meet(forecasts(np.array(x)[:, None], np.array(mean)[:, :, None]))
    return [[None if math.isnan(one) else one for one in row] for row in news.lead.tolist()]


def test_nothing_countdown_cleared_nothing() -> None:
    """Of a threshold that no forecast crosses nothing is said; while one does, how far ahead with every forecast; when
    none does any more, that once; and so again."""
    met = thresholds(FULL)
    told = [meet(met, [x], [x + 10, x + 20]) for x in (70, 80, 90, 96, 60, 50, 85, 70)]
    assert told == [[[None]], [[1.5]], [[0.5]], [[0.0]], [[math.inf]], [[None]], [[1.0]], [[math.inf]]]


def band(x: float, spread: float) -> ForecastBatch:
    """A series at x, about to rise by 10 at each of two ticks, give or take the spread, and twice that."""
    mean = np.array([[[x + 10], [x + 20]]])
    width = np.array([[[spread], [2 * spread]]])
    return forecasts(np.array([[x]]), mean, np.stack([mean - width, mean + width], 1))


def test_doubt_of_a_crossing() -> None:
    """The upper bound is the first to cross, the lower one the last, or not within the horizon; the probability is that
    of the lead where it is greatest, and 1 where the newest value is beyond."""
    met = thresholds(FULL)
    news = met.meet(band(80.0, 5.0))
    assert [float(one[0, 0]) for one in (news.earliest, news.lead, news.latest)] == [1.0, 1.5, math.inf]
    assert news.probability == pytest.approx(0.1 + 0.8 * 15 / 20)
    assert met.meet(band(89.0, 5.0)).latest == pytest.approx(1 + 1 / 5)
    assert met.meet(band(96.0, 5.0)).probability == 1


def test_a_threshold_that_asks_for_a_probability() -> None:
    """It is silent until a crossing is as likely as it asks, speaks while it is, of one that the forecast itself does
    not cross as well, and takes it back once; the probability is known all the time."""
    told = []
    for at in (0.8, 0.3):
        met = thresholds({**FULL, "at": at})
        for x in (66.0, 74.0, 80.0, 86.0, 66.0, 60.0):
            news = met.meet(band(x, 5.0))
            silent = np.isnan(news.lead[0, 0])
            told.append(None if silent else (bool(news.crosses[0, 0]), float(news.lead[0, 0])))
            assert met.probability == news.probability
    assert told[:6] == [None, None, None, (True, 0.9), (False, math.inf), None]
    assert told[6:] == [None, (True, math.inf), (True, 1.5), (True, 0.9), (False, math.inf), None]


def test_an_announcement_of_an_earlier_version_is_taken_back() -> None:
    """Of a snapshot that knows leads alone, what was announced counts as such, and is taken back when it is over."""
    old, new = thresholds(FULL), thresholds(FULL)
    old.meet(band(80.0, 5.0))
    new.restore({"lead": old.labels()["lead"]}, {"lead": old.lead})
    assert new.said(np.zeros(1, np.int64)).crosses.all()
    assert new.meet(band(10.0, 5.0)).lead == math.inf


def test_series_and_thresholds_are_apart() -> None:
    """Each series has a word of its own on each threshold, and one that is not in the batch keeps its last."""
    met = thresholds(FULL, {"name": "empty", "below": 5.0}, rows=2)
    assert meet(met, [90.0, 10.0], [100.0], [0.0]) == [[0.5, None], [None, 0.5]]
    assert meet(met, [90.0], [80.0]) == [[math.inf, None]]
    np.testing.assert_array_equal(met.lead, [[math.inf, math.nan], [math.nan, 0.5]])


def test_an_element_of_several() -> None:
    """For d > 1 the element that a threshold names is looked at, and no other."""
    pair = {"format": "json", "value": ["a", "b"]}
    met = thresholds({"name": "second", "above": 1.0, "element": 1}, payload=pair)
    assert met.meet(forecasts(np.array([[9.0, 0.0]]), np.array([[[9.0, 0.0], [9.0, 2.0]]]))).lead == 1.5


def said(of: Stream, ahead: list[float], time: float, interval: float) -> list[tuple[str, dict[str, Any], int, bool]]:
    """The messages on one series, which has a label; bounds cross a tick before and two after the forecast."""
    at, no = np.array([time]), np.zeros(1, np.bool_)
    wave = TickBatch(np.zeros(1, np.int64), np.zeros((1, 1)), np.ones(1, np.int64), at, no, at)
    series = Series(0, 1, "plant/a", labels={"machine": "a"})
    lead = np.array([ahead])
    crossings = Crossings(lead, lead - 1, lead + 2, np.full(lead.shape, 0.7), np.isfinite(lead))
    batch = ForecastBatch(wave, np.zeros((1, 4, 6, 1)), np.zeros(1, np.int64), np.array([interval]), crossings)
    out = Thresholds(of).encode(batch, [series], ["forecast/plant/a"], [("memoryless", 7)])
    return [(one.topic, json.loads(one.payload), one.qos, one.retain) for one in out]


def test_messages() -> None:
    """A crossing has its seconds and its moment, one that is over has null for both; the latter is sent at QoS 1,
    whatever forecasts are, for nothing would put its loss right; what is not news is not sent."""
    some = [FULL, {"name": "empty", "below": 5}, {"name": "off", "above": 0.0}]
    about = {
        "series": "plant/a",
        "time": "2026-03-01T12:00:00.250Z",
        "model": "memoryless",
        "version": 7,
        "labels": {"machine": "a"},
    }
    full = {"threshold": "full", "above": 95.0, "seconds": 10800.0, "at": "2026-03-01T15:00:00.250Z"}
    empty = {"threshold": "empty", "below": 5.0, "seconds": None, "at": None}
    doubt = {"seconds_earliest": 7200.0, "seconds_latest": 18000.0, "probability": 0.7}
    for quantiles, extra in (([], {}), ([0.1, 0.9], doubt)):
        of = untimed(thresholds=some, publish={"quantiles": quantiles})
        assert said(of, [3.0, math.inf, math.nan], 1772366400.25, 3600.0) == [
            ("forecast/plant/a/threshold/full", {**about, **full, **extra}, 0, True),
            ("forecast/plant/a/threshold/empty", {**about, **empty, **dict.fromkeys(extra)}, 1, True),
        ]


def test_sent_as_forecasts_are() -> None:
    """A countdown has the QoS and the retain flag of the stream's forecasts."""
    of = untimed(thresholds=[FULL], publish={"qos": 1, "retain": False})
    assert [one[2:] for one in said(of, [1.0], 0.0, 1.0)] == [(1, False)]


@pytest.mark.parametrize("interval", [1e6, 1e300])
def test_a_moment_after_the_year_9999(interval: float) -> None:
    """A crossing too far away to be written as a date is dated to the last second that can be."""
    ((_, message, _, _),) = said(untimed(thresholds=[FULL]), [10.0], 253402300799.0, interval)
    assert message["seconds"] == 10 * interval
    assert message["at"] == "9999-12-31T23:59:59.000Z"


def ramp(fast: Any, ticks: range) -> list[dict[str, Any]]:
    """Messages that a series of the values t, one a second, causes."""
    return [out for t in ticks for out in feed(fast, [sample("plant/a", t, t)])]


RISING = {"forecasters": "auto", "thresholds": [{"name": "full", "above": 59.5}]}


def test_a_lane_counts_down(tmp_path: Path) -> None:
    """A steady rise is seen coming from a horizon away and counted down to 0, beside every forecast from then on, to
    the moment at which it happens."""
    fast = fast_lane(tmp_path, timed(**RISING))
    crossings = {out["time"]: out for out in ramp(fast, range(63)) if out["topic"].endswith("/threshold/full")}
    assert list(crossings) == [f"1970-01-01T00:{t // 60:02}:{t % 60:02}.000Z" for t in range(54, 63)]
    seconds = [one["seconds"] for one in crossings.values()]
    assert seconds == pytest.approx([5.5, 4.5, 3.5, 2.5, 1.5, 0.5, 0, 0, 0], abs=0.2)
    assert crossings["1970-01-01T00:00:55.000Z"]["at"].startswith("1970-01-01T00:00:59.5")
    fast.journal.close()


def test_many_series(tmp_path: Path) -> None:
    """However many series there are, each that crosses is announced on a topic of its own."""
    fast = fast_lane(tmp_path, timed(thresholds=[{"name": "hot", "above": 50.0}]))
    out = feed(fast, [sample(f"plant/{i}", t, 40.0 + i % 20) for t in range(2) for i in range(200)])
    hot = {one["topic"] for one in out if "threshold" in one}
    assert hot == {f"forecast/plant/{i}/threshold/hot" for i in range(200) if i % 20 >= 10}
    fast.journal.close()


@pytest.mark.parametrize(("first", "outage"), [(NOW, 20.0), (0.0, 20.0), (NOW, 7200.0)])
def test_without_an_interval_ticks_are_as_long_as_they_were(tmp_path: Path, first: float, outage: float) -> None:
    """Where the configuration has no interval, seconds are by the usual gap of the series, which its forecasts and the
    metric state as well, after a first sample of 1970 or an outage too."""
    slow = untimed(payload={"format": "json", "time": "time"}, max_ahead=None, **RISING)
    fast = fast_lane(tmp_path, slow)
    times = [first, *(NOW + 20.0 * t + (outage if t > 50 else 0.0) for t in range(1, 58))]
    out = [out for t in range(58) for out in feed(fast, [sample("plant/a", times[t], t)])]
    assert out[-1]["threshold"] == "full"
    assert out[-1]["seconds"] == pytest.approx(20 * 2.5, rel=0.03)
    assert out[-2]["interval"] == 20.0
    crossings = fast.streams[0].outlet.thresholds
    assert crossings
    assert until(fast.streams[0], crossings, 1)["lead"] == pytest.approx(out[-1]["seconds"])
    fast.journal.close()


@pytest.mark.parametrize(
    ("template", "topic"),
    [("forecast/{topic}", "forecast/a/threshold/full"), ("{topic}/soon", "a/soon/threshold/full")],
)
def test_own_crossings_are_no_input(tmp_path: Path, template: str, topic: str) -> None:
    """A filter that selects everything does not take announcements for samples, of a former threshold neither."""
    fast = fast_lane(tmp_path, timed(topics=["#"], thresholds=[FULL], publish={"topic": template}))
    feed(fast, [sample(topic, 0, 1.0), sample(topic.replace("full", "gone-2.5"), 0, 1.0), sample("a/soon/x", 0, 1.0)])
    assert fast.streams[0].counts.rejected == {"own_forecast": 2}
    assert [one.topic for one in fast.streams[0].series] == ["a/soon/x"]
    fast.journal.close()


def crossings(out: list[dict[str, Any]]) -> dict[str, float | None]:
    """Seconds by threshold."""
    return {one["threshold"]: one["seconds"] for one in out if "threshold" in one}


HOT = {"name": "hot", "above": 50.0}


@pytest.mark.parametrize("moment", ["before", "after", "never"])
def test_a_restart_knows_what_was_said(tmp_path: Path, moment: str) -> None:
    """With a snapshot from before or after a crossing was announced, or without one, a stream that is resumed says that
    it is over when it is, and once."""
    of = timed(thresholds=[HOT, {"name": "cold", "below": -50.0}])
    fast = fast_lane(tmp_path, of)
    feed(fast, [sample("plant/a", t, 0) for t in range(3)])
    if moment == "before":
        save(fast)
    assert crossings(feed(fast, [sample("plant/a", 3, 99)])) == {"hot": 0.0}
    if moment == "after":
        save(fast)
    fast.journal.close()
    again = resumed(tmp_path, of)
    assert crossings(feed(again, [sample("plant/a", 4, 0)])) == {"hot": None}
    assert crossings(feed(again, [sample("plant/a", 5, 0)])) == {}
    again.journal.close()


def test_a_changed_configuration_knows_what_was_said(tmp_path: Path) -> None:
    """A threshold that is moved, and one that others were put beside, keep their word: what they announced is taken
    back when it is over, and nothing is said of a new one that is not crossed."""
    fast = fast_lane(tmp_path, timed(thresholds=[HOT, {"name": "warm", "above": 20.0}]))
    feed(fast, [sample("plant/a", 0, 30), sample("plant/a", 1, 99)])
    save(fast)
    fast.journal.close()
    cold = {"name": "cold", "below": -50.0}
    again = resumed(tmp_path, timed(thresholds=[cold, {"name": "warm", "above": 70.0}, HOT]))
    assert crossings(feed(again, [sample("plant/a", 2, 60)])) == {"warm": None, "hot": 0.0}
    assert crossings(feed(again, [sample("plant/a", 3, 0)])) == {"hot": None}
    again.journal.close()


async def test_what_a_killed_daemon_may_not_have_said_is_said_again(tmp_path: Path) -> None:
    """Beside the newest forecasts since the snapshot a new daemon repeats where its series stand: crossing, or over;
    of what was never crossed it says nothing."""
    of = timed(thresholds=[HOT, {"name": "warm", "above": 20.0}, {"name": "cold", "below": -50.0}])
    fast = fast_lane(tmp_path, of)
    feed(fast, [sample("plant/a", t, 99) for t in range(3)])
    save(fast)
    (last,) = [out for out in feed(fast, [sample("plant/a", 3, 30)]) if out.get("threshold") == "hot"]
    fast.journal.close()
    again = fast_lane(tmp_path, of)
    (stream,) = again.streams
    forecasts = await resume_async(stream, again.known(stream, again.streams), again.journal)
    assert forecasts is not None
    out = [read(one) for one in stream.encode(forecasts, NOW)]
    assert crossings(out) == {"hot": None, "warm": 0.0}
    assert last in out
    again.journal.close()
