"""Whoever adds a forecaster writes it and registers it: nothing else has to know."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import generate_latest

from streamer.config import Mqtt, Stream
from streamer.config.loader import parse
from streamer.forecast.registry import FORECASTERS, Shared
from streamer.lanes.fast import FastLane
from streamer.mqtt.link import Link
from streamer.observe.metrics import Readings, registry
from streamer.part import Column, Rows
from streamer.records import Floats, Message, Outgoing, TickBatch
from streamer.tools.backtest.report import result
from streamer.tools.backtest.run import backtest
from tests.streams import SMALL, fast_lane, process, resumed, sample, save, timed

SERIES, HORIZON = 100, 6
WITH = ["drift"]


class Drift(Rows):
    """The newest value, and on by the newest step."""

    name, version = "drift", 0
    newest: Floats
    change: Floats

    def __init__(self, config: Stream, shared: Shared) -> None:
        self.leads = np.arange(1, config.sizes.horizon + 1)[:, None]
        super().__init__(newest=Column((config.sizes.d,), start=np.nan), change=Column((config.sizes.d,)))

    def fit(self) -> None:
        return None

    def step(self, batch: TickBatch) -> None:
        self.change[batch.rows], self.newest[batch.rows] = batch.x - self.newest[batch.rows], batch.x

    def forecast(self, batch: TickBatch) -> Floats:
        return self.newest[batch.rows, None] + self.leads * self.change[batch.rows, None]


@pytest.fixture
def drift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORECASTERS, "drift", Drift)


def ramp(series: int, tick: int) -> float:
    return 10.0 * series + (1 + series % 3) * tick


def ticks(begin: int, end: int) -> list[Message]:
    return [sample(f"plant/{i}", t, ramp(i, t)) for t in range(begin, end) for i in range(SERIES)]


def documents(out: list[Outgoing]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in out]


def exposed(fast: FastLane) -> str:
    link = Link(Mqtt(url="mqtt://localhost"), [])
    return generate_latest(registry(Readings(fast, link, Counter(), SERIES))).decode()


@pytest.mark.usefixtures("drift")
def test_it_is_stepped_grown_scored_published_and_shown(tmp_path: Path) -> None:
    """On ramps it is the best forecaster of more series than there was room for at first, and the mixture follows it:
    the forecasts are the ramps, its errors are 0, and the metrics name it."""
    fast = fast_lane(tmp_path, timed(forecasters=WITH))
    process(fast, ticks(0, 30))
    assert fast.streams[0].room > 64
    forecasts = documents(process(fast, ticks(30, 31)))
    assert len(forecasts) == SERIES
    for i, one in enumerate(forecasts):
        assert one["model"] == "mix"
        assert one["mean"] == pytest.approx([ramp(i, 30 + lead) for lead in range(1, HORIZON + 1)])
    assert "drift" in fast_lane(tmp_path / "auto", timed(forecasters="auto")).streams[0].panel.models
    text = exposed(fast)
    assert 'streamer_forecast_rmse{lead="6",model="drift",stream="plant"} 0.0' in text
    assert 'streamer_forecast_skill_ratio{lead="1",model="drift",stream="plant"} 1.0' in text
    assert 'streamer_mix_weight{lead="3",model="drift",stream="plant"} 1.0' in text
    assert 'streamer_series_predicted{element="0",lead="1",model="drift",series="plant/7",stream="plant"}' in text
    fast.journal.close()


@pytest.mark.usefixtures("drift")
def test_it_is_saved_and_resumed(tmp_path: Path) -> None:
    """After a kill it goes on to the bit: what is published is what the stream that never stopped publishes."""
    fast = fast_lane(tmp_path, timed(forecasters=WITH))
    process(fast, ticks(0, 20))
    save(fast)
    process(fast, ticks(20, 22))
    fast.journal.close()
    again = resumed(tmp_path, timed(forecasters=WITH))
    whole = fast_lane(tmp_path / "whole", timed(forecasters=WITH))
    process(whole, ticks(0, 22))
    published = process(again, ticks(22, 24))
    assert published == process(whole, ticks(22, 24))
    for i, document in enumerate(documents(published)):
        tick, series = divmod(i, SERIES)
        wanted = [ramp(series, 22 + tick + lead) for lead in range(1, HORIZON + 1)]
        assert document["mean"] == pytest.approx(wanted)
    for one in (again, whole):
        one.journal.close()


def test_beside_a_snapshot_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Registered beside an existing state, it begins anew alone, without weight, and earns its place; the scores of the
    others stay."""
    fast = fast_lane(tmp_path, timed(forecasters=["linear"]))
    process(fast, ticks(0, 20))
    save(fast)
    before = fast.streams[0].panel
    errors = dict(zip(before.models, before.scores.by_lead()[0].tolist(), strict=True))
    fast.journal.close()
    monkeypatch.setitem(FORECASTERS, "drift", Drift)
    caplog.set_level("INFO")
    again = resumed(tmp_path, timed(forecasters=["linear", "drift"]))
    panel = again.streams[0].panel
    found = dict(zip(panel.models, panel.scores.by_lead()[0].tolist(), strict=True))
    assert np.isnan(found.pop("drift")).all()
    assert found == errors
    assert [line for line in caplog.messages if "begins anew" in line] == [
        "begins anew stream=plant part=drift: the configuration has changed"
    ]
    at = panel.models.index("drift")
    assert panel.weights()[at].max() == 0
    process(again, ticks(20, 60))
    assert panel.weights()[at].max() > 0
    again.journal.close()


@pytest.mark.usefixtures("drift")
def test_it_is_in_a_backtest(tmp_path: Path) -> None:
    """The report judges it beside the others, by its name."""
    document = {
        "mqtt": {"url": "mqtt://localhost"},
        "streams": [
            {
                "name": "plant",
                "topics": ["plant/+"],
                "payload": {"format": "json", "time": "time"},
                "interval": 1.0,
                "max_ahead": None,
                "model": SMALL,
                "forecasters": WITH,
                "retrain": {"every": 0},
            }
        ],
    }
    done = backtest(parse(document, "test"), ticks(0, 30), None, None, lambda *_: None)
    (stream,) = result(done)["streams"]
    assert stream["models"]["drift"]["rmse"] == [0.0, 0.0, 0.0]
    assert stream["models"]["drift"]["skill"] == [1.0, 1.0, 1.0]
    assert stream["models"]["published"]["skill"][0] > 0.5
    done.journal.close()
