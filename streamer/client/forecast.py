"""A message in, the forecast it holds out."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Curve = tuple[float, ...] | tuple[tuple[float, ...], ...]
"""A value for each lead; where a sample is an array, each value is a tuple of its elements."""


class NotAForecast(Exception):
    """A message that is not a forecast; `reason` is the word that it is counted under.

    empty: a retained message was cleared. announcement: of a threshold or a surprise. slots: of `publish.shape: slots`.
    syntax: no JSON. field: a field is missing or is not what it should be.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next values of a series, by a sample at `time`.

    interval: seconds between two values. model: who forecasts, `mix` as a rule; version: that of its newest network.
    mean: the forecast; quantiles: its bounds, by the share of truths that is to lie below each. labels: what the
    levels of its topic are called. topic: where the message came.
    """

    series: str
    time: datetime
    interval: float
    model: str
    version: int
    mean: Curve
    quantiles: Mapping[float, Curve] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    topic: str = ""

    @property
    def times(self) -> tuple[datetime, ...]:
        """The moment of each value, in UTC."""
        return tuple(self.time + timedelta(seconds=(i + 1) * self.interval) for i in range(len(self.mean)))

    def to_pandas(self) -> "pd.DataFrame":
        """A row for each moment, a column for the mean and for each quantile; where a sample is an array, the columns
        have a second level, the element. Raises ImportError where there is no pandas."""
        try:
            import pandas as pd
        except ImportError as missing:
            raise ImportError("to_pandas needs pandas: pip install pandas") from missing
        curves: dict[Any, Any] = {"mean": self.mean, **self.quantiles}
        if self.mean and isinstance(self.mean[0], tuple):
            curves = {
                (name, i): element
                for name, curve in curves.items()
                for i, element in enumerate(zip(*curve, strict=True))
            }
        return pd.DataFrame(curves, index=pd.DatetimeIndex(self.times, name="time"))


def decode(payload: bytes, topic: str = "") -> Forecast:
    """The forecast of a message, in the form of `publish.shape: curve`. Raises NotAForecast."""
    if not payload:
        raise NotAForecast("empty", f"{topic}: empty: the retained forecast was cleared")
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise NotAForecast("syntax", f"{topic}: no JSON: {error}") from None
    if isinstance(document, list):
        raise NotAForecast("slots", f"{topic}: a list, as of publish.shape: slots; this client reads that of: curve")
    if isinstance(document, dict) and ("threshold" in document or "surprise" in document):
        raise NotAForecast("announcement", f"{topic}: an announcement of a threshold or a surprise")
    try:
        return read(document, topic)
    except KeyError as missing:
        raise NotAForecast("field", f"{topic}: has no {missing.args[0]}") from None
    except (TypeError, ValueError, OverflowError) as wrong:
        raise NotAForecast("field", f"{topic}: {wrong}") from None


def read(document: Any, topic: str) -> Forecast:
    """The forecast of a document. Raises KeyError, TypeError, ValueError or OverflowError, which name the field."""
    if not isinstance(document, dict):
        raise TypeError("is no JSON object")
    mean = curve(document["mean"], "mean")
    bounds = mapping(document, "quantiles").items()
    quantiles = {float(share): curve(values, f"quantile {share}") for share, values in bounds}
    if any(len(bound) != len(mean) for bound in quantiles.values()):
        raise ValueError("a quantile has not as many values as mean")
    forecast = Forecast(
        text(document["series"], "series"),
        moment(document["time"]),
        number(document["interval"], "interval"),
        text(document["model"], "model"),
        int(number(document["version"], "version")),
        mean,
        quantiles,
        {name: text(label, f"label {name}") for name, label in mapping(document, "labels").items()},
        topic,
    )
    _ = forecast.time + timedelta(seconds=len(mean) * forecast.interval)  # no later than Python's calendar goes
    return forecast


def curve(values: Any, name: str) -> Curve:
    """The values of a field, tuples of one length each where they are lists."""
    if not isinstance(values, list) or not values:
        raise TypeError(f"{name} is no list of values")
    if not isinstance(values[0], list):
        return tuple(number(value, name) for value in values)
    if any(not isinstance(one, list) or len(one) != len(values[0]) for one in values):
        raise ValueError(f"{name} has values of different lengths")
    return tuple(tuple(number(value, name) for value in one) for one in values)


def mapping(document: Any, name: str) -> dict[str, Any]:
    """The object of a field; none where there is no such field."""
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise TypeError(f"{name} is no object")
    return found


def number(value: Any, name: str) -> float:
    """The finite number of a field."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} holds {value!r}, which is no number")
    return float(value)


def text(value: Any, name: str) -> str:
    """The text of a field."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}, which is no text")
    return value


def moment(value: Any) -> datetime:
    """A time of RFC 3339, in UTC."""
    time = datetime.fromisoformat(text(value, "time"))
    if time.tzinfo is None:
        raise ValueError(f"time is {value!r}, which has no zone")
    return time.astimezone(UTC)
