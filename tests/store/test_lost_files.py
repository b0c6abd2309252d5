"""Files that disappear under a running daemon: it says so instead of acknowledging what is kept nowhere."""

from pathlib import Path

import pytest

from streamer.errors import StateBlocked, StateError
from streamer.store.database import FILE, checkpoint
from streamer.store.journal import Journal, Source
from tests.store.rows import sample


@pytest.mark.parametrize("replaced", [False, True])
def test_a_journal_that_was_deleted_takes_no_more(tmp_path: Path, replaced: bool) -> None:
    """A commit into a file that nobody will find again is a StateError, and no reason to try again."""
    journal = Journal.open(tmp_path)
    with journal.transaction():
        journal.add_series([(1, Source("s", "", 1, 0.0), "t", "")])
    (tmp_path / FILE).unlink()
    if replaced:
        (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(StateError, match="was deleted or replaced") as told, journal.transaction():
        journal.append([sample(1, 0, 1.0)])
    assert not isinstance(told.value, StateBlocked)
    journal.close()


def test_a_checkpoint_creates_no_journal(tmp_path: Path) -> None:
    """The thread that makes checkpoints puts no empty file, which others may read, in place of a deleted one."""
    Journal.open(tmp_path).close()
    (tmp_path / FILE).unlink()
    with pytest.raises(StateError):
        checkpoint(tmp_path / FILE)
    assert not (tmp_path / FILE).exists()
