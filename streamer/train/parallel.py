"""Pieces of work in, all of them done at once out: one in this process, each other in a copy that dies with it.

A copy (fork) shares what has been read and imported so far, and costs no start. It must not be made once CUDA or
torch's threads are at work.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence

import torch

Work = Callable[[], None]


def abreast(works: Sequence[Work], threads: int) -> None:
    """Do the first here and the others in copies of this process, with `threads` of torch each, until all have ended.

    A copy raises SystemExit(0) after its work, so whoever calls this must let that pass. If a copy ends otherwise, this
    process ends at once in the same way, by the same signal or exit code.
    """
    own, *others = works
    lifeline, held = os.pipe()
    watchers = []
    for work in others:
        pid = os.fork()
        if not pid:
            os.close(held)
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
    os.close(held)


def end_with_original(lifeline: int) -> None:
    """Nobody writes to the pipe: it has something to say when the process that holds its other end is gone."""
    os.read(lifeline, 1)
    os._exit(1)


def end_with_copy(pid: int) -> None:
    """Its failure is this process's too: half a training is none."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        os.kill(os.getpid(), -code)
    elif code:
        os._exit(code)
