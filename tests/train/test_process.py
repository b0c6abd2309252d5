"""Training in a process of its own, on a real journal; the process may die, hang or find nothing to train on."""

import asyncio
import json
import os
import select
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from streamer.errors import TrainingFailed
from streamer.lanes.slow import usual_threads
from streamer.models import KINDS
from streamer.records import Recipe, Sizes
from streamer.store.journal import Journal, Source
from streamer.tools.replay.signals import Signal
from streamer.train.dataset import read_buffer
from streamer.train.process import start, train
from streamer.train.request import Request
from streamer.train.starving import SCHEDSTAT, starving
from streamer.train.weights import network_of
from streamer.train.worker import BEAT_SECONDS, heartbeat
from tests.broker import until
from tests.train.failing import failing

SIZES = Sizes(m=20, k=5, p=2, n=8, cell="rnn")


def filled(directory: Path, samples: int = 400) -> Journal:
    """A journal with two series of the sine wave, in very different units."""
    journal = Journal.open(directory)
    for ident, (topic, gain) in enumerate([("a", 1.0), ("b", 1e6)], start=1):
        values = gain * (5 + Signal("sine").noisy(samples, seed=1))
        with journal.transaction():
            journal.add_series([(ident, Source("waves", "", 1, 1.0), topic, "")])
            journal.append((ident, t, float(t), struct.pack("<d", x)) for t, x in enumerate(values))
    return journal


def request(where: Path, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "directory": str(where),
        "stream": "waves",
        "series": [1, 2],
        "most": 10_000,
        "window": 400,
        "max_gap": 5,
        "held_out": 0.2,
        "device": "cpu",
        "threads": 1,
        "sizes": SIZES,
        "recipe": Recipe(epochs=3, windows=320, batch=32, seed=5),
        "idle": False,
    }
    return Request(**{**fields, **changes})


Children = Callable[[], set[psutil.Process]]


@pytest.fixture
def children() -> Children:
    """The processes that a test has added below its own, dead ones that nobody has waited for included."""
    others = set(psutil.Process().children())
    return lambda: set(psutil.Process().children(recursive=True)) - others


def ends(process: psutil.Process) -> bool:
    """Whether it is gone or soon will be, its parent having waited for it or not."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = filled(tmp_path)
    yield opened
    opened.close()


async def test_both_networks_come_back_with_their_errors(journal: Journal, tmp_path: Path) -> None:
    """A training gives a candidate of each kind: weights that fit, a scale per series, E_p of it and of persistence."""
    lines: list[dict[str, Any]] = []
    candidates = await train(request(tmp_path), lines.append, timeout=60, stall=60)
    assert [candidate.kind for candidate in candidates] == ["memoryless", "traditional"]
    assert [line["epoch"] for line in lines if line["event"] == "progress"] == [1, 2, 3, 1, 2, 3]
    for candidate in candidates:
        assert network_of(candidate.kind, SIZES, candidate.weights).kind == candidate.kind
        assert 0 < candidate.errors.e_p < 2
        assert candidate.live is None
        means = [float(mean[0]) for mean, _ in candidate.scales.values()]
        assert means[1] == pytest.approx(1e6 * means[0])
    x = 5 + Signal("sine").noisy(400, seed=1)
    z = (x - x[:320].mean()) / x[:320].std()
    origins = np.arange(320, 391)
    naive = np.sqrt(np.mean([(z[o - 1] - z[o : o + 10]) ** 2 for o in origins[len(origins) // 2 :]]))
    assert candidates[0].errors.persistence == pytest.approx(naive, rel=1e-4)


async def test_the_same_seed_gives_the_same_weights(journal: Journal, tmp_path: Path) -> None:
    """A training is a function of buffer, recipe and seed."""
    first = await train(request(tmp_path), lambda _: None, timeout=60, stall=60)
    again = await train(request(tmp_path), lambda _: None, timeout=60, stall=60)
    other = await train(
        request(tmp_path, recipe=Recipe(epochs=3, windows=320, seed=6)), lambda _: None, timeout=60, stall=60
    )
    assert [candidate.weights for candidate in first] == [candidate.weights for candidate in again]
    assert first[0].weights != other[0].weights


async def test_side_by_side_and_one_after_the_other_give_the_same(
    journal: Journal, tmp_path: Path, children: Children
) -> None:
    """With a thread for each network the process makes a copy of itself; every weight is as with one thread."""
    single = await train(request(tmp_path, threads=1), lambda _: None, timeout=60, stall=60)
    lines, processes = list[dict[str, Any]](), set[psutil.Process]()

    def watch(line: dict[str, Any]) -> None:
        lines.append(line)
        processes.update(children())

    double = await train(request(tmp_path, threads=2), watch, timeout=60, stall=60)
    assert len(processes) == 2
    for kind in KINDS:
        assert [line["epoch"] for line in lines if line["event"] == "progress" and line["kind"] == kind] == [1, 2, 3]
    assert [(each.kind, each.weights, each.errors) for each in double] == [
        (each.kind, each.weights, each.errors) for each in single
    ]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has it")
@pytest.mark.parametrize("idle", [True, False])
async def test_it_gives_way(journal: Journal, tmp_path: Path, children: Children, idle: bool) -> None:
    """The training process and its copy are idle, or at least nice, in the daemon's own session, where alone their
    priority counts beside the daemon's; where memory is short they, and not the daemon, are killed."""
    found = set[tuple[int, int, int, bool]]()

    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    def watch(line: dict[str, Any]) -> None:
        if line["event"] == "buffer":
            for process in children():
                first = score(process.pid) > score(os.getpid())
                found.add((os.sched_getscheduler(process.pid), process.nice(), os.getsid(process.pid), first))

    await train(request(tmp_path, threads=2, idle=idle), watch, timeout=60, stall=60)
    policy, steps = (os.SCHED_IDLE, 10) if idle else (os.SCHED_OTHER, 5)
    assert found == {(policy, min(psutil.Process().nice() + steps, 19), os.getsid(0), True)}


@pytest.fixture
def busy_core() -> Iterator[psutil.Popen]:
    """A process that keeps a core busy, which is the only one for all processes that the test starts."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    busy = psutil.Popen([sys.executable, "-c", "while True: pass"])
    yield busy
    busy.kill()
    busy.wait()
    os.sched_setaffinity(0, cores)


LONG = Recipe(epochs=5000, windows=320)


@pytest.mark.skipif(not SCHEDSTAT.exists(), reason="this system does not tell how long a process waits")
async def test_an_idle_training_gives_up_on_a_busy_machine(
    journal: Journal, tmp_path: Path, busy_core: psutil.Popen
) -> None:
    """Where another process keeps the processor busy, a training at idle priority says so before long, and ends."""
    with pytest.raises(TrainingFailed) as failed:
        await train(request(tmp_path, recipe=LONG, idle=True), lambda _: None, timeout=300, stall=300)
    assert failed.value.reason == "starved"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone has it")
async def test_another_training_makes_progress_on_a_busy_machine(
    journal: Journal, tmp_path: Path, children: Children, busy_core: psutil.Popen
) -> None:
    """There, one that is not at idle priority gets a part of the processor for which one can wait."""
    begun = asyncio.Event()

    def watch(line: dict[str, Any]) -> None:
        if line["event"] == "progress":
            begun.set()

    def spent(process: psutil.Process) -> float:
        return sum(process.cpu_times()[:2])

    task = asyncio.create_task(train(request(tmp_path, recipe=LONG, idle=False), watch, timeout=300, stall=300))
    await begun.wait()
    (worker,) = children() - {busy_core}
    before, since = spent(worker), spent(busy_core)
    await until(lambda: spent(busy_core) - since > 2, seconds=100)
    share = (spent(worker) - before) / (spent(worker) - before + spent(busy_core) - since)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0.1 < share < 0.4


@pytest.mark.parametrize(
    ("run", "wait", "starves"),
    [(0.0, 9.0, False), (0.1, 11.0, True), (2.0, 11.0, False), (600.0, 7000.0, False), (60.0, 1200.0, True)],
)
def test_starving(run: float, wait: float, starves: bool) -> None:
    """A training starves that has waited for long, and for nearly all of its time: one that ran well before is not
    thrown away for a short wait."""
    assert starving(run, wait) is starves


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("victim", [0, -1])
async def test_a_killed_process_is_a_failure_with_a_reason(
    journal: Journal, tmp_path: Path, children: Children, threads: int, victim: int
) -> None:
    """kill -9 of the training process, or of its copy, ends the training as `killed`, names the signal, leaves none."""
    found = set[psutil.Process]()

    def kill(line: dict[str, Any]) -> None:
        found.update(children())
        if line["event"] == "progress" and len(found) == threads:
            with suppress(psutil.NoSuchProcess):  # lines that were said before it died come after
                sorted(found, key=lambda process: process.create_time())[victim].kill()

    long = request(tmp_path, threads=threads, recipe=Recipe(epochs=5000, windows=320))
    with pytest.raises(TrainingFailed, match="SIGKILL") as failed:
        await train(long, kill, timeout=60, stall=60)
    assert failed.value.reason == "killed"
    assert all(map(ends, found))


@pytest.mark.parametrize(
    ("trouble", "reason", "said"),
    [
        ("lack_memory", "out_of_memory", "can't allocate memory"),
        ("lose_gpu", "device", "unspecified launch failure"),
        ("abort", "killed", "SIGABRT"),
        ("blunder", "crashed", "RuntimeError: mat1 and mat2"),
        ("lack_memory_aside", "out_of_memory", "can't allocate memory"),
        ("abort_aside", "killed", "SIGABRT"),
        ("blunder_aside", "crashed", "RuntimeError: mat1 and mat2"),
    ],
)
async def test_trouble_has_its_own_reason(tmp_path: Path, trouble: str, reason: str, said: str) -> None:
    """Memory that is not to be had, a GPU that fails, a signal and a bug are told apart, in the words of the cause."""
    with pytest.raises(TrainingFailed, match=said) as failed:
        await train(request(tmp_path, device="cuda"), lambda _: None, 60, 60, failing(trouble))
    assert failed.value.reason == reason


@pytest.mark.parametrize("device", ["cuda", None])
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("time.sleep(60)", "hung"),
        ("time.sleep(60)", "timeout"),
        ("os.abort()", "killed"),
        ("sys.exit(3)", "crashed"),
        ("""print('{"event": "failed", "reason": "no_data", "detail": ""}')""", "no_data"),
    ],
)
async def test_a_failure_carries_the_device_reported_before_it(
    tmp_path: Path, end: str, reason: str, device: str | None
) -> None:
    """Every failure names the device of the "start" event; one without that event before it names none."""
    start = json.dumps({"event": "start", "device": device} if device else {"event": "alive"})
    worker = "-c", f"import os, sys, time; print({start!r}, flush=True); {end}"
    timeout, stall = (2, 60) if reason == "timeout" else (60, 2)
    with pytest.raises(TrainingFailed) as failed:
        await train(request(tmp_path), lambda _: None, timeout, stall, worker)
    assert (failed.value.reason, failed.value.device) == (reason, device)


async def test_a_silent_process_is_ended_as_hung(tmp_path: Path, children: Children) -> None:
    """A process that says nothing for `stall` seconds is gone long before `timeout`."""
    with pytest.raises(TrainingFailed) as failed:
        await train(request(tmp_path), lambda _: None, 60, 0.5, failing("hang"))
    assert failed.value.reason == "hung"
    assert not children()


async def test_a_copy_that_hears_nothing_is_ended_too(tmp_path: Path, children: Children) -> None:
    """Where the copy is stopped and cannot notice that its original is gone, cancelling still leaves no process."""
    stopped, found = asyncio.Event(), set[psutil.Process]()

    def watch(line: dict[str, Any]) -> None:
        found.update(children())
        stopped.set()

    task = asyncio.create_task(train(request(tmp_path), watch, 60, 60, failing("freeze_aside")))
    await stopped.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(found) == 2
    assert all(map(ends, found))


async def test_a_training_over_its_time_is_ended(journal: Journal, tmp_path: Path, children: Children) -> None:
    """After `timeout` the process is gone and the reason is `timeout`."""
    with pytest.raises(TrainingFailed) as failed:
        await train(request(tmp_path, recipe=Recipe(epochs=5000, windows=320)), lambda _: None, timeout=0.5, stall=60)
    assert failed.value.reason == "timeout"
    assert not children()


@pytest.mark.parametrize("threads", [1, 2])
async def test_cancelling_ends_the_process(journal: Journal, tmp_path: Path, children: Children, threads: int) -> None:
    """A daemon that stops takes its training process with it, and the copy of it."""
    begun = asyncio.Event()
    long = request(tmp_path, threads=threads, recipe=Recipe(epochs=5000, windows=320))
    found = set[psutil.Process]()

    def watch(line: dict[str, Any]) -> None:
        if line["event"] == "progress":
            found.update(children())
            begun.set()

    task = asyncio.create_task(train(long, watch, timeout=60, stall=60))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(found) == threads
    assert all(map(ends, found))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"series": [7]}, "no_data"),
        ({"window": 24}, "no_data"),
        ({"directory": "/nonexistent"}, "journal"),
    ],
)
async def test_what_cannot_be_trained_says_why(
    journal: Journal, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    """Too few samples and a missing journal each fail under their own name."""
    with pytest.raises(TrainingFailed) as failed:
        await train(request(tmp_path, **changes), lambda _: None, timeout=60, stall=60)
    assert failed.value.reason == reason


async def test_a_network_that_diverges_is_reported_and_gives_no_candidate(journal: Journal, tmp_path: Path) -> None:
    """A recipe that leads to no finite error ends in `diverged` for each kind, at once, and fails nothing else."""
    lines: list[dict[str, Any]] = []
    wild = Recipe(epochs=3, windows=320, learning_rate=1e30, clip=1e30)
    assert await train(request(tmp_path, recipe=wild), lines.append, timeout=60, stall=60) == []
    assert [line["kind"] for line in lines if line["event"] == "diverged"] == ["memoryless", "traditional"]
    assert [line["epoch"] for line in lines if line["event"] == "progress"] == [1, 1]


async def test_a_process_that_ends_before_its_work_is_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stops within a candidate is `crashed` whatever its exit code, and so is one never begun."""
    cut = """import sys; sys.stdin.readline(); sys.stdout.write('{"event": "candidate", "kin')"""
    with pytest.raises(TrainingFailed, match="ended with code 0"):
        await train(request(tmp_path), lambda _: None, 60, 60, ("-c", cut))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(TrainingFailed, match="cannot be started"):
        await train(request(tmp_path), lambda _: None, timeout=60, stall=60)


def test_a_training_gives_signs_of_life_and_a_hung_one_none() -> None:
    """The loop's own steps are reported, at most one in BEAT_SECONDS; without steps nothing is."""
    now, lines = 0.0, list[dict[str, Any]]()
    beat = heartbeat(lines.append, lambda: now)
    for _ in range(100):
        now += BEAT_SECONDS / 10
        beat()
    now += 100 * BEAT_SECONDS
    assert lines == [{"event": "alive"}] * 9


async def test_a_tuned_decoder_is_reported(journal: Journal, tmp_path: Path) -> None:
    """With `tune_decoder` the traditional network is tuned before it is a candidate; a line says with what effect."""
    lines: list[dict[str, Any]] = []
    recipe = Recipe(epochs=3, windows=320, seed=5, tune_decoder=True)
    candidates = await train(request(tmp_path, recipe=recipe), lines.append, timeout=60, stall=60)
    plain = await train(
        request(tmp_path, recipe=replace(recipe, tune_decoder=False)), lines.append, timeout=60, stall=60
    )
    assert candidates[0].weights == plain[0].weights
    (tuned,) = [line for line in lines if line["event"] == "tuned"]
    assert tuned["kind"] == "traditional"
    assert tuned["e_p"] < tuned["before"]
    assert candidates[1].weights != plain[1].weights


def test_only_as_many_series_as_asked_are_read(journal: Journal, tmp_path: Path) -> None:
    """A stream with more ticks than `most` is trained on the first series of the order given."""
    assert list(read_buffer(journal, request(tmp_path, series=[2, 1], most=300))) == [2]
    assert list(read_buffer(journal, request(tmp_path, series=[2, 1], most=500))) == [2, 1]


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (16, 2)])
def test_each_network_has_a_thread(cores: int, threads: int) -> None:
    """By default no core is taken that a network of this size gains nothing by; on one core both take turns."""
    assert usual_threads(cores) == threads


async def test_a_training_does_not_know_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the daemon's environment a training has all but the settings of the connection."""
    monkeypatch.setenv("STREAMER_MQTT__PASSWORD", "hunter2")
    monkeypatch.setenv("STREAMER_OTHER", "kept")
    process = await start(["-c", "import os; print(sorted(os.environ))"], 1)
    out, _ = await process.communicate()
    assert b"STREAMER_OTHER" in out
    assert b"PASSWORD" not in out
