"""A request in, candidates out, trained in a process that may die, hang or run out of memory without the daemon."""

import asyncio
import base64
import contextlib
import json
import logging
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from streamer.errors import TrainingFailed
from streamer.records import Candidate
from streamer.train.worker import Request

log = logging.getLogger("streamer.train")

LINE_LIMIT = 2**30
GRACE_SECONDS = 1.0


async def train(request: Request, progress: Callable[[dict[str, Any]], None], timeout: float) -> list[Candidate]:
    """The candidates of one training; `progress` gets each line that the process reports on the way.

    Cancelling it, or `timeout` seconds, ends the process. Raises TrainingFailed: timeout, crashed, or the reason that
    the process gave.
    """
    command = (sys.executable, "-m", "streamer.train.worker")
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
    try:
        process = await asyncio.create_subprocess_exec(*command, **pipes, limit=LINE_LIMIT)  # type: ignore[arg-type]
    except OSError as error:
        raise TrainingFailed("crashed", f"the training process cannot be started ({error.strerror})") from error
    assert process.stdin
    assert process.stdout
    assert process.stderr
    errors = asyncio.create_task(process.stderr.read(), name="training-errors")
    try:
        async with asyncio.timeout(timeout):
            process.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            candidates = [candidate async for candidate in listen(process.stdout, progress)]
            code = await process.wait()
    except TimeoutError:
        raise TrainingFailed("timeout", f"no end after {timeout:g} s; see training.timeout") from None
    except (BrokenPipeError, ConnectionResetError):
        raise TrainingFailed("crashed", "the training process closed its input") from None
    except (ValueError, KeyError):
        raise TrainingFailed("crashed", "the training process ended in the middle of a line") from None
    finally:
        await end(process)
        said = (await errors).decode(errors="replace").strip()
    if code != 0:
        last = said.splitlines()[-1] if said else "no message"
        raise TrainingFailed("crashed", f"the training process ended with code {code}: {last}")
    return candidates


async def listen(lines: asyncio.StreamReader, progress: Callable[[dict[str, Any]], None]) -> AsyncIterator[Candidate]:
    """The candidates among the lines of the process; everything else goes to `progress`."""
    async for line in lines:
        document = json.loads(line)
        match document["event"]:
            case "candidate":
                scales = {int(key): (np.array(mean), np.array(sd)) for key, (mean, sd) in document["scales"].items()}
                weights = base64.b64decode(document["weights"])
                errors = (document["e_p"], document["e_p_live"], document["e_p_persistence"])
                yield Candidate(document["kind"], weights, scales, *errors)
            case "failed":
                raise TrainingFailed(document["reason"], document["detail"])
            case _:
                progress(document)


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
