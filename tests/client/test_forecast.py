"""What the client reads: every message that the daemon writes, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.client import Forecast, NotAForecast, decode
from streamer.publish.digits import rounded
from streamer.publish.encode import Curves, encode
from tests.test_imports import loaded

GOOD: dict[str, Any] = {
    "series": "plant/a",
    "time": "2026-03-01T12:00:00.250Z",
    "interval": 0.5,
    "model": "mix",
    "version": 7,
    "mean": [1.0, 2.0, 3.0],
    "quantiles": {"0.1": [0.5, 1.0, 1.5], "0.9": [1.5, 3.0, 4.5]},
    "labels": {"machine": "a"},
}


def refused(document: Any) -> NotAForecast:
    with pytest.raises(NotAForecast) as refusal:
        decode(document if isinstance(document, bytes) else json.dumps(document).encode(), "forecast/plant/a")
    return refusal.value


def test_a_forecast_has_its_moments() -> None:
    """Value i is for time + (i + 1) intervals; bounds are by the number of their share."""
    forecast = decode(json.dumps(GOOD).encode(), "forecast/plant/a")
    assert [str(time) for time in forecast.times] == [
        "2026-03-01 12:00:00.750000+00:00",
        "2026-03-01 12:00:01.250000+00:00",
        "2026-03-01 12:00:01.750000+00:00",
    ]
    assert forecast.mean == (1.0, 2.0, 3.0)
    assert forecast.quantiles == {0.1: (0.5, 1.0, 1.5), 0.9: (1.5, 3.0, 4.5)}
    assert (forecast.series, forecast.version, forecast.labels) == ("plant/a", 7, {"machine": "a"})
    assert decode(json.dumps({**GOOD, "quantiles": {}}).encode()).quantiles == {}


@given(
    st.text(max_size=20),
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=9),
    st.floats(0, 4e9),
    st.floats(1e-3, 1e6),
    st.integers(1, 3),
)
def test_it_reads_what_the_daemon_writes(
    series: str, values: list[float], time: float, interval: float, d: int
) -> None:
    """Whatever the encoder writes is read: the same series, values and bounds, and the time to the microsecond."""
    curves = np.repeat(np.array(values)[None, None, :, None], 3, axis=1) * np.ones(d)
    x = np.zeros((1, d))
    (payload,) = encode([series], np.array([time]), np.array([interval]), [("mix", 3)], Curves(curves, x, [0.1, 0.9]))
    forecast = decode(payload)
    assert (forecast.series, forecast.model, forecast.version) == (series, "mix", 3)
    assert abs((forecast.time - datetime.fromtimestamp(time, UTC)).total_seconds()) < 2e-6
    mean = forecast.mean if d == 1 else tuple(one[0] for one in forecast.mean if isinstance(one, tuple))
    assert mean == pytest.approx(rounded(curves, x)[0, 0, :, 0].tolist(), rel=1e-9)
    assert forecast.quantiles == {0.1: forecast.mean, 0.9: forecast.mean}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": None}, "mean is no list"),
        ({"mean": []}, "mean is no list"),
        ({"mean": [1.0, None, 2.0]}, "mean holds None"),
        ({"mean": [1.0, True, 2.0]}, "mean holds True"),
        ({"mean": [[1.0], [1.0, 2.0], [1.0]]}, "different lengths"),
        ({"mean": [1.0]}, "not as many values"),
        ({"quantiles": {"much": [1, 2, 3]}}, "much"),
        ({"quantiles": [1]}, "quantiles is no object"),
        ({"time": 12}, "time is 12"),
        ({"time": "yesterday"}, "yesterday"),
        ({"time": "2026-03-01T12:00:00"}, "no zone"),
        ({"interval": "1"}, "interval holds '1'"),
        ({"interval": 1e12}, "date value out of range"),
        ({"version": None}, "version holds None"),
        ({"series": 3}, "series is 3"),
        ({"labels": {"a": 1}}, "label a"),
        ({"labels": []}, "labels is no object"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], words: str) -> None:
    """A message whose field is not what it should be is refused, by topic and field."""
    wrong = refused({**GOOD, **change})
    assert wrong.reason == "field"
    assert str(wrong).startswith("forecast/plant/a: ")
    assert words in str(wrong)


@pytest.mark.parametrize("name", ["series", "time", "interval", "model", "version", "mean"])
def test_a_missing_field_is_named(name: str) -> None:
    """So is one that is missing."""
    assert str(refused({key: value for key, value in GOOD.items() if key != name})).endswith(f"has no {name}")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "empty"),
        (b"21.4", "field"),
        (b"\xff", "syntax"),
        (b"{", "syntax"),
        (b"[" * 100_000, "syntax"),
        ([{"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:15:00Z", "value": 1.0}], "slots"),
        ({"series": "plant/a", "threshold": "full", "seconds": None}, "announcement"),
        ({"series": "plant/a", "surprise": 3.4}, "announcement"),
    ],
)
def test_what_is_no_forecast_says_what_it_is(message: Any, reason: str) -> None:
    """Everything else that can stand below the topics of forecasts has a reason of its own."""
    assert refused(message).reason == reason


FIELDS = st.sampled_from(list(GOOD))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(FIELDS, x)
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(FIELDS, x)
    )
)
def test_any_json(document: Any) -> None:
    """Any JSON document is a forecast or is refused with a reason."""
    try:
        found: Forecast | str = decode(json.dumps(document).encode())
    except NotAForecast as wrong:
        found = wrong.reason
    assert isinstance(found, Forecast) or found in ("field", "slots", "announcement")


def test_to_pandas() -> None:
    """A frame has a row for each moment and a column for each curve; with elements, a level more."""
    frame = decode(json.dumps(GOOD).encode()).to_pandas()
    assert list(frame.columns) == ["mean", 0.1, 0.9]
    assert frame.index[0].isoformat() == "2026-03-01T12:00:00.750000+00:00"
    assert frame["mean"].tolist() == [1.0, 2.0, 3.0]
    pairs = {**GOOD, "mean": [[1, 2], [3, 4], [5, 6]], "quantiles": {"0.9": [[1, 2], [3, 4], [5, 7]]}}
    frame = decode(json.dumps(pairs).encode()).to_pandas()
    assert frame["mean", 1].tolist() == [2.0, 4.0, 6.0]
    assert frame[0.9, 1].tolist() == [2.0, 4.0, 7.0]


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no pandas the error says how to get it."""
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        decode(json.dumps(GOOD).encode()).to_pandas()


def test_it_imports_little() -> None:
    """Importing the client loads aiomqtt, and nothing of what the daemon needs."""
    modules = loaded("import streamer.client, sys\nprint(*(name for name in sys.modules if 'streamer.' in name))")
    assert "aiomqtt" in modules
    assert not modules & {"torch", "numpy", "pandas", "pydantic", "numba", "orjson", "starlette"}
