"""A request in, candidates out, trained in a process that may die, hang or run out of memory without the daemon."""

import asyncio
import base64
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from streamer.errors import TrainingFailed
from streamer.records import Candidate
from streamer.train.worker import Request

LINE_LIMIT = 2**30
GRACE_SECONDS = 1.0
WORKER = ("-m", "streamer.train.worker")
"""What python runs to train."""


async def train(
    request: Request,
    progress: Callable[[dict[str, Any]], None],
    timeout: float,
    stall: float,
    worker: Sequence[str] = WORKER,
) -> list[Candidate]:
    """The candidates of one training; `progress` gets each line that the process reports on the way.

    Cancelling it, `timeout` seconds in all or `stall` seconds without a line end the process. Raises TrainingFailed:
    timeout, hung, killed (by a signal), crashed, or the reason that the process gave (train/failures.py).
    """
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
    try:
        process = await asyncio.create_subprocess_exec(sys.executable, *worker, **pipes, limit=LINE_LIMIT)  # type: ignore[arg-type]
    except OSError as error:
        raise TrainingFailed("crashed", f"the training process cannot be started ({error.strerror})") from error
    assert process.stdin
    assert process.stdout
    assert process.stderr
    errors = asyncio.create_task(process.stderr.read(), name="training-errors")
    candidates = []
    try:
        async with asyncio.timeout(timeout):
            process.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            while line := await heard(process.stdout, stall):
                document = json.loads(line)
                match document["event"]:
                    case "candidate":
                        candidates.append(candidate_of(document))
                    case "failed":
                        raise TrainingFailed(document["reason"], document["detail"])
                    case "end":
                        return candidates
                    case _:
                        progress(document)
            code = await process.wait()
    except TimeoutError:
        raise TrainingFailed("timeout", f"no end after {timeout:g} s; see training.timeout") from None
    finally:
        await end(process)
        said = (await errors).decode(errors="replace").strip()
    raise ended(code, said)


async def heard(lines: asyncio.StreamReader, stall: float) -> bytes:
    """The next line of the process, empty at its end; what its death cut off is no line.

    Raises TrainingFailed: hung, crashed.
    """
    try:
        async with asyncio.timeout(stall):
            line = await lines.readline()
    except TimeoutError:
        raise TrainingFailed("hung", f"no sign of life for {stall:g} s; see training.stall") from None
    except OSError as error:
        raise TrainingFailed("crashed", f"the training process cannot be heard ({error.strerror})") from error
    return line if line.endswith(b"\n") else b""


def candidate_of(document: dict[str, Any]) -> Candidate:
    """The candidate that a line holds."""
    scales = {int(key): (np.array(mean), np.array(sd)) for key, (mean, sd) in document["scales"].items()}
    errors = (document["e_p"], document["e_p_live"], document["e_p_persistence"])
    return Candidate(document["kind"], base64.b64decode(document["weights"]), scales, *errors)


def ended(code: int, said: str) -> TrainingFailed:
    """Why a process ended before its work did, by its exit code and what it said last on standard error."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", as the kernel does where memory is short" if name == "SIGKILL" else ""
        return TrainingFailed("killed", f"the training process was ended by {name}{hint}")
    last = said.splitlines()[-1] if said else "no message"
    return TrainingFailed("crashed", f"the training process ended with code {code}: {last}")


async def end(process: asyncio.subprocess.Process) -> None:
    """Make sure the process is gone: it dies when its input closes, and is killed if it does not."""
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
    if process.stdin:
        process.stdin.close()
