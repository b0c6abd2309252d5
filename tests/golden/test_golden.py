"""What earlier revisions wrote is resumed: the forecasts are those that they made."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.store.snapshots import newest_first
from tests.golden.make import end, go_on, read, streams
from tests.streams import resumed

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/end.json"))
CLOSE = 1e-5
"""Networks compute in single precision, and not to the same bit on every processor."""


def parsed(payload: bytes) -> dict[str, Any]:
    """A published message; when a threshold is crossed follows from numbers that are only close."""
    document: dict[str, Any] = json.loads(payload)
    document.pop("at", None)
    return document


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden(folder: Path, tmp_path: Path) -> None:
    """A daemon of today goes on from the state of an earlier one: same models and versions, same forecasts, same errors
    at the end, every series at its place."""
    shutil.copytree(folder / "state", tmp_path / "state")
    fast = resumed(tmp_path / "state", *streams())
    sent = go_on(fast, read(folder / "messages.jsonl.gz"))
    wanted = read(folder / "forecasts.jsonl.gz")
    assert [(one.topic, one.qos, one.retain) for one in sent] == [(one.topic, one.qos, one.retain) for one in wanted]
    for one, other in zip(sent, wanted, strict=True):
        found, expected = parsed(one.payload), parsed(other.payload)
        for name in ("mean", "seconds"):
            value, other_value = (np.array(document.pop(name, None), float) for document in (found, expected))
            np.testing.assert_allclose(value, other_value, rtol=CLOSE, atol=CLOSE, err_msg=one.topic)
        assert found == expected
    reached, expected = end(fast), json.loads((folder / "end.json").read_text())
    for name, stream in expected.items():
        for table in ("rmse", "mae", "e_p"):
            found = reached[name].pop(table)
            for model, row in stream.pop(table).items():
                absent = [None] * len(row)  # a model that the stream does not have was a column without scores
                now, then = np.array(found.get(model, absent), float), np.array(row, float)
                np.testing.assert_allclose(now, then, rtol=1e-4, err_msg=f"{name} {table} {model}")
        assert reached[name] == stream
    fast.journal.close()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_snapshots_are_gone_on_from(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each stream has a snapshot that today's code reads, no part of it begins anew, and one damaged file is made good
    by the one before it."""
    for damaged in (False, True):
        state = tmp_path / str(damaged)
        shutil.copytree(folder / "state", state)
        if damaged:
            for path in sorted(state.glob("snapshots/*"))[1::2]:
                path.write_bytes(path.read_bytes()[:100])
        assert all(list(newest_first(state, stream.name)) for stream in streams())
        caplog.clear()
        with caplog.at_level("INFO"):
            resumed(state, *streams()).journal.close()
        assert "no snapshot stream" not in caplog.text
        assert "begins anew" not in caplog.text
        assert ("going back to the snapshot before it" in caplog.text) == damaged
