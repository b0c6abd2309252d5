"""Forecasts as slots, against what evcc and EMHASS make of such a message, written anew from their sources.

evcc (api/rates.go, tariff/tariff.go): a list of objects whose `start` and `end` are RFC 3339 and whose `value` is a
number, sorted by start; other keys are ignored; the rate of a moment is that of the slot with start <= moment < end.
EMHASS (utils.py, treat_runtimeparams): a list of numbers, at least one for each step, or an object of times and
values, of which each holds until the next.
"""

import json
import re
from bisect import bisect_right
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streamer.config.loader import parse
from streamer.errors import ConfigError
from streamer.publish.home_assistant import CURVE
from streamer.publish.slots import slots
from tests.publish.test_home_assistant import announcing, checked, discovery, state
from tests.streams import fast_lane, process, sample, timed

GO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
NOON = 1772366400.0
README = Path("streamer/publish/README.md").read_text(encoding="utf-8")


def message(values: list[float], interval: float = 900.0, band: bool = False) -> bytes:
    """Slots of this forecast, made at noon; the band is one to either side."""
    curves = np.array([values, *([[v - 1 for v in values], [v + 1 for v in values]] if band else [])])
    (payload,) = slots(np.array([NOON]), np.array([interval]), curves[None, :, :, None], [0.1, 0.9] if band else [])
    return payload


def evcc(payload: bytes) -> list[tuple[datetime, datetime, float]]:
    """The rates that evcc has of a forecast's message."""
    rates = []
    for one in json.loads(payload):
        assert all(GO_TIME.fullmatch(one[name]) for name in ("start", "end"))
        assert isinstance(one["value"], int | float)
        rates.append((datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]), float(one["value"])))
    return rates


def at(rates: list[tuple[datetime, datetime, float]], moment: datetime) -> float | None:
    """The rate of a moment, by binary search over the starts, which must be sorted."""
    i = bisect_right([start for start, _, _ in rates], moment) - 1
    return rates[i][2] if i >= 0 and moment < rates[i][1] else None


def emhass(given: Any, dates: pd.DatetimeIndex) -> list[float]:
    """What EMHASS plans with: the list itself, or the values that hold at these dates."""
    if isinstance(given, dict):
        frame = pd.Series(given)
        frame.index = pd.to_datetime(frame.index, format="ISO8601", utc=True)
        held = frame.reindex(frame.index.union(dates)).ffill().bfill()
        return [float(value) for value in held.reindex(dates).to_numpy()]
    assert isinstance(given, list)
    assert len(given) >= len(dates)
    assert all(isinstance(value, int | float) for value in given)
    return given


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20),
    st.sampled_from([0.01, 1.0, 7.3, 900.0, 3600.0]),
    st.booleans(),
)
def test_evcc_finds_each_value_where_it_belongs(values: list[float], interval: float, band: bool) -> None:
    """In the middle of slot i evcc has value i, before the first and after the last one none, band or not."""
    rates = evcc(message(values, interval, band))
    start = datetime.fromisoformat("2026-03-01T12:00:00Z")
    middles = [start + timedelta(seconds=(i + 1.5) * interval) for i in range(-1, len(values) + 1)]
    assert [at(rates, moment) for moment in middles] == [None, *values, None]
    assert rates == sorted(rates)
    assert all(end == begin for (_, end, _), (begin, _, _) in pairwise(rates))


@pytest.mark.parametrize("step", [15, 30])
def test_emhass_takes_values_and_times(step: int) -> None:
    """A list of the values is what EMHASS plans with, and so is an object of starts and values, by its own steps."""
    values = [float(i) for i in range(8)]
    read = json.loads(message(values))
    dates = pd.date_range("2026-03-01T12:15Z", periods=8 * 15 // step, freq=f"{step}min")
    assert emhass([one["value"] for one in read], dates) == values
    assert emhass({one["start"]: one["value"] for one in read}, dates) == values[:: step // 15]


def test_bounds_stand_beside_the_value() -> None:
    """With quantiles each slot has its bounds, by their share, where evcc's jq and templates find them."""
    first = json.loads(message([21.5], band=True))[0]
    assert first == {
        "start": "2026-03-01T12:15:00.000Z",
        "end": "2026-03-01T12:30:00.000Z",
        "value": 21.5,
        "quantiles": {"0.1": 20.5, "0.9": 22.5},
    }


def test_the_end_of_the_calendar() -> None:
    """Slots that begin after the year 9999 are dated to its last second, as crossings are."""
    assert evcc(message([1.0, 2.0], 1e300))[1][0].year == 9999


def test_a_stream_publishes_slots(tmp_path: Path) -> None:
    """With `publish.shape: slots` the forecasts of a stream are lists of slots, and what it announces is as before."""
    of = timed(publish={"shape": "slots"}, thresholds=[{"name": "full", "above": 50.0}])
    fast = fast_lane(tmp_path, of)
    out = [one for t, x in enumerate([1.0, 60.0]) for one in process(fast, [sample("plant/a", t, x)], 0)]
    fast.journal.close()
    documents = {one.topic: json.loads(one.payload) for one in out}
    assert len(documents["forecast/plant/a"]) == of.sizes.horizon
    assert documents["forecast/plant/a"][0]["start"] == "1970-01-01T00:00:02.000Z"
    assert documents["forecast/plant/a/threshold/full"]["seconds"] == 0.0


def test_home_assistant_reads_slots() -> None:
    """Sensors announced by a stream of slots read values and bounds from them, and have the list as an attribute, from
    which the README's template makes what EMHASS takes."""
    of = announcing(publish={"shape": "slots", "home_assistant": {"leads": [2]}}, interval=900.0)
    (out,) = discovery(of).announce(["plant/a"], ["forecast/plant/a"])
    sensors = checked(out)["components"]
    payload = message([1.0, 2.0, 3.0], band=True)
    assert [state(one, payload) for one in sensors.values()] == ["2.0", "1.0", "3.0"]
    first = next(iter(sensors.values()))
    assert first["json_attributes_template"] == CURVE
    attributes = json.loads(ImmutableSandboxedEnvironment().from_string(CURVE).render(value_json=json.loads(payload)))
    (template,) = re.findall(r'"load_power_forecast": ({{.*?}})', README)
    rendered = (
        ImmutableSandboxedEnvironment()
        .from_string(template)
        .render(state_attr=lambda entity, name: attributes[name] if entity.startswith("sensor.") else None)
    )
    assert emhass(json.loads(rendered), pd.date_range("2026-03-01T12:15Z", periods=3, freq="15min")) == [1.0, 2.0, 3.0]


def test_slots_have_one_value() -> None:
    """A stream whose samples are arrays cannot have slots, which is said with the key."""
    stream = {"name": "a", "topics": ["a"], "payload": {"format": "array", "d": 2}, "publish": {"shape": "slots"}}
    with pytest.raises(ConfigError, match=r"publish\.shape: a slot has one value, and a sample here 2"):
        parse({"mqtt": {"url": "mqtt://h"}, "streams": [stream]}, "test")
