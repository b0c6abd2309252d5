"""Covariates over a reload, in a backtest, in a training, and in the example that is shipped."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamer.config import Config, Metrics, Mqtt, Stream
from streamer.config.loader import load, parse
from streamer.errors import ConfigError
from streamer.forecast.known import Known
from streamer.ingest.outlook import outlook_of, recalled
from streamer.lanes.fast import FastLane
from streamer.lanes.reload import Reloader
from streamer.lanes.slow import SlowLane
from streamer.models import build
from streamer.mqtt.link import Link
from streamer.records import Message, MessageBatch, TickBatch
from streamer.store.covariates import by_series
from streamer.store.journal import Journal
from streamer.stream.state import StreamState
from streamer.tools.backtest.run import backtest
from streamer.train.dataset import gather
from streamer.train.known import Known as Trained
from tests.lanes.test_covariates import NOW_OUTSIDE, TARIFF, WEATHER, history, outlook, run, stream, weather
from tests.streams import NOW, fast_lane, process, resumed, sample

CONFIGS = Path(__file__).parents[2] / "configs"


def config(directory: Path, *streams: Stream, **changes: Any) -> Config:
    sections: dict[str, Any] = {"mqtt": Mqtt(url="mqtt://localhost"), "state": {"path": directory}, **changes}
    return Config(streams=list(streams), **sections)


async def test_added_and_removed_by_a_reload(tmp_path: Path) -> None:
    """A covariate that a reload adds counts from its first message on; what is known of another one stays; after all
    are removed forecasts go on without."""
    one, both, none = stream(WEATHER), stream(TARIFF, WEATHER), stream()
    start = config(tmp_path, one)
    fast = fast_lane(tmp_path, one)
    slow = SlowLane(start, fast.journal, fast.lock, lambda: NOW)
    reload = Reloader(start, fast, slow, Link(start.mqtt, one.subscriptions)).reload
    process(fast, [sample("plant/berlin/a", 10, 1.0), weather("berlin", [(10, 1), (20, 11)])])
    assert await reload(config(tmp_path, both)) == "added=none removed=none changed=plant"
    np.testing.assert_allclose(outlook(fast), np.array([[np.nan] * 7, [1, 2, 3, 4, 5, 6, 7]]), rtol=1e-6)
    prices = json.dumps({"hourly": {"time": [10, 20], "price": [5, 5]}}).encode()
    process(fast, [Message("tariff", prices, 1, True, 1, NOW), sample("plant/berlin/a", 11, 1.0)])
    np.testing.assert_allclose(outlook(fast), np.array([[5] * 7, [2, 3, 4, 5, 6, 7, 8]]), rtol=1e-6)
    await reload(config(tmp_path, none))
    assert fast.streams[0].ticks.outlook is None
    assert len(process(fast, [sample("plant/berlin/a", 12, 1.0), weather("berlin", [(10, 1)])])) == 1
    assert fast.unrouted == 1
    fast.journal.close()


@pytest.mark.parametrize("changes", [{"max_age": 30}, {"max_age": 2}, {"between": "step"}, {"kind": "observed"}])
async def test_another_reading_by_a_reload(tmp_path: Path, changes: dict[str, Any]) -> None:
    """What messages said of the ticks to come is known after a reload that changes for how long they count, or what
    they mean, as if they had come under the new configuration."""
    before, after = stream(WEATHER, NOW_OUTSIDE), stream({**WEATHER, **changes}, NOW_OUTSIDE)
    some = [message for batch in history(np.random.default_rng(6), 40)[1:] for message in batch]
    fast, other = fast_lane(tmp_path / "reloaded", before), fast_lane(tmp_path / "other", after)
    start = config(tmp_path / "reloaded", before)
    slow = SlowLane(start, fast.journal, fast.lock, lambda: NOW)
    process(fast, some)
    process(other, some)
    await Reloader(start, fast, slow, Link(start.mqtt, before.subscriptions)).reload(
        config(tmp_path / "reloaded", after)
    )
    for row in range(4):
        np.testing.assert_array_equal(outlook(fast, row), outlook(other, row))
    assert np.isfinite(outlook(fast)).any()
    fast.journal.close()
    other.journal.close()


def test_a_backtest_is_the_live_lane(tmp_path: Path) -> None:
    """A recording with messages about covariates gives the forecasts that the live lane gave, to the last bit."""
    of = stream(WEATHER, TARIFF, NOW_OUTSIDE)
    some = [message for batch in history(np.random.default_rng(4), 60) for message in batch]
    fast = fast_lane(tmp_path / "live", of)
    live = run(fast, [[one] for one in some])
    fast.journal.close()
    out = tmp_path / "forecasts.jsonl.gz"
    backtest(config(tmp_path, of), some, None, out, lambda *_: None)
    with gzip.open(out, "rt") as lines:
        said = [json.loads(line) for line in lines]
    made = sorted(json.dumps(json.loads(one["payload"])) for one in said)
    assert made == sorted(json.dumps(json.loads(payload)) for payload in live)


def test_trainings_see_what_live_networks_saw(tmp_path: Path) -> None:
    """Inputs that a training makes from the journal are those of the live network, for the next tick and all after it,
    and the buffer forecasts with what was known at each origin."""
    of = stream(WEATHER, NOW_OUTSIDE)
    fast = fast_lane(tmp_path, of)
    run(fast, history(np.random.default_rng(5), 160))
    request = SlowLane(config(tmp_path, of), fast.journal, fast.lock, lambda: NOW).request_of(fast.streams[0])
    first, told = fast.streams[0].series[0], by_series(fast.journal, "plant", ["outdoor", "sun"], {1: 0})
    ticks, made = np.arange(first.tick + 1), outlook_of(of)
    assert made is not None
    u = recalled(made, told[first.ident], ticks)
    live = Known.of(of, of.sizes)
    live.grow(1)
    following, ahead = Trained(fast.journal, request, {first.ident: 0}).covariates(first.ident, ticks)
    one, no = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    for t in ticks.tolist():
        at = np.array([float(t)])
        batch = TickBatch(one, np.zeros((1, 1)), one + t, at, no, at, u[t : t + 1])
        np.testing.assert_allclose(live.next(batch, at)[0, -2:], following[t], atol=1e-6)
        np.testing.assert_allclose(live.coming(batch)[0, :, -2:], ahead[t], rtol=2e-3, atol=2e-3)
    assert np.abs(ahead[:, :, 0]).max() > 0.5
    dataset = gather(replace(request, held_out=0.3), torch.device("cpu"))
    buffer, network = dataset.buffers["memoryless"], build("memoryless", of.sizes)
    assert buffer.u.shape[1] == of.sizes.c == 4 + 2
    forecasts = buffer.forecast(network, network.zero_state(2), torch.tensor([20, 40]), of.sizes.horizon)
    assert forecasts.shape == (2, of.sizes.horizon, 1)
    fast.journal.close()


def test_the_example_that_is_shipped(tmp_path: Path) -> None:
    """configs/weather.yaml reads an answer of Open-Meteo, slots of a tariff, and a number as it is now."""
    (of,) = load(CONFIGS / "weather.yaml").streams
    journal, hour, start = Journal.open(tmp_path), 3600, 1_800_000_000 // 3600 * 3600
    fast = FastLane([StreamState(of, Metrics())], journal, 65536, lambda: float(start + 10 * hour))
    hours = [start + i * hour for i in range(60)]
    slots = [{"start": at, "end": at + hour, "value": i % 5} for i, at in enumerate(hours)]
    told = {
        "weather/berlin": {"latitude": 52.5, "hourly": {"time": hours, "temperature_2m": [*range(60)]}},
        "tariff/grid": slots,
        "home/berlin/occupied": 1,
    }
    heat = [("heat/berlin/town-hall", {"time": start + i * hour + 60, "value": 20.0 + i}) for i in range(3)]
    for topic, content in [heat[0], heat[1], *told.items(), heat[2]]:
        message = Message(topic, json.dumps(content).encode(), 1, False, 1, start + 2.0 * hour)
        fast.process(MessageBatch([message], 1))
    assert not fast.streams[0].counts.rejected
    known = outlook(fast)
    np.testing.assert_array_equal(known[0, :4], [2, 3, 4, 5])
    np.testing.assert_array_equal(known[1, :4], [2, 3, 4, 0])
    assert known[2, 0] == 1
    assert np.isnan(known[2, 1:]).all()
    journal.close()


@pytest.mark.parametrize(
    ("covariate", "problem"),
    [
        ({"name": "a", "topics": ["w"], "payload": {"format": "number"}}, "covariates.0.kind: known needs times"),
        ({"name": "a", "topics": ["w/{town}"]}, "covariates.0.topics: 'w/{town}': no series has a label town"),
        ({"name": "a", "topics": ["w/#/x"]}, "is no MQTT topic filter"),
        ({"name": "a", "topics": ["w"], "max_age": 2000}, "covariates.0.max_age: at most 1960 s"),
        ({"name": "a", "topics": ["w"], "payload": {"format": "json", "fields": ["a"], "time": "t"}}, "is one number"),
    ],
)
def test_what_cannot_be_meant_is_refused(covariate: dict[str, Any], problem: str) -> None:
    """A covariate that cannot be meant is refused by its dotted path, with what to do."""
    one = {"name": "plant", "topics": ["plant/{site}/+"], "interval": 1, "covariates": [covariate]}
    with pytest.raises(ConfigError, match=re.escape(problem)) as raised:
        parse({"mqtt": {"url": "mqtt://a"}, "streams": [one]}, "the file")
    assert "1 problem\n" in str(raised.value)


def test_without_a_snapshot(tmp_path: Path) -> None:
    """Where no snapshot is left, the journal tells again what is known of the ticks to come."""
    of = stream(WEATHER, TARIFF, NOW_OUTSIDE)
    fast = fast_lane(tmp_path, of)
    run(fast, history(np.random.default_rng(8), 90))
    known = [outlook(fast, row) for row in range(4)]
    fast.journal.close()
    again = resumed(tmp_path, of)
    np.testing.assert_array_equal([outlook(again, row) for row in range(4)], known)
    assert np.isfinite(outlook(again)).any()
    again.journal.close()


@pytest.mark.parametrize("known_until", [40, 70])
def test_after_a_clock_was_set_back(tmp_path: Path, known_until: int) -> None:
    """The ticks of a series whose clock was ahead and is set back have other dates from then on: what is known is of
    these dates, also after a start, and nothing is left of what the ticks were taken for before."""
    of = stream(WEATHER, NOW_OUTSIDE, max_gap=3)
    fast = fast_lane(tmp_path, of)
    values = [(float(t), float(t)) for t in range(known_until)]
    process(fast, [sample("plant/berlin/a", 50, 1.0), weather("berlin", [(t, -1.0) for t in range(45, 90)])])
    process(fast, [weather("berlin", values)])
    for i in range(20):
        content = json.dumps({"time": 20 + i, "value": 1.0}).encode()
        process(fast, [Message("plant/berlin/a", content, 1, False, None, NOW + i)])
    series, known = fast.streams[0].series[0], outlook(fast)
    assert (series.time, fast.streams[0].index.clocks.sets_back) == (39, 1)
    expected = [t if t < known_until else np.nan for t in range(39, 46)]
    np.testing.assert_array_equal(known[0], expected)
    fast.journal.close()
    again = resumed(tmp_path, of)
    np.testing.assert_array_equal(outlook(again), known)
    again.journal.close()
