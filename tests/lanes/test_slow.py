"""The slow lane with real training processes, most of which fail."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config import Config
from streamer.errors import StateError
from streamer.lanes.fast import FastLane
from streamer.lanes.slow import SlowLane
from streamer.observe.metrics import RESULTS
from streamer.observe.words import gate
from streamer.records import MessageBatch
from streamer.stream.schedule import Cause
from streamer.stream.state import StreamState
from tests.streams import NOW, fast_lane, feed, sample, timed
from tests.train.failing import failing

RETRAIN = {"minimum": 40, "every": 5, "window": 200}


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[FastLane]:
    """A stream with 150 samples of one series."""
    made = fast_lane(tmp_path, timed(retrain=RETRAIN))
    grow(made, 0, 150)
    yield made
    made.journal.close()


def grow(fast: FastLane, begin: int, end: int) -> bool:
    """More ticks of the series; whether they made a training due."""
    return bool(fast.process(MessageBatch([sample("plant/a", t, float(np.sin(t))) for t in range(begin, end)], 1)).due)


def fail(stream: StreamState, times: int) -> None:
    """The newest trainings have failed, so many in a row."""
    stream.schedule.restore(times)


def slow_lane(fast: FastLane, trouble: str, **training: Any) -> SlowLane:
    """A slow lane whose training processes go wrong like that."""
    short = {"epochs": 2, "windows": 64, "batch": 32, "device": "auto", **training}
    config = Config.model_validate(
        {
            "mqtt": {"url": "mqtt://localhost"},
            "streams": [stream.config.model_dump() for stream in fast.streams],
            "state": {"path": fast.journal.path.parent},
            "training": short,
        }
    )
    return SlowLane(config, fast.journal, fast.lock, lambda: NOW, failing(trouble))


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("blunder", "crashed"),
        ("abort", "killed"),
        ("hang", "hung"),
        ("lack_memory", "out_of_memory"),
        ("diverge", "diverged"),
    ],
)
async def test_a_training_that_fails_is_counted_and_changes_nothing(
    fast: FastLane, trouble: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever ends a training, it counts under its reason once per network, a line says so, forecasts go on."""
    (stream,) = fast.streams
    slow = slow_lane(fast, trouble, stall=0.5 if trouble == "hang" else 60)
    await slow.attempt(stream)
    assert stream.counts.trainings.ended == {("memoryless", reason): 1, ("traditional", reason): 1}
    assert stream.schedule.failures == 1
    assert not stream.panel.networks
    assert reason in caplog.text
    (forecast,) = feed(fast, [sample("plant/a", 150, 1.0)])
    assert forecast["model"] == "mix"


async def test_what_fails_on_a_gpu_is_trained_on_the_cpu(fast: FastLane, caplog: pytest.LogCaptureFixture) -> None:
    """A GPU that fails in mid-run costs one warning; the networks come from the CPU and go live, nothing waits."""
    (stream,) = fast.streams
    caplog.set_level(logging.INFO)
    slow = slow_lane(fast, "lose_gpu_or_train", tune_decoder=True)
    fail(stream, 3)
    await slow.attempt(stream)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "CPU" in warning
    assert "unspecified launch failure" in warning
    assert stream.counts.trainings.ended == {
        (kind, result): 1 for kind in ("memoryless", "traditional") for result in ("device", "swapped")
    }
    assert "tuned stream=plant model=traditional" in caplog.text
    assert set(stream.panel.networks) == {"memoryless", "traditional"}
    assert stream.schedule.failures == 0
    assert slow.request_of(stream).device == "auto"


async def test_what_starves_is_trained_at_a_higher_priority(fast: FastLane, caplog: pytest.LogCaptureFixture) -> None:
    """A training that gets no processor begins again at once, no longer idle, and is no failure; the log tells."""
    (stream,) = fast.streams
    caplog.set_level(logging.INFO)
    await slow_lane(fast, "starve_or_train").attempt(stream)
    assert stream.counts.trainings.ended == {("memoryless", "swapped"): 1, ("traditional", "swapped"): 1}
    assert "no longer at idle priority stream=plant" in caplog.text
    assert stream.schedule.failures == 0


async def test_a_gpu_that_fails_is_not_asked_twice(fast: FastLane) -> None:
    """Where the training on the CPU fails as well, that is a failed training, not another try."""
    (stream,) = fast.streams
    await slow_lane(fast, "lose_gpu").attempt(stream)
    assert stream.counts.trainings.ended == {("memoryless", "device"): 2, ("traditional", "device"): 2}
    assert stream.schedule.failures == 1


def dues(fast: FastLane, failures: int, ticks: int) -> list[int]:
    """The ticks from now on, of that many, at which a training is due after so many failures in a row."""
    (stream,) = fast.streams
    stream.begin_training("growth")
    stream.fail_training()
    fail(stream, failures)
    begin = stream.series[0].tick + 1
    due = [grow(fast, t, t + 1) for t in range(begin, begin + ticks)]
    return [ticks for ticks, is_due in enumerate(due, 1) if is_due]


async def test_failures_make_the_next_training_wait_in_ticks(fast: FastLane) -> None:
    """Twice the ticks for each failure in a row, sixteen times at most; of the `minimum` until there is a network. Then
    none is due until that one has ended."""
    (stream,) = fast.streams
    assert (stream.schedule.growth, stream.schedule.failures) == (0, 0)
    assert dues(fast, 1, 160) == [80]
    assert dues(fast, 2, 160) == [160]
    await slow_lane(fast, "lose_gpu_or_train").attempt(stream)
    assert dues(fast, 0, 10) == [5]
    assert dues(fast, 1, 20) == [10]
    assert dues(fast, 4, 80) == [80]
    assert dues(fast, 50, 80) == [80]


async def test_nothing_comes_due_while_a_training_is_under_way(tmp_path: Path) -> None:
    """A stream that grows while its training runs is not trained again at once when that one fails."""
    fast = fast_lane(tmp_path, timed(retrain=RETRAIN, topics=["plant/a"]), timed(retrain=RETRAIN, name="other"))
    first, other = fast.streams
    slow = slow_lane(fast, "diverge")
    grown, done = list[bool](), asyncio.Event()

    class Heard(logging.Handler):
        """Lets the first stream grow while it trains, and queues the second, whose training is the last."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("training begins stream=plant"):
                grown.append(grow(fast, 50, 130))
                slow.request(other)
            elif record.getMessage().startswith("training begins stream=other"):
                done.set()

    logger, handler = logging.getLogger("streamer.train"), Heard(logging.INFO)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    assert grow(fast, 0, 50)
    slow.request(first)
    task = asyncio.create_task(slow.run())
    await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    logger.removeHandler(handler)
    assert grown == [False]
    assert first.counts.trainings.ended["memoryless", "diverged"] == 1
    assert grow(fast, 130, 131)
    fast.journal.close()


async def test_only_growth_is_learned_from_the_live_networks(fast: FastLane) -> None:
    """A training that is due because series have grown takes `warm_epochs`; one of a stream without networks, and one
    after a drift, take all epochs."""
    (stream,) = fast.streams
    slow = slow_lane(fast, "lose_gpu_or_train", device="cpu", epochs=3, warm_epochs=1)
    causes: list[Cause] = ["growth", "growth", "drift"]
    for cause in causes:
        stream.begin_training(cause)
        await slow.attempt(stream)
    epochs = [{len(losses) for losses in entry.losses.values()} for entry in slow.diary]
    assert epochs == [{3}, {1}, {3}]


async def test_a_candidate_that_does_not_fit_ends_the_daemon(fast: FastLane) -> None:
    """What a promotion cannot read is a bug, and no failed training: it is raised."""
    with pytest.raises(StateError):
        await slow_lane(fast, "misfit").attempt(fast.streams[0])


async def test_trainings_are_remembered(fast: FastLane) -> None:
    """Of each training remain cause, time, the loss of every epoch, and for each network what the gate compared."""
    (stream,) = fast.streams
    slow = slow_lane(fast, "lose_gpu_or_train")
    stream.begin_training("drift")
    await slow.attempt(stream)
    (entry,) = slow.diary
    assert (entry.stream, entry.cause, entry.begun, entry.device, entry.failure) == ("plant", "drift", NOW, "cpu", None)
    assert entry.seconds is not None
    assert {kind: len(losses) for kind, losses in entry.losses.items()} == {"memoryless": 2, "traditional": 2}
    assert {kind: (one.result, one.ratio, one.before) for kind, one in entry.decisions.items()} == {
        kind: ("swapped", stream.counts.trainings.gated[kind], None) for kind in ("memoryless", "traditional")
    }
    failed = slow_lane(fast, "diverge")
    await failed.attempt(stream)
    assert {one.result for one in failed.diary[0].decisions.values()} == {"diverged"}


def test_what_came_of_trainings_is_said_in_words() -> None:
    """Every result has its sentence, with the remedy where there is one, and the ratios that the gate compared."""
    assert "0.72 times the error of 'no change', the one that was live 0.80 times" in gate("swapped", 0.72, 0.8)
    assert gate("kept", 0.9, 0.8).startswith("the live one stays")
    for result in RESULTS:
        assert "failed (" not in gate(result, None, None)
