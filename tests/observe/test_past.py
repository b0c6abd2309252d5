"""What had been forecast before: made again from the journal, as it was issued."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config import Stream
from streamer.observe import past
from streamer.observe.api import BASE
from streamer.observe.rejections import KNOWN
from streamer.swap.promote import promote
from tests.observe.site import got, looked_at
from tests.resume.streams import candidates
from tests.streams import NOW, fast_lane, feed, message, sample, timed, untimed

TICKS = 150


def value(t: int) -> float:
    return math.sin(t / 5) + (t % 3) / 10


@pytest.mark.parametrize(
    "stream",
    [
        timed(max_ahead=None, forecasters=["linear", "memoryless", "traditional"]),
        timed(max_ahead=None, fill="last"),
        untimed(publish={"every": 3}),
        untimed(payload={"format": "array", "d": 2}, publish={"quantiles": []}),
    ],
    ids=["swap", "filled", "every third", "vector without bands"],
)
async def test_past_forecasts_are_those_issued(stream: Stream, tmp_path: Path) -> None:
    """With gaps, an outlier, another series and a swap on the way, they are what was published, bit for bit."""
    fast, issued = fast_lane(tmp_path, stream), list[dict[str, Any]]()
    for t in range(TICKS):
        if t % 40 in (17, 18) or (t == 90 and not stream.interval):
            continue
        x = 1e4 if t == 120 else value(t)
        new = [sample(f"plant/{name}", t, x) for name in "ab"]
        if not stream.interval:
            new = [message(f"plant/{name}", b"%f" % x if stream.sizes.d == 1 else b"[%f, 1]" % x) for name in "ab"]
        issued += [one for one in feed(fast, new) if one.get("series") == "plant/b" and "mean" in one]
        if t == 70:
            await promote(fast.streams[0], candidates(fast.streams[0], 1), fast.journal, fast.lock, NOW)
    with looked_at(fast, tmp_path) as url:
        ident = next(one.ident for one in fast.streams[0].series if one.name == "plant/b")
        found = (await got(f"{url}{BASE}/series/{ident}/past?points=100&count=100")).json
    fast.journal.close()
    assert found["whole"]
    some = issued[-80 // stream.publish.every :]
    keys = ("mean", "model", "version", "quantiles", "interval")
    again = [[one[key] for key in keys] for one in found["forecasts"]]
    told = [[{"quantiles": {}, **one}[key] for key in keys] for one in some]
    line = found["lines"][-1]
    if stream.fill:  # of ticks that were filled late not all had a forecast published
        assert [one for one in again if one in told] == told
    else:
        assert again[-len(told) :] == told
        assert line["mean"][-len(told) :] == [one["mean"][line["lead"] - 1] for one in some]


async def test_a_long_past_is_folded_in_part(tmp_path: Path) -> None:
    """Of more samples than are folded the newest are, which is told; the forecasts are nearly the same."""
    fast = fast_lane(tmp_path, timed(max_ahead=None, forecasters=["linear"]))
    issued = [feed(fast, [sample("plant/a", t, value(t))]) for t in range(4 * TICKS)]
    with looked_at(fast, tmp_path) as url:
        found = (await got(f"{url}{BASE}/series/1/past?points=140&count=7")).json
    fast.journal.close()
    assert (found["whole"], len(found["forecasts"]), len(found["lines"][0]["mean"])) == (False, 7, 140)
    assert found["forecasts"][-1]["mean"] == pytest.approx(issued[-1][0]["mean"], abs=0.2)


async def test_a_fold_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would take too long is refused, and the thread is free for the next question."""
    monkeypatch.setattr(past, "MOST_SECONDS", 0.0)
    monkeypatch.setattr(past, "PIECE_SECONDS", 0.0)
    fast = fast_lane(tmp_path, timed(max_ahead=None))
    for t in range(5):
        feed(fast, [sample("plant/a", t, value(t))])
    with looked_at(fast, tmp_path) as url:
        assert (await got(f"{url}{BASE}/series/1/past")).status == 503
        monkeypatch.setattr(past, "MOST_SECONDS", 8.0)
        assert (await got(f"{url}{BASE}/series/1/past")).status == 200
    fast.journal.close()


async def test_outliers_are_marked(tmp_path: Path) -> None:
    """The history of a series names the ticks that the guard has clipped, and no others."""
    fast = fast_lane(tmp_path, timed(max_ahead=None))
    for t in range(TICKS):
        feed(fast, [sample("plant/a", t, -500 if t == 130 else value(t))])
    assert int(fast.streams[0].panel.shared.guard.clipped.sum()) == 1
    with looked_at(fast, tmp_path) as url:
        found = (await got(f"{url}{BASE}/series/1/history?points=50")).json
        rows = (await got(f"{url}{BASE}/series/1/history?points=50&format=rows")).json
    fast.journal.close()
    assert found["clipped"] == [130]
    assert [one["value"] for one in rows] == found["values"]
    assert np.datetime64(rows[-1]["time"].removesuffix("Z")) == np.datetime64(TICKS - 1, "s")


def test_every_reason_has_its_remedy() -> None:
    """Each reason that the rules of ingest name is explained, and nothing else is."""
    rules = Path("streamer/ingest/README.md").read_text(encoding="utf-8").split("## Multiseries")[0]
    named = {line.rsplit("|", 2)[1].strip() for line in rules.splitlines() if line.startswith("| ")}
    assert {one.strip("`") for one in named if one.startswith("`")} == {*KNOWN}
