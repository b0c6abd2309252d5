"""Covariates from their messages to forecasts: whose they are, when they count, what is left of them after a stop."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.config import Stream
from streamer.ingest import covariates
from streamer.ingest.outlook import outlook_of, recalled
from streamer.lanes.fast import FastLane
from streamer.records import Floats, Message
from streamer.store.covariates import by_series, read
from streamer.swap.promote import promote
from tests.resume.streams import candidates
from tests.streams import fast_lane, message, process, resumed, sample, save, timed

WEATHER = {"name": "outdoor", "topics": ["weather/{site}"], "payload": {"format": "json", "each": "*", "time": "time"}}
TARIFF = {
    "name": "tariff",
    "topics": ["tariff"],
    "payload": {"format": "json", "value": "hourly.price", "time": "hourly.time"},
    "between": "step",
}
NOW_OUTSIDE = {"name": "sun", "topics": ["sun/+"], "payload": {"format": "number"}, "kind": "observed", "max_age": 5}


def stream(*covariates: dict[str, Any], **fields: Any) -> Stream:
    """Series `plant/SITE/NAME`, one tick a second, with everything that forecasts."""
    fields = {"season": 5, "retrain": {"every": 0, "minimum": 30, "window": 200}, **fields}
    return timed(topics=["plant/{site}/+"], forecasters="auto", covariates=covariates, **fields)


def weather(site: str, points: Sequence[tuple[float, float]]) -> Message:
    return message(f"weather/{site}", json.dumps([{"time": t, "value": v} for t, v in points]).encode())


def outlook(fast: FastLane, row: int = 0) -> Floats:
    """What the first stream knows of its covariates at the tick that a series stands at, [C, 1 + h]."""
    made = fast.streams[0].standing(np.array([row])).u
    assert made is not None
    found: Floats = made[0].astype(np.float64)
    return found


def test_a_message_is_for_the_series_with_its_labels(tmp_path: Path) -> None:
    """A topic with a label is for the series with the same one; between two times values are on a straight line."""
    fast = fast_lane(tmp_path, stream(WEATHER))
    process(fast, [sample("plant/berlin/a", 10, 1.0), sample("plant/kiel/a", 10, 1.0)])
    process(fast, [weather("berlin", [(10, 4), (14, 8)]), weather("kiel", [(11, 20)])])
    np.testing.assert_array_equal(outlook(fast, 0), [[4, 5, 6, 7, 8, np.nan, np.nan]])
    np.testing.assert_array_equal(outlook(fast, 1), [[np.nan, 20, np.nan, np.nan, np.nan, np.nan, np.nan]])
    fast.journal.close()


def test_two_lists_are_values_and_their_times(tmp_path: Path) -> None:
    """Where value and time are lists they belong together, and a step lasts until the next one begins."""
    fast = fast_lane(tmp_path, stream(TARIFF))
    process(fast, [sample("plant/berlin/a", 10, 1.0)])
    prices = {"hourly": {"time": [10, 13, 16], "price": [0.25, None, 0.5]}}
    process(fast, [message("tariff", json.dumps(prices).encode())])
    np.testing.assert_array_equal(outlook(fast), [[0.25] * 6 + [0.5]])
    fast.journal.close()


def test_values_one_by_one_are_put_together(tmp_path: Path) -> None:
    """Single values with times to come are as good as an array of them."""
    one = {**WEATHER, "payload": {"format": "json", "time": "time"}}
    fast = fast_lane(tmp_path, stream(one))
    process(fast, [sample("plant/berlin/a", 10, 1.0)])
    process(fast, [sample("weather/berlin", t, v) for t, v in ((14, 8), (10, 4), (16, 0))])
    np.testing.assert_array_equal(outlook(fast), [[4, 5, 6, 7, 8, 4, 0]])
    fast.journal.close()


def test_an_observed_value_holds_while_it_is_young(tmp_path: Path) -> None:
    """A present value counts at the ticks after it until it is `max_age` old; of ticks to come it says nothing."""
    fast = fast_lane(tmp_path, stream(NOW_OUTSIDE))
    process(fast, [sample("plant/berlin/a", 10, 1.0), message("sun/here", b"7"), sample("plant/berlin/a", 11, 1.0)])
    np.testing.assert_array_equal(outlook(fast), [[7, *[np.nan] * 6]])
    process(fast, [sample("plant/berlin/a", t, 1.0) for t in range(12, 16)])
    assert outlook(fast)[0, 0] == 7
    process(fast, [sample("plant/berlin/a", 16, 1.0)])
    assert np.isnan(outlook(fast)).all()
    assert fast.streams[0].ticks.outlook is not None
    assert fast.streams[0].ticks.outlook.missing.tolist() == [1]
    fast.journal.close()


def test_a_new_series_is_told_what_came_before_it(tmp_path: Path) -> None:
    """A retained weather forecast comes before the first sample of a series, and counts for it all the same."""
    fast = fast_lane(tmp_path, stream(WEATHER))
    process(fast, [weather("berlin", [(10, 4), (18, 12)])])
    process(fast, [sample("plant/berlin/a", 12, 1.0)])
    np.testing.assert_array_equal(outlook(fast), [[6, 7, 8, 9, 10, 11, 12]])
    fast.journal.close()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"junk", "syntax"),
        (b'[{"time": 1e12, "value": 1}]', None),
        (b'[{"time": -5, "value": 1}]', "time"),
        (b'[{"time": 10}]', "path"),
        (b'[{"time": 10, "value": "warm"}]', "type"),
        (b'{"time": 10, "value": 1}', "path"),
        (b"[" + b",".join(b'{"time": %d, "value": 1}' % t for t in range(2001)) + b"]", "too_large"),
        (b"[]", None),
    ],
)
def test_what_says_nothing_is_rejected_by_name(tmp_path: Path, payload: bytes, reason: str | None) -> None:
    """Bad input is counted under its reason, says nothing to any series, and is not journaled."""
    fast = fast_lane(tmp_path, stream(WEATHER))
    process(fast, [sample("plant/berlin/a", 10, 1.0), message("weather/berlin", payload)])
    assert fast.streams[0].counts.rejected == ({} if reason is None else {reason: 1})
    assert np.isnan(outlook(fast)).all()
    assert fast.unrouted == 0
    fast.journal.close()


def history(rng: np.random.Generator, ticks: int, fill: bool = False) -> list[list[Message]]:
    """Batches of samples of four series at two sites, some late or missing, and of all kinds of covariates."""
    batches, level = list[list[Message]](), rng.normal(size=ticks + 40).cumsum()
    for t in range(ticks):
        some = [
            sample(f"plant/{site}/{i}", t + rng.uniform(-0.3, 0.3), level[t] + rng.normal() / 5)
            for site in ("berlin", "kiel")
            for i in range(2)
            if rng.random() > (0.6 if fill else 0.1) and (i == 0 or t > 20)
        ]
        if rng.random() < 0.3:
            said = [(t + j, level[t + j] + rng.normal() / 9) for j in range(0, 12, 2)]
            some.insert(rng.integers(len(some) + 1), weather(str(rng.choice(["berlin", "kiel"])), said))
        if rng.random() < 0.2:
            prices = {"hourly": {"time": [t - 1, t + 4, t + 9], "price": rng.normal(size=3).tolist()}}
            some.insert(rng.integers(len(some) + 1), message("tariff", json.dumps(prices).encode()))
        if rng.random() < 0.4:
            some.insert(rng.integers(len(some) + 1), message("sun/x", b"%.3f" % rng.normal()))
        batches.append(some)
    return batches


def run(fast: FastLane, batches: Sequence[Sequence[Message]]) -> list[bytes]:
    return [out.payload for some in batches for out in process(fast, some)]


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("saved_at", [None, 37])
@pytest.mark.parametrize("seed", range(3))
def test_after_a_crash_it_goes_on_to_the_last_bit(tmp_path: Path, seed: int, saved_at: int | None, fill: bool) -> None:
    """Samples and what was told of covariates, run through again in their order, give the state of before a crash:
    forecasts of networks and of all others are those of a daemon that never stopped."""
    rng = np.random.default_rng(seed)
    config = stream(WEATHER, TARIFF, NOW_OUTSIDE, **({"fill": "last", "max_gap": 8} if fill else {}))
    batches = history(rng, 90, fill)
    whole, parts = fast_lane(tmp_path / "whole", config), fast_lane(tmp_path / "parts", config)
    for at, some in enumerate(batches[:60]):
        assert run(whole, [some]) == run(parts, [some])
        if at == 45:
            for fast in (whole, parts):
                admitted = [one for one in candidates(fast.streams[0], 8) if one.weights]
                asyncio.run(promote(fast.streams[0], admitted, fast.journal, fast.lock, 0.0))
        if at == saved_at:
            save(parts)
        if at == 2:
            save(parts)
    parts.journal.close()
    again = resumed(tmp_path / "parts", config)
    assert whole.streams[0].panel.networks.keys() == again.streams[0].panel.networks.keys() != set()
    for some in batches[60:]:
        assert run(again, [some]) == run(whole, [some])
    whole.journal.close()
    again.journal.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(origin=st.integers(12, 40), seed=st.integers(0, 50))
def test_a_later_revision_never_leaks_back(tmp_path_factory: pytest.TempPathFactory, origin: int, seed: int) -> None:
    """What is said of covariates after a forecast changes neither that forecast nor any before it, to the last bit, and
    nor does it what a training, or a run through the journal, sees to have been known at those ticks."""
    config = stream(WEATHER, TARIFF, NOW_OUTSIDE)
    batches = history(np.random.default_rng(seed), origin + 1)
    revision = [
        *(weather(site, [(t, 1e3) for t in range(origin - 5, origin + 12)]) for site in ("berlin", "kiel")),
        message("tariff", json.dumps({"hourly": {"time": [0, origin + 3], "price": [1e3, 1e3]}}).encode()),
        message("sun/x", b"1e3"),
    ]
    found = []
    for later in ([], [revision]):
        directory = tmp_path_factory.mktemp("leak")
        fast = fast_lane(directory, config)
        said = run(fast, batches)
        run(fast, later)
        told = by_series(fast.journal, "plant", [one.name for one in config.covariates], dict.fromkeys(range(9), 0))
        known, coming = {}, {}
        for one in fast.streams[0].series:
            made = outlook_of(config)
            assert made is not None
            seen = recalled(made, told[one.ident], np.arange(one.tick + 4))
            known[one.name], coming[one.name] = seen[: one.tick + 1].tobytes(), seen[one.tick + 1 :].tobytes()
        fast.journal.close()
        found.append((said, known, coming))
    (said, known, coming), (said_too, known_too, coming_too) = found
    assert said == said_too
    assert known == known_too
    assert coming != coming_too, "what was planted is seen from the next tick on"


def test_the_journal_keeps_the_newest_of_each_topic(tmp_path: Path) -> None:
    """Of each topic as many messages stay as `retrain.window` has ticks, once two snapshots hold the older ones."""
    config = stream(WEATHER, retrain={"every": 0, "minimum": 30, "window": 40})
    fast = fast_lane(tmp_path, config)
    for t in range(60):
        process(fast, [sample("plant/berlin/a", t, 1.0), weather("berlin", [(t, 1.0)]), weather("kiel", [(t, 1.0)])])
    assert len(list(read(fast.journal, "plant"))) == 120
    save(fast)
    save(fast)
    process(fast, [weather("berlin", [(61, 1.0)])])
    kept = [row.topic for row in read(fast.journal, "plant")]
    assert (kept.count("weather/berlin"), kept.count("weather/kiel")) == (40, 60)
    fast.journal.close()


def test_topics_of_several_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal with messages on more topics than are remembered at once, as several configurations had them, is gone
    on from; only further topics are rejected."""
    monkeypatch.setattr(covariates, "MOST_TOPICS", 2)
    for topics in (["sun/+"], ["moon/+"], ["sun/+", "moon/+"]):
        fast = resumed(tmp_path, stream({**NOW_OUTSIDE, "topics": topics}))
        kind = topics[-1][:-1]
        process(fast, [sample("plant/berlin/a", 10 + len(kind), 1.0), *(message(f"{kind}{i}", b"7") for i in range(3))])
        save(fast)
        assert fast.streams[0].counts.rejected["series_limit"] == (3 if len(topics) > 1 else 1)
        fast.journal.close()


def test_what_nobody_knows_of_any_more_is_not_kept(tmp_path: Path) -> None:
    """Of an observed value that comes many times a tick, and of a message that is published again, the journal keeps
    the newest of each tick, and the state after a start is the same."""
    config = stream(WEATHER, NOW_OUTSIDE)
    fast = fast_lane(tmp_path, config)
    for t in range(10, 13):
        process(fast, [sample(f"plant/berlin/{i}", t, 1.0) for i in range(2)])
        for v in range(5):
            process(fast, [message("sun/x", b"%d" % (t + v)), weather("berlin", [(t, v), (t + 3, v)])])
            if (t, v) == (11, 2):
                save(fast)
    process(fast, [weather("berlin", [(12, 9), (14, 9)])])
    known = outlook(fast)
    assert [row.topic for row in read(fast.journal, "plant")] == ["sun/x", "weather/berlin"] * 3 + ["weather/berlin"]
    fast.journal.close()
    again = resumed(tmp_path, config)
    np.testing.assert_array_equal(outlook(again), known)
    again.journal.close()


def test_older_messages_say_nothing_of_later_ticks(tmp_path: Path) -> None:
    """From a tick on, the same is known without messages that came more than the outlook's ticks before it: trainings
    and warmed states read no others."""
    config = stream(WEATHER, TARIFF, NOW_OUTSIDE)
    fast = fast_lane(tmp_path, config)
    run(fast, history(np.random.default_rng(7), 120))
    series, names = fast.streams[0].series[0], [one.name for one in config.covariates]
    first, ticks, found = series.tick - 20, np.arange(series.tick + 1), []
    for begin in (0, first):
        made = outlook_of(config)
        assert made is not None
        told = by_series(fast.journal, "plant", names, {series.ident: begin - made.ahead})
        found.append((recalled(made, told[series.ident], ticks[begin:])[first - begin :], len(told[series.ident])))
        assert told.keys() == {series.ident}
    (whole, all_of_them), (later, newer) = found
    np.testing.assert_array_equal(later, whole)
    assert newer < all_of_them / 1.5
    fast.journal.close()
