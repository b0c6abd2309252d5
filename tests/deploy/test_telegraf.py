"""The script that brings forecasts into a database. Starlark is a part of Python, so that Python can run it."""

import json
import math
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.config import Stream
from tests.deploy.prometheus import DEPLOY
from tests.streams import fast_lane, message, process, sample, timed, untimed

SCRIPT = (DEPLOY / "telegraf" / "forecast.star").read_text(encoding="utf-8")


class Metric:
    """As Telegraf has it."""

    def __init__(self, name: str, **fields: Any) -> None:
        self.name, self.fields, self.tags, self.time = name, fields, dict[str, str](), 0


def parse_time(text: str) -> Any:
    moment = datetime.fromisoformat(text)
    return SimpleNamespace(unix_nano=round(moment.timestamp() * 1000) * 1_000_000)


def apply(payload: bytes) -> Any:
    """What the script makes of a message."""
    names: dict[str, Any] = {
        "load": lambda *_: None,
        "json": SimpleNamespace(decode=json.loads),
        "time": SimpleNamespace(parse_time=parse_time),
        "type": lambda one: type(one).__name__,
        "Metric": Metric,
    }
    exec(SCRIPT, names)
    return names["apply"](Metric("mqtt_consumer", value=payload.decode()))


@pytest.mark.parametrize(
    "stream", [timed(max_ahead=None), untimed(payload={"format": "array", "d": 2}, interval=60.0)], ids=["one", "two"]
)
def test_every_lead_is_a_series_at_the_time_it_foretells(stream: Stream, tmp_path: Path) -> None:
    """A published forecast gives a metric per lead, with mean and bounds, dated when the value is due."""
    fast, published = fast_lane(tmp_path, stream), []
    for t in range(40):
        new = sample("plant/a", t, math.sin(t))
        if stream.sizes.d == 2:
            new = message("plant/a", b"[%f, 1]" % math.sin(t), 1_800_000_000.0 + 60 * t)
        published = process(fast, [new])
    fast.journal.close()
    told = json.loads(published[0].payload)
    found = apply(published[0].payload)
    assert [one.tags for one in found] == [{"series": "plant/a", "lead": str(i + 1)} for i in range(len(told["mean"]))]
    begun = datetime.fromisoformat(told["time"]).timestamp()
    assert [one.time / 1e9 for one in found] == pytest.approx(
        [begun + (i + 1) * told["interval"] for i in range(len(found))]
    )
    if stream.sizes.d == 1:
        assert [one.fields["mean"] for one in found] == told["mean"]
        assert [one.fields["p90"] for one in found] == told["quantiles"]["0.9"]
    else:
        assert [[one.fields["mean_0"], one.fields["mean_1"]] for one in found] == told["mean"]
        assert [one.fields["p10_1"] for one in found] == [bound[1] for bound in told["quantiles"]["0.1"]]


def test_what_is_no_forecast_is_left_out() -> None:
    """Messages about thresholds, and whatever else lies below the same topics, give nothing."""
    assert apply(b'{"threshold": "hot", "seconds": 3}') is None
    assert apply(b"3") is None
