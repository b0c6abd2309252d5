"""Candidates go live: warmed from the journal, caught up with what came meanwhile, and found again after a restart."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamer.errors import TrainingFailed
from streamer.models import KINDS, Kind, build
from streamer.records import Candidate, Errors, Floats
from streamer.store.outcomes import Span, newest_network, outcomes_after
from streamer.store.samples import Limits
from streamer.stream.state import StreamState
from streamer.swap.promote import promote
from streamer.train.weights import dump, network_of
from tests.models.reference import REFERENCES, live
from tests.streams import NOW, fast_lane, feed, message, resumed, sample, save, timed

SLACK = 8
"""Ticks by which a trim may lag, with chunks of 2, settled from 4 on."""
NAMES = [f"plant/{i}" for i in range(70)]
"""More series than fit one tile."""


def candidates(stream: StreamState, e_p: float = 0.5) -> list[Candidate]:
    """Random networks, trained on the first half of the series, say."""
    out = []
    for i, kind in enumerate(KINDS):
        torch.manual_seed(i)
        weights = dump(build(kind, stream.config.sizes).state_dict())
        scales = {one.ident: (np.array([0.5]), np.array([2.0])) for one in stream.series[: len(stream.series) // 2]}
        out.append(Candidate(kind, weights, scales, Errors(e_p, 1.0, e_p)))
    return out


def values(ticks: range, names: list[str]) -> list[Any]:
    return [sample(name, t, float(np.sin(t + 3 * i))) for t in ticks for i, name in enumerate(names)]


def expected(stream: StreamState, kind: Kind, candidate: Candidate, ticks: range, i: int) -> Floats:
    x = np.sin(np.array(ticks) + 3.0 * i)
    if kind == "memoryless":
        network = network_of(kind, stream.config.sizes, candidate.weights)
        return live(network, x, np.array(ticks, np.float64), 1.0, 1)[0]
    z = (x - 0.5) / 2.0
    return REFERENCES[kind](network_of(kind, stream.config.sizes, candidate.weights), z[:, None], 1)[0]


def created(stream: StreamState) -> dict[str, float]:
    """When each live network went live."""
    return {kind: network.created for kind, network in stream.panel.networks.items()}


async def test_samples_that_come_while_states_are_warmed_are_not_missed(tmp_path: Path) -> None:
    """Forecasts go on by the old model during a promotion; the new states have seen every sample when it is done."""
    fast = fast_lane(tmp_path, timed(publish={"model": "memoryless"}))
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES))
    proposed = candidates(stream)
    promotion = asyncio.create_task(promote(stream, proposed, fast.journal, fast.lock, NOW))
    await asyncio.sleep(0)
    t = 50
    while not promotion.done():
        heard = feed(fast, values(range(t, t + 1), NAMES))
        assert [one["model"] for one in heard] == ["mix"] * len(NAMES)
        t += 1
        await asyncio.sleep(0)
    assert await promotion == 1
    assert t > 51, "nothing came meanwhile: the test has shown nothing"
    heard = feed(fast, values(range(t, t + 1), NAMES))
    assert [(one["model"], one["version"]) for one in heard] == [("memoryless", 1)] * len(NAMES)
    begun = 50 - 4 * stream.config.sizes.m
    for candidate in proposed:
        for i in (0, 20, 34):
            state = stream.panel.networks[candidate.kind].s[i]
            wanted = expected(stream, candidate.kind, candidate, range(begun, t + 1), i)
            np.testing.assert_allclose(state, wanted, atol=1e-5)
    (outcome,) = outcomes_after(fast.journal, "plant", stream.config.sizes, 0)
    assert (outcome.version, outcome.created) == (1, NOW)
    assert outcome.spans[stream.series[0].ident] == Span(begun, t - 1, 50)
    assert newest_network(fast.journal, "plant", "memoryless", stream.config.sizes) is not None
    fast.journal.close()


async def test_a_series_that_appears_during_the_promotion_is_forecast(tmp_path: Path) -> None:
    """A topic whose first sample comes while states are warmed is stepped and forecast like the others."""
    fast = fast_lane(tmp_path, timed(publish={"model": "traditional"}))
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES[:3]))
    promotion = asyncio.create_task(promote(stream, candidates(stream), fast.journal, fast.lock, NOW))
    await asyncio.sleep(0)
    feed(fast, values(range(50, 53), ["plant/new"]))
    await promotion
    (heard,) = feed(fast, values(range(53, 54), ["plant/new"]))
    assert heard["model"] == "traditional"
    assert np.isfinite(heard["mean"]).all()
    fast.journal.close()


async def test_more_series_appear_during_the_promotion_than_there_was_room_for(tmp_path: Path) -> None:
    """New networks are given room for series that come while they are warmed, and their states have seen every sample
    of those too: they are what the reference computes from zero."""
    fast = fast_lane(tmp_path, timed(publish={"model": "memoryless"}))
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES[:60]))
    room, proposed = stream.room, candidates(stream)
    promotion = asyncio.create_task(promote(stream, proposed, fast.journal, fast.lock, NOW))
    await asyncio.sleep(0)
    feed(fast, values(range(50, 55), NAMES))
    assert stream.room > room
    await promotion
    for candidate in proposed:
        late = len(NAMES) - 1
        network = stream.panel.networks[candidate.kind]
        assert len(network.s) == stream.room
        z = (np.sin(np.arange(50, 55) + 3.0 * late) - network.scale.mean[late]) / network.scale.sd(np.array([late]))[0]
        assert np.isfinite(z).all()
        assert network.scale.arrays()["count"][late] == 5
        assert np.any(network.s[late] != 0)
    heard = feed(fast, values(range(55, 56), NAMES))
    assert [(one["model"], np.isfinite(one["mean"]).all()) for one in heard] == [("memoryless", True)] * len(NAMES)
    fast.journal.close()


async def test_an_outcome_ends_a_row_of_failures(tmp_path: Path) -> None:
    """After failed trainings a swap counts as success at once, and after a kill as well: the next training is due after
    `every` ticks again, live and resumed."""
    retrain = {"minimum": 30, "every": 20, "window": 200}
    fast = fast_lane(tmp_path, timed(retrain=retrain))
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES[:1]))
    for _ in range(3):
        stream.schedule.failed()
    save(fast)
    await promote(stream, candidates(stream), fast.journal, fast.lock, NOW)
    assert (stream.schedule.growth, stream.schedule.failures) == (0, 0)
    feed(fast, values(range(50, 57), NAMES[:1]))
    fast.journal.close()
    again = resumed(tmp_path, timed(retrain=retrain))
    assert (again.streams[0].schedule.growth, again.streams[0].schedule.failures) == (7, 0)
    again.journal.close()


async def test_a_clean_restart_gives_the_same_forecasts_to_the_last_bit(tmp_path: Path) -> None:
    """With a snapshot of the stop, the next forecasts equal those of a stream that never stopped."""
    fast = fast_lane(tmp_path, timed(publish={"model": "memoryless"}))
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES))
    await promote(stream, candidates(stream), fast.journal, fast.lock, NOW)
    feed(fast, values(range(50, 90), NAMES))
    save(fast)
    fast.journal.close()
    again = resumed(tmp_path, timed(publish={"model": "memoryless"}))
    assert feed(again, values(range(90, 91), NAMES)) == await unbroken(tmp_path / "other")
    for kind, network in again.streams[0].panel.networks.items():
        assert network.version == 1, kind
    again.journal.close()


async def test_after_a_restart_the_networks_of_before_go_on(tmp_path: Path) -> None:
    """A restart costs no series its networks: what was live is live, since when it was, and can be published."""
    fast = fast_lane(tmp_path, timed())
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES))
    save(fast)
    await promote(stream, candidates(stream), fast.journal, fast.lock, NOW)
    fast.journal.close()
    again = resumed(tmp_path, timed(publish={"model": "traditional"}))
    assert {one["model"] for one in feed(again, values(range(50, 51), NAMES))} == {"traditional"}
    assert created(again.streams[0]) == {"memoryless": NOW, "traditional": NOW}
    again.journal.close()


async def test_a_cancelled_promotion_leaves_no_work_behind(tmp_path: Path) -> None:
    """Cancelling ends the warming thread at its next tick, and the stream is as it was."""
    fast = fast_lane(tmp_path, timed())
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES))
    promotion = asyncio.create_task(promote(stream, candidates(stream), fast.journal, fast.lock, NOW))
    await asyncio.sleep(0)
    promotion.cancel()
    with pytest.raises(asyncio.CancelledError):
        await promotion
    async with asyncio.timeout(2):
        await asyncio.get_running_loop().shutdown_default_executor()
    assert not stream.promotions.under_way
    assert not stream.panel.networks
    fast.journal.close()


async def unbroken(directory: Path) -> list[dict[str, Any]]:
    """The same samples and swap without a stop: the forecasts of the last tick."""
    fast = fast_lane(directory, timed(publish={"model": "memoryless"}))
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES))
    await promote(stream, candidates(stream), fast.journal, fast.lock, NOW)
    feed(fast, values(range(50, 90), NAMES))
    heard = feed(fast, values(range(90, 91), NAMES))
    fast.journal.close()
    return heard


async def test_without_a_snapshot_states_are_warmed_anew(tmp_path: Path) -> None:
    """Where no snapshot can be read the networks are live at once, their states those of the newest 4·m samples."""
    fast = fast_lane(tmp_path, timed())
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES))
    proposed = candidates(stream)
    await promote(stream, proposed, fast.journal, fast.lock, NOW)
    feed(fast, values(range(50, 60), NAMES))
    fast.journal.close()
    again = resumed(tmp_path, timed())
    (other,) = again.streams
    for candidate in proposed:
        wanted = expected(other, candidate.kind, candidate, range(60 - 4 * other.config.sizes.m, 60), 7)
        np.testing.assert_allclose(other.panel.networks[candidate.kind].s[7], wanted, atol=1e-5)
    assert (other.schedule.growth, other.schedule.failures) == (10, 0)
    again.journal.close()


async def test_a_new_network_enters_without_weight(tmp_path: Path) -> None:
    """Right after a swap the mixture is what it was before: a network speaks in it once it has proven itself on the
    series, whatever its errors on past data were."""
    plain, swapped = (fast_lane(tmp_path / name, timed()) for name in ("plain", "swapped"))
    for fast in (plain, swapped):
        feed(fast, [message_at(t) for t in range(50)])
    await promote(swapped.streams[0], candidates(swapped.streams[0]), swapped.journal, swapped.lock, NOW)
    (one,), (other,) = (feed(fast, [message_at(50)]) for fast in (plain, swapped))
    assert (one["model"], one["version"], other["model"], other["version"]) == ("mix", 0, "mix", 1)
    assert one["mean"] == other["mean"]
    for fast in (plain, swapped):
        fast.journal.close()


async def test_nothing_is_trimmed_that_a_swap_reads(tmp_path: Path) -> None:
    """While states are warmed, and until both kept snapshots hold the new networks, the journal keeps the samples that
    they were warmed on, however small the window."""
    limits = Limits(room=48, few=1, settle=4, per_series=1)
    fast = fast_lane(tmp_path, timed(retrain={"minimum": 30, "window": 30}), limits=limits)
    (stream,) = fast.streams
    t = 0

    def more(ticks: int) -> int:
        nonlocal t
        for _ in range(ticks):
            feed(fast, [message_at(t)])
            t += 1
        return int(fast.journal.newest(1, 10_000)[0][0])

    def saved() -> int:
        save(fast)
        return more(100)

    oldest = [saved() for _ in range(4)][-1]
    assert t - 200 - SLACK <= oldest <= t - 200
    before = t
    async with fast.lock:
        promotion = asyncio.create_task(promote(stream, candidates(stream), fast.journal, fast.lock, NOW))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stream.promotions.under_way
    assert [saved(), saved()] == [oldest, oldest]
    await promotion
    first = before - 4 * stream.config.sizes.m
    assert first - SLACK <= saved() <= first
    oldest = saved()
    assert t - 200 - SLACK <= oldest <= t - 200
    fast.journal.close()


async def test_a_training_that_admits_nothing_is_a_version_too(tmp_path: Path) -> None:
    """With no candidate the live networks stay as they are, to the last bit; the version is known after a restart."""
    fast = fast_lane(tmp_path, timed())
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES[:2]))
    await promote(stream, candidates(stream), fast.journal, fast.lock, NOW)
    save(fast)
    states = {kind: network.s.copy() for kind, network in stream.panel.networks.items()}
    assert await promote(stream, [], fast.journal, fast.lock, NOW + 1) == 2
    assert all(np.array_equal(states[kind], network.s) for kind, network in stream.panel.networks.items())
    assert stream.promotions.version == 2
    assert created(stream)["memoryless"] == NOW
    fast.journal.close()
    again = resumed(tmp_path, timed())
    assert again.streams[0].promotions.version == 2
    assert {kind: network.version for kind, network in again.streams[0].panel.networks.items()} == dict.fromkeys(
        KINDS, 1
    )
    again.journal.close()


async def test_a_journal_that_cannot_be_written_keeps_the_live_networks(tmp_path: Path) -> None:
    """A swap that cannot be written down does not happen: the training has failed, for the reason `journal`."""
    fast = fast_lane(tmp_path, timed())
    (stream,) = fast.streams
    feed(fast, values(range(50), NAMES[:2]))
    with closing(sqlite3.connect(fast.journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        fast.journal.database.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(TrainingFailed, match="journal") as failed:
            await promote(stream, candidates(stream), fast.journal, fast.lock, NOW)
    assert failed.value.reason == "journal"
    assert (stream.panel.networks, stream.promotions.version, stream.promotions.under_way) == ({}, 0, False)
    assert await promote(stream, candidates(stream), fast.journal, fast.lock, NOW) == 1
    fast.journal.close()


def message_at(t: int) -> Any:
    return message("plant/a", b'{"time": %d, "value": %d}' % (t, t % 7))
