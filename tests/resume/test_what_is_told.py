"""What of a state is left out at a start, and the line that says so."""

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from streamer.config import Stream
from streamer.store.database import SNAPSHOTS
from tests.streams import fast_lane, feed, resumed, sample, save, timed


def plant(**keys: Any) -> Stream:
    return Stream(**{**timed().model_dump(), **keys})


def lived(folder: Path, **keys: Any) -> None:
    """A short life with a snapshot at its end."""
    fast = fast_lane(folder, plant(**keys))
    feed(fast, [sample("plant/a", t, t % 3) for t in range(25)])
    save(fast)
    fast.journal.close()


def told(folder: Path, caplog: pytest.LogCaptureFixture, **keys: Any) -> list[str]:
    """The warnings of a start."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        resumed(folder, plant(**keys)).journal.close()
    return caplog.messages


THRESHOLD = {"thresholds": [{"name": "high", "above": 2.0}]}
MEAN = {"aggregate": "mean"}


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({}, {}, None),
        ({}, THRESHOLD, None),
        ({}, MEAN, None),
        (MEAN, MEAN, None),
        (MEAN, {"aggregate": "max"}, "open ticks begin anew stream=plant: the configuration has changed"),
        ({}, {"interval": 2.0}, "a snapshot is left out stream=plant: the interval, the value or d has changed"),
        (THRESHOLD, {}, "dropped stream=plant parts=thresholds: the configuration has changed"),
    ],
)
def test_what_another_configuration_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, before: dict[str, Any], after: dict[str, Any], line: str | None
) -> None:
    """State that the configuration has no use for any more is told in one line; what is new, or stays, in none."""
    lived(tmp_path, **before)
    assert told(tmp_path, caplog, **after) == ([] if line is None else [line])


def test_a_journal_that_falls_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Snapshots that know of samples that the journal lacks are left out, each in a line."""
    lived(tmp_path / "long")
    fast = fast_lane(tmp_path / "short", timed())
    feed(fast, [sample("plant/a", t, t % 3) for t in range(5)])
    fast.journal.close()
    shutil.copytree(tmp_path / "long" / SNAPSHOTS, tmp_path / "short" / SNAPSHOTS)
    first, second = told(tmp_path / "short", caplog)
    assert re.match("a snapshot is left out stream=plant: the journal, .*, lacks samples", first)
    assert second.startswith("no snapshot stream=plant")
