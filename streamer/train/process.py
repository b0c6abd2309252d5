"""A request in, candidates out: trains in a process of its own, whose death or hang leaves the daemon unharmed."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from streamer.errors import TrainingFailed
from streamer.models import KINDS
from streamer.records import Candidate, Errors
from streamer.train.request import Request

LINE_LIMIT = 2**30
"""Longest line that the process may write, in bytes; a candidate's weights are in one line."""
GRACE_SECONDS = 1.0
"""Time between asking the process to end and killing it."""
WORKER = ("-m", "streamer.train.worker")
"""Arguments of the python interpreter that trains."""
CONNECTION = "STREAMER_MQTT__"
"""What the names of environment variables begin with that training has no use for: the password among them."""
MEMORY_KEPT = str(32 * 2**20)
"""Bytes of freed memory that glibc keeps; by default every step of a training returns megabytes and asks for them."""


async def train(
    request: Request,
    progress: Callable[[dict[str, Any]], None],
    timeout: float,
    stall: float,
    worker: Sequence[str] = WORKER,
) -> list[Candidate]:
    """The candidates of one training; `progress` is called with each report of its progress.

    Cancelling this, `timeout` seconds in all, or `stall` seconds without a line end the process. Raises TrainingFailed
    with the device that the process had reported by then: timeout, hung, killed (by a signal), crashed, or the reason
    that the process gave (train/failures.py).
    """
    process = await start(worker, request.threads_each)
    device: str | None = None

    def report(document: dict[str, Any]) -> None:
        nonlocal device
        if document["event"] == "start":
            device = document["device"]
        progress(document)

    try:
        return await converse(process, request, report, timeout, stall)
    except TrainingFailed as failed:
        failed.device = device
        raise


async def converse(
    process: Process, request: Request, progress: Callable[[dict[str, Any]], None], timeout: float, stall: float
) -> list[Candidate]:
    """Sends the request, reads lines until the training ends, and ends the process; raises TrainingFailed."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    errors = asyncio.create_task(process.stderr.read(), name="training-errors")
    candidates = []
    try:
        async with asyncio.timeout(timeout):
            process.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            while line := await next_line(process.stdout, stall):
                document = json.loads(line)
                match document["event"]:
                    case "candidate":
                        candidates.append(candidate_of(document))
                    case "failed":
                        raise TrainingFailed(document["reason"], document["detail"])
                    case "end":
                        return sorted(candidates, key=lambda candidate: KINDS.index(candidate.kind))
                    case _:
                        progress(document)
            code = await process.wait()
    except TimeoutError:
        raise TrainingFailed("timeout", f"no end after {timeout:g} s; see training.timeout") from None
    finally:
        await make_sure_ended(process)
        errors_text = (await errors).decode(errors="replace").strip()
    raise failure_of(code, errors_text)


async def start(worker: Sequence[str], threads: int) -> Process:
    """Starts the process as leader of a group of its own, so that its copies can be ended with it.

    It stays in the daemon's session: Linux shares the processors among sessions first (autogroup, sched(7)), so idle
    priority counts only within a session. `threads` are for numpy's products; their number cannot be set later.
    Raises TrainingFailed: crashed.
    """
    settings = {
        "MALLOC_MMAP_THRESHOLD_": MEMORY_KEPT,
        "MALLOC_TRIM_THRESHOLD_": MEMORY_KEPT,
        "OPENBLAS_NUM_THREADS": str(threads),
    }
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *worker,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_LIMIT,
            env={name: text for name, text in os.environ.items() if not name.startswith(CONNECTION)} | settings,
            process_group=0,
        )
    except OSError as error:
        raise TrainingFailed("crashed", f"the training process cannot be started ({error.strerror})") from error


async def next_line(lines: asyncio.StreamReader, stall: float) -> bytes:
    """The next complete line of the process, empty at the end of its output.

    Raises TrainingFailed: hung, crashed.
    """
    try:
        async with asyncio.timeout(stall):
            line = await lines.readline()
    except TimeoutError:
        raise TrainingFailed("hung", f"no sign of life for {stall:g} s; see training.stall") from None
    except OSError as error:
        raise TrainingFailed("crashed", f"the training process cannot be read ({error.strerror})") from error
    return line if line.endswith(b"\n") else b""


def candidate_of(document: dict[str, Any]) -> Candidate:
    """The candidate in a line of the process."""
    scales = {int(key): (np.array(mean), np.array(sd)) for key, (mean, sd) in document["scales"].items()}
    own, live = (document[name] and Errors(**document[name]) for name in ("errors", "live"))
    return Candidate(document["kind"], base64.b64decode(document["weights"]), scales, own, live)


def failure_of(code: int, errors_text: str) -> TrainingFailed:
    """Why the process ended early, from its exit code and the last line of its standard error."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", as the kernel does where memory is short" if name == "SIGKILL" else ""
        return TrainingFailed("killed", f"the training process was ended by {name}{hint}")
    last = errors_text.splitlines()[-1] if errors_text else "no message"
    return TrainingFailed("crashed", f"the training process ended with code {code}: {last}")


async def make_sure_ended(process: Process) -> None:
    """Ends the process and its copies: asks it first, kills it GRACE_SECONDS later."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
