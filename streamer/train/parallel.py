"""Runs functions in parallel: the first in this process, each other one in a forked copy that ends with it.

A fork shares the data and modules loaded so far and starts at once. It must not be made after CUDA or torch's threads
have started.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence

import torch

Work = Callable[[], None]


def run_in_parallel(works: Sequence[Work], threads: int) -> None:
    """Runs the first function here and each other one in a copy of this process, and waits until all have ended.

    Each process uses `threads` threads of torch. A copy raises SystemExit(0) after its work, which the caller must not
    catch. If a copy fails, this process ends at once by the same signal or exit code.
    """
    own, *others = works
    lifeline, held_end = os.pipe()
    watchers = []
    for work in others:
        pid = os.fork()
        if not pid:
            os.close(held_end)
            threading.Thread(target=end_with_original, args=(lifeline,), daemon=True).start()
            torch.set_num_threads(threads)
            work()
            sys.exit()
        watchers.append(threading.Thread(target=end_with_copy, args=(pid,), daemon=True))
    os.close(lifeline)
    for watcher in watchers:
        watcher.start()
    torch.set_num_threads(threads)
    own()
    for watcher in watchers:
        watcher.join()
    os.close(held_end)


def end_with_original(lifeline: int) -> None:
    """Ends this copy once the original is gone: nobody writes to the pipe, so a read returns only at its end."""
    os.read(lifeline, 1)
    os._exit(1)


def end_with_copy(pid: int) -> None:
    """Waits for a copy; if it fails, ends this process in the same way, as half a training is of no use."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        os.kill(os.getpid(), -code)
    elif code:
        os._exit(code)
