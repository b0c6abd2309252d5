"""The dashboard on the daemon's API: every query of the Infinity data source against the API itself."""

import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pytest

from streamer.swap.promote import promote
from tests.deploy.dashboards import FUTURE, load
from tests.observe.site import got, looked_at
from tests.resume.streams import candidates
from tests.streams import NOW, fast_lane, feed, sample, timed

TICKS = 160


class Shown(NamedTuple):
    url: str
    ident: int
    published: dict[str, Any]


def value(name: str, t: int) -> float:
    """Series a is a ramp, b a wave, c noise."""
    return {"a": t / 2, "b": math.sin(t / 5), "c": math.sin(t * t)}[name[-1]]


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    """A fast lane with three series and a network that went live."""
    fast = fast_lane(tmp_path, timed(max_ahead=None, forecasters=["linear", "memoryless", "traditional"]))
    for t in range(TICKS):
        names = ["plant/a", "plant/b", "plant/c"]
        published = {one["series"]: one for one in feed(fast, [sample(name, t, value(name, t)) for name in names])}
        if t == TICKS - 20:
            await promote(fast.streams[0], candidates(fast.streams[0], 1), fast.journal, fast.lock, NOW)
    ident = next(one.ident for one in fast.streams[0].series if one.name == "plant/b")
    with looked_at(fast, tmp_path) as url:
        yield Shown(url, ident, published["plant/b"])
    fast.journal.close()


def queries(dashboard: Any) -> Iterator[tuple[str, Any]]:
    """All queries of a dashboard by what they are for."""
    for panel in dashboard["panels"]:
        yield from ((panel["title"], target) for target in panel["targets"])
    for one in dashboard["templating"]["list"]:
        if one["type"] == "query":
            yield one["name"], one["query"]["infinityQuery"]
    yield from ((one["name"], one["target"]) for one in dashboard["annotations"]["list"])


async def rows(query: Any, shown: Shown) -> list[dict[str, Any]]:
    """What the data source makes of a query: a column per selector, dots going into objects."""
    chosen = {"${series}": str(shown.ident), "${search:percentencode}": quote("plant/b")}
    path = query["url"]
    for name, choice in chosen.items():
        path = path.replace(name, choice)
    assert "$" not in path, path
    answer = await got(shown.url + path)
    assert answer.status == 200, answer
    found = answer.json[query["root_selector"]] if query["root_selector"] else answer.json

    def selected(row: Any, selector: str) -> Any:
        for key in selector.split("."):
            row = row[key]
        return row

    return [{one["text"]: selected(row, one["selector"]) for one in query["columns"]} for row in found]


async def test_every_query_is_answered(shown: Shown) -> None:
    """Each query finds rows with all its columns, numbers where it says number, times where it says time."""
    asked = [*queries(load(FUTURE))]
    assert len(asked) == 7
    for what, query in asked:
        if what == "Trainings":  # here nothing trains; its columns are those of the document
            columns = {one["selector"] for one in query["columns"]}
            document = (await got(f"{shown.url}/api/v1/openapi.json")).json
            assert columns <= set(document["components"]["schemas"]["Training"]["properties"])
            continue
        found = await rows(query, shown)
        assert found, what
        for column in query["columns"]:
            for one in (row[column["text"]] for row in found):
                if column["type"] == "timestamp":
                    np.datetime64(one.removesuffix("Z"))
                elif column["type"] in ("number", "timestamp_epoch_s"):
                    assert isinstance(one, float | int), (what, column, one)


async def test_the_future_is_what_was_published(shown: Shown) -> None:
    """The curve has the published mean and band, all of it after the newest sample, and the band is filled."""
    panel = load(FUTURE)["panels"][0]
    actual, expected = [await rows(target, shown) for target in panel["targets"]]
    assert [row["mean"] for row in expected] == shown.published["mean"]
    assert [row["p90"] for row in expected] == shown.published["quantiles"]["0.9"]
    assert expected[0]["time"] > actual[-1]["time"] == shown.published["time"]
    upper = next(one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == "p90")
    assert {"id": "custom.fillBelowTo", "value": "p10"} in upper["properties"]
    assert load(FUTURE)["time"]["to"].startswith("now+")


async def test_the_worst_of_all_series_come_first(shown: Shown) -> None:
    """Noise is forecast worst, of all series and not only of those with metrics of their own."""
    panel = next(one for one in load(FUTURE)["panels"] if one["title"] == "Which series are forecast worst?")
    found = await rows(panel["targets"][0], shown)
    assert found[0]["series"] == "plant/c"
    assert len(found) == 3
