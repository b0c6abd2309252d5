"""A training process that goes wrong in the way its argument names; what is around it is the real one."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial

import torch

from streamer.errors import TrainingFailed
from streamer.train.parallel import run_in_parallel
from streamer.train.request import Request
from streamer.train.worker import Report, main, train


def lack_memory(request: Request, report: Report) -> None:
    torch.empty(2**48)


def lose_gpu(request: Request, report: Report) -> None:
    report({"event": "start", "device": "cuda"})
    raise torch.AcceleratorError("CUDA error: unspecified launch failure")


def lose_gpu_or_train(request: Request, report: Report) -> None:
    if request.device != "cpu":
        lose_gpu(request, report)
    train(request, report)


def starve_or_train(request: Request, report: Report) -> None:
    if request.idle:
        report({"event": "start", "device": "cpu"})
        raise TrainingFailed("starved")
    train(request, report)


def blunder(request: Request, report: Report) -> None:
    raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)")


def hang(request: Request, report: Report) -> None:
    report({"event": "start", "device": "cpu"})
    threading.Event().wait()


def abort(request: Request, report: Report) -> None:
    os.abort()


def wait() -> None:
    threading.Event().wait()


def lack_memory_aside(request: Request, report: Report) -> None:
    run_in_parallel([wait, partial(lack_memory, request, report)], 1)


def blunder_aside(request: Request, report: Report) -> None:
    run_in_parallel([wait, partial(blunder, request, report)], 1)


def abort_aside(request: Request, report: Report) -> None:
    run_in_parallel([wait, os.abort], 1)


def freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def freeze_aside(request: Request, report: Report) -> None:
    def see() -> None:
        os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WNOWAIT)
        report({"event": "start", "device": "cpu"})
        wait()

    run_in_parallel([see, freeze], 1)


def diverge(request: Request, report: Report) -> None:
    for kind in ("memoryless", "traditional"):
        report({"event": "diverged", "kind": kind})


def misfit(request: Request, report: Report) -> None:
    errors = {"e_p": 0.1, "persistence": 1.0, "ratio": 0.1}
    report({"event": "candidate", "kind": "memoryless", "errors": errors, "live": None, "scales": {}, "weights": ""})


TROUBLES: dict[str, Callable[[Request, Report], None]] = {
    work.__name__: work
    for work in (
        lack_memory,
        lose_gpu,
        lose_gpu_or_train,
        starve_or_train,
        blunder,
        hang,
        abort,
        lack_memory_aside,
        blunder_aside,
        abort_aside,
        freeze_aside,
        diverge,
        misfit,
    )
}


def failing(trouble: str) -> tuple[str, str]:
    """What python runs instead of the worker."""
    return __file__, trouble


if __name__ == "__main__":
    main(TROUBLES[sys.argv[1]])
