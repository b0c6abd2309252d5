"""The journal in, its checkpoints in a thread out: a commit would make them on the event loop and wait for the disk."""

import asyncio
import contextlib

from streamer.errors import StateBlocked
from streamer.store.database import checkpoint
from streamer.store.journal import Journal

CHECKPOINT_SECONDS, CHECKPOINT_COMMITS = 0.2, 1000
"""Between two looks at whether as many batches were committed as make some 16 MiB of write-ahead log."""


async def checkpoints(journal: Journal) -> None:
    """As often as else a commit would make one, for ever."""
    journal.leave_checkpoints()
    done = journal.commits
    while True:
        await asyncio.sleep(CHECKPOINT_SECONDS)
        if journal.commits - done >= CHECKPOINT_COMMITS:
            done = journal.commits
            with contextlib.suppress(StateBlocked):  # a full disk is told of when a commit meets it
                await asyncio.to_thread(checkpoint, journal.path)
