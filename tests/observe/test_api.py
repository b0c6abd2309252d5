"""The API over real HTTP: it says what is published and journaled, and nothing that is asked changes anything."""

import asyncio
import math
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jsonschema
import numpy as np
import pytest

from streamer.config import Stream
from streamer.lanes.fast import FastLane
from streamer.observe import window
from streamer.observe.api import BASE, OPERATIONS
from streamer.observe.openapi import plain
from streamer.records import Errors
from streamer.resume.snapshot import capture
from streamer.swap.promote import promote
from tests.observe.site import got, looked_at
from tests.resume.streams import candidates
from tests.streams import NOW, fast_lane, feed, message, sample, timed, untimed

NAMES = ["plant/b", "plant/a", "plant/c"]
TICKS = 160
TEXTS = ["", "0", "1", "-1", "1e9", "9" * 20, "nan", "٣", "%00", "%FF", "%F0%9F%92%A9", "a" * 300, "down", "csv"]


class Seen(NamedTuple):
    fast: FastLane
    url: str
    published: dict[str, Any]


def value(name: str, t: int) -> float:
    """Series a is a ramp that meets the threshold, b a wave, c noise."""
    return {"a": t / 2, "b": math.sin(t / 5), "c": math.sin(t * t)}[name[-1]]


@pytest.fixture
async def seen(tmp_path: Path) -> AsyncIterator[Seen]:
    stream = timed(thresholds=[{"name": "hot", "above": TICKS / 2 + 1}], forecasters=["linear"], max_ahead=None)
    fast = fast_lane(tmp_path, stream)
    published = {}
    for t in range(TICKS):
        for one in feed(fast, [sample(name, t, value(name, t)) for name in NAMES]):
            if "mean" in one:
                published[one["series"]] = one
    with looked_at(fast, tmp_path) as url:
        yield Seen(fast, url + BASE, published)
    fast.journal.close()


async def test_every_answer_is_as_the_document_says(seen: Seen) -> None:
    """The OpenAPI document names every path once, and each answer fits the schema that it gives."""
    document = (await got(f"{seen.url}/openapi.json")).json
    paths = {BASE + plain(one.path) for one in OPERATIONS} | {f"{BASE}/events"}
    assert set(document["paths"]) == paths
    await fits(seen.url)


async def test_a_forecast_is_the_one_published(seen: Seen) -> None:
    """Mean and bounds of a series, alone and in the list, are those of its newest message; CSV has the same."""
    listed = (await got(f"{seen.url}/series")).json
    assert [one["name"] for one in listed["series"]] == sorted(NAMES)
    for one in listed["series"]:
        published = seen.published[one["name"]]
        alone = (await got(f"{seen.url}/series/{one['id']}/forecast")).json
        assert alone == one["forecast"]
        assert {key: alone[key] for key in ("mean", "quantiles", "interval", "model", "version")} == {
            key: published[key] for key in ("mean", "quantiles", "interval", "model", "version")
        }
    lines = (await got(f"{seen.url}/series/1/forecast?format=csv")).body.splitlines()
    assert lines[0] == "lead,time,mean,0.1,0.9"
    name = next(one["name"] for one in listed["series"] if one["id"] == 1)
    assert [float(line.split(",")[2]) for line in lines[1:]] == seen.published[name]["mean"]


async def test_history_is_what_the_journal_has(seen: Seen) -> None:
    """The newest samples of a series come with their ticks and times, as many as asked for."""
    row = next(one for one in seen.fast.streams[0].series if one.name == "plant/b")
    found = (await got(f"{seen.url}/series/{row.ident}/history?points=50")).json
    expected = [value("b", t) for t in range(TICKS - 50, TICKS)]
    assert (found["values"], found["times"]) == (expected, [float(t) for t in range(TICKS - 50, TICKS)])
    lines = (await got(f"{seen.url}/series/{row.ident}/history?points=2&format=csv")).body.splitlines()
    assert lines == ["tick,time,value", *(f"{t},{float(t)},{value('b', t)}" for t in (TICKS - 2, TICKS - 1))]
    asked = await got(f"{seen.url}/series/{row.ident}/history?points=2", headers={"Accept": "text/csv"})
    assert asked.body.splitlines() == lines


async def test_the_list_is_searched_sorted_and_paged(seen: Seen) -> None:
    """Series come by what is asked for, unknown ones last, cut into pages."""

    async def names(query: str) -> list[str]:
        return [one["name"] for one in (await got(f"{seen.url}/series?{query}")).json["series"]]

    assert await names("q=ANT/A") == ["plant/a"]
    assert await names("stream=other") == []
    assert await names("order=down&limit=2") == ["plant/c", "plant/b"]
    assert await names("offset=2") == ["plant/c"]
    assert (await names("sort=threshold&order=down"))[0] == "plant/a"
    by_skill = (await got(f"{seen.url}/series?sort=skill&order=down")).json["series"]
    skills = [one["skill"]["persistence"] for one in by_skill]
    assert skills == sorted(skills, reverse=True)
    assert (await got(f"{seen.url}/series?limit=1")).json["total"] == 3


async def test_a_series_is_explained(seen: Seen) -> None:
    """Weights add up to 1 at every lead, skill is said in words, and the ramp is about to cross its threshold."""
    ramp = next(one for one in seen.fast.streams[0].series if one.name == "plant/a")
    found = (await got(f"{seen.url}/series/{ramp.ident}")).json
    assert np.sum([*found["weights"].values()], 0) == pytest.approx(np.ones(len(found["leads"])))
    assert "better than 'no change'" in found["words"]
    assert found["errors"]["mix"][-1] < found["errors"]["persistence"][-1]
    (hot,) = found["thresholds"]
    assert (hot["name"], hot["seconds"]) == ("hot", pytest.approx(3, abs=0.2))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/series?limit=0", 400),
        ("/series?limit=101", 400),
        ("/series?limit=1e3", 400),
        ("/series?offset=-1", 400),
        ("/series?sort=size", 400),
        (f"/series?q={'x' * 201}", 400),
        ("/series/1/history?points=10001", 400),
        ("/series/1/forecast?format=xml", 400),
        ("/events?ids=1,x", 400),
        (f"/events?ids={','.join(['1'] * 101)}", 400),
        ("/series/999", 404),
        (f"/series/{'9' * 400}", 404),
        ("/series/-1", 404),
        ("/series/1/../../../../etc/passwd", 404),
        ("/../../static/..%2f..%2fapp.py", 404),
        ("/nothing", 404),
    ],
)
async def test_nonsense_is_refused(seen: Seen, path: str, status: int) -> None:
    """What means nothing is told with a reason, and is never an error of the daemon."""
    answer = await got(seen.url + path)
    assert answer.status == status
    assert answer.body


async def test_rejections_are_told(seen: Seen) -> None:
    """A series says why messages of its topic were no samples, only those of its own, and what to do."""
    feed(seen.fast, [message("plant/a", b"?"), sample("plant/b", 0, 1)])
    told = {one.name: (await got(f"{seen.url}/series/{one.ident}")).json for one in seen.fast.streams[0].series}
    assert {name: [why["reason"] for why in one["rejected"]] for name, one in told.items()} == {
        "plant/a": ["syntax"], "plant/b": ["late"], "plant/c": []
    }  # fmt: skip
    assert "streams[].payload" in told["plant/a"]["rejected"][0]["remedy"]
    (stream,) = (await got(f"{seen.url}/streams")).json["streams"]
    assert {one["reason"]: one["messages"] for one in stream["rejected"]} == {"syntax": 1, "late": 1}


async def test_networks_say_what_the_gate_compared(seen: Seen) -> None:
    """A network in the journal has the error that the gate decided by, beside that of the one before, also in words."""
    stream, lane = seen.fast.streams[0], seen.fast
    for seed in (1, 2):
        proposed = [replace(one, live=Errors(1, 1, 0.5)) for one in candidates(stream, seed)]
        await promote(stream, proposed, lane.journal, lane.lock, NOW + seed)
    newest, *_ = (await got(f"{seen.url}/trainings")).json["networks"]
    assert (newest["version"], newest["before"]) == (2, 0.5)
    assert newest["ratio"] == pytest.approx(proposed[0].errors.ratio)
    assert f"{newest['ratio']:.2f} times the error of 'no change', the one that was live 0.50 times" in newest["words"]


async def test_no_query_is_an_error_of_the_daemon(seen: Seen) -> None:
    """Whatever stands in a query or path, the answer is one that the document names, as JSON that fits."""
    document = (await got(f"{seen.url}/openapi.json")).json
    chance = random.Random(0)
    for _ in range(150):
        one = chance.choice(OPERATIONS)
        names = [each.name for each in one.parameters] + ["other"]
        given = "&".join(f"{quote(chance.choice(names))}={quote(chance.choice(TEXTS), '%')}" for _ in range(3))
        path = plain(one.path).replace("{id}", chance.choice(["1", "2", "0", "9" * 30]))
        answer = await got(f"{seen.url}{path}?{given}")
        responses = document["paths"][BASE + plain(one.path)]["get"]["responses"]
        assert str(answer.status) in responses, (path, given, answer)
        if answer.headers["content-type"] == "application/json":
            schema = responses[str(answer.status)]["content"]["application/json"]["schema"]
            jsonschema.validate(answer.json, {**schema, "components": document["components"]})


async def test_looking_changes_nothing(seen: Seen) -> None:
    """After every question all that a stream keeps is as before, bit for bit."""
    stream = seen.fast.streams[0]
    before = {part.name: {key: array.copy() for key, array in part.arrays().items()} for part in stream.parts()}
    newest = capture(stream)
    for one in OPERATIONS:
        await got(seen.url + plain(one.path).replace("{id}", "1"))
    for part in stream.parts():
        for key, array in part.arrays().items():
            np.testing.assert_array_equal(array, before[part.name][key])
    assert str(capture(stream)) == str(newest)


async def test_a_busy_daemon_says_so(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch is open, as on a full disk, questions are answered with 503 in time, and later as ever."""
    monkeypatch.setattr(window, "ASK_SECONDS", 0.1)
    async with seen.fast.lock:
        assert (await got(f"{seen.url}/streams")).status == 503
        assert (await asyncio.gather(*(got(f"{seen.url}/series/{one}") for one in range(1, 4))))[0].status == 503
    assert (await got(f"{seen.url}/streams")).status == 200


@pytest.mark.parametrize(
    ("stream", "ticks"),
    [
        (untimed(), 40),
        (untimed(payload={"format": "array", "d": 2}), 40),
        (timed(max_ahead=None), 1),
        (timed(max_ahead=None, publish={"quantiles": []}), 40),
        (timed(max_ahead=None, fill="last"), 40),
        (timed(max_ahead=None, publish={"every": 7}), 40),
        (timed(max_ahead=None, publish={"model": "persistence"}), 40),
    ],
    ids=["untimed", "vector", "one sample", "no bands", "filled", "every 7th", "persistence"],
)
async def test_every_kind_of_stream_is_shown(stream: Stream, ticks: int, tmp_path: Path) -> None:
    """Whatever the configuration, all that the API has of a series fits the document."""
    fast = fast_lane(tmp_path, stream)
    for t in range(ticks):
        plain_payload = b"[%d, 1]" % t if stream.sizes.d == 2 else b"%d" % (t % 7)
        feed(fast, [sample("plant/a", t, t % 7) if stream.interval else message("plant/a", plain_payload)])
    with looked_at(fast, tmp_path) as url:
        await fits(url + BASE, without="" if ticks > 1 else "/forecast")
    fast.journal.close()


async def fits(url: str, without: str = "") -> None:
    """Asserts that every answer is there, and as the document says, but for one that is missing."""
    document = (await got(f"{url}/openapi.json")).json
    for one in OPERATIONS:
        answer = await got(url + plain(one.path).replace("{id}", "1"))
        if without and one.path.endswith(without):
            assert answer.status == 404
            continue
        schema = document["paths"][BASE + plain(one.path)]["get"]["responses"]["200"]["content"]["application/json"]
        assert answer.status == 200, answer
        jsonschema.validate(answer.json, {**schema["schema"], "components": document["components"]})
