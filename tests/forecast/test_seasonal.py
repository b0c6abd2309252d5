"""Yesterday, last week, and what is usual at this time."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.forecast.seasonal import ALPHA_DAY
from streamer.records import TickBatch
from streamer.stream.state import StreamState

HOUR = 3600.0


def stream(**fields: Any) -> StreamState:
    model = {"m": 10, "k": 4, "p": 6, "n": 4, "cell": "rnn"}
    made = StreamState(Stream(name="a", topics=["#"], model=model, **{"interval": HOUR, **fields}), Metrics())  # type: ignore[arg-type]
    made.add(1, "a")
    return made


def batch(tick: int, x: float, *, time: float | None = None, fresh: bool = False) -> TickBatch:
    at = np.array([tick * HOUR if time is None else time])
    return TickBatch(np.array([0]), np.array([[x]]), np.array([tick]), at, np.array([fresh or tick == 0]), at)


def said(made: StreamState, tick: int, x: float, **fields: Any) -> dict[str, NDArray[np.float64]]:
    """What each model says after one more sample."""
    made.panel.step(now := batch(tick, x, **fields))
    if np.isnan(x):
        return {}
    return dict(zip(made.panel.models, made.panel.predict(now)[0, :, :, 0], strict=True))


def value(tick: int) -> float:
    """Of no pattern at all, and exactly what single precision holds."""
    return float(hash((tick, "x")) % 1000)


def test_as_yesterday_and_as_last_week() -> None:
    """Each hour is forecast by what was 24, or 168, hours before it: exactly; nothing is said before there is that."""
    made, models = stream(), {}
    for tick in range(24 * 8):
        models = said(made, tick, value(tick))
        if tick == 22:
            assert np.isnan(models["yesterday"]).any()
    tick = 24 * 8 - 1
    assert models["yesterday"].tolist() == [value(tick + lead - 24) for lead in range(1, 25)]
    assert models["last-week"].tolist() == [value(tick + lead - 168) for lead in range(1, 25)]


def test_as_usual() -> None:
    """The usual value of an hour is the mean of its first values, and then follows them with the least share."""
    made, models = stream(), {}
    days = [10.0, 20.0, 60.0, *[30.0] * 30]
    for day, level in enumerate(days):
        for hour in range(24):
            models = said(made, 24 * day + hour, level + hour)
            if (day, hour) == (2, 23):
                np.testing.assert_allclose(models["profile-day"], 30.0 + np.arange(24), rtol=1e-6)
    usual = 0.0
    for n, level in enumerate(days, 1):
        usual += max(ALPHA_DAY, 1 / n) * (level - usual)
    np.testing.assert_allclose(models["profile-day"], usual + np.arange(24), rtol=1e-5)


def test_missing_ticks_keep_the_clock() -> None:
    """While samples are missing, slots go on by the interval; what is missing changes no slot."""
    made, models = stream(), {}
    for tick in range(72):
        missing = 30 <= tick < 35
        models = said(made, tick, np.nan if missing else value(tick % 24), time=np.nan if missing else None)
    assert models["yesterday"].tolist() == [value(hour) for hour in range(24)]


def test_a_wild_reading_is_not_repeated_a_day_later() -> None:
    """A reading of 999 changes nothing in what is said of its hour on the next day, nor in what is usual."""
    made, twin, models = stream(), stream(), {}
    for tick in range(96):
        clean = said(twin, tick, value(tick % 24) / 100)
        models = said(made, tick, 999.0 if tick == 60 else value(tick % 24) / 100)
    for name in ("yesterday", "profile-day", "profile-week"):
        np.testing.assert_array_equal(models[name], clean[name])


def test_a_gap_of_days_leaves_what_is_usual() -> None:
    """A series that starts anew after a long gap knows its day at once: the calendar has gone on."""
    made = stream()
    for tick in range(72):
        said(made, tick, value(tick % 24))
    models = said(made, 72 + 24 * 30, value(0), fresh=True)
    np.testing.assert_allclose(models["profile-day"][:23], [value(hour) for hour in range(1, 24)], rtol=1e-6)


@pytest.mark.parametrize("level", [1e9, -4294967295.0])
def test_a_meter_that_stands_high(level: float) -> None:
    """Values are kept as differences from the first one: changes of a thousandth stay visible at 1e9."""
    made, models = stream(), {}
    for tick in range(48):
        models = said(made, tick, level + 0.001 * (tick % 24))
    np.testing.assert_allclose(models["yesterday"] - level, 0.001 * np.arange(24), atol=2e-6)


def test_without_an_interval_the_spacing_is_learned() -> None:
    """Where every message is a tick, slots ahead follow from the typical gap between samples, which one outage does not
    move."""
    made, time = stream(interval=None), 0.0
    for tick in range(500):
        time += 900.0 if tick != 400 else 50_000.0
        said(made, tick, 1.0, time=time)
    slots = made.panel.shared.seasons.coming(batch(500, 1.0, time=time))[0]
    assert (np.diff(slots[0]) % 96 == 1).all()
