"""What earlier revisions wrote is resumed: the forecasts are those that they made."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.records import Floats, ForecastBatch, TickBatch
from streamer.store.snapshots import newest_first
from streamer.stream.state import StreamState
from tests.golden.make import end, go_on, read, streams
from tests.streams import resumed

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/end.json"))
NEW = {
    *("scores", "skill", "mix", "guard", "pace", "linear-experts", "seasons", "linear", "yesterday", "last-week"),
    *(f"{kind}-{cycle}" for kind in ("last", "profile", "linear") for cycle in ("day", "week", "5")),
    "error-drift",
    "bands",
    "coverage",
}
"""What there was not in earlier revisions, or in another form, and begins anew."""
CLOSE = 1e-5
"""Networks compute in single precision, and not to the same bit on every processor."""


def parsed(payload: bytes) -> dict[str, Any]:
    """A published message; when a threshold is crossed follows from numbers that are only close."""
    document: dict[str, Any] = json.loads(payload)
    document.pop("at", None)
    return document


class Said:
    """What each model says of each series at each time, as a stream observes it."""

    def __init__(self) -> None:
        self.by: dict[tuple[str, float, str], Floats] = {}

    def scored(self, stream: StreamState, batch: TickBatch) -> None:
        """Of no interest here."""

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        times = batch.ticks.time.tolist()
        for i, row in enumerate(batch.ticks.rows.tolist()):
            for m, model in enumerate(stream.panel.models):
                self.by[stream.series[row].name, round(times[i], 3), model] = batch.mean[i, m]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden(folder: Path, tmp_path: Path) -> None:
    """A daemon of today goes on from the state of an earlier one: the model that an earlier forecast was made by says
    the same today, under the same version, and every series ends at its place."""
    shutil.copytree(folder / "state", tmp_path / "state")
    observer = Said()
    fast = resumed(tmp_path / "state", *streams(), observer=observer)
    sent = go_on(fast, read(folder / "messages.jsonl.gz"))
    before = [parsed(one.payload) for one in read(folder / "forecasts.jsonl.gz")]
    forecasts = [one for one in before if "mean" in one]
    assert len([one for one in sent if b'"mean"' in one.payload]) == len(forecasts)
    versions = {(s.name, kind): n.version for s in fast.streams for kind, n in s.panel.networks.items()}
    owners = {one.name: stream.name for stream in fast.streams for one in stream.series}
    for one in forecasts:
        time = datetime.fromisoformat(one["time"]).timestamp()
        found = observer.by[one["series"], round(time, 3), one["model"]]
        np.testing.assert_allclose(np.squeeze(found), one["mean"], rtol=CLOSE, atol=CLOSE, err_msg=str(one))
        assert versions.get((owners[one["series"]], one["model"]), 0) == one["version"]
    reached, expected = end(fast), json.loads((folder / "end.json").read_text())
    for name, stream in expected.items():
        now, growth = reached[name], stream["schedule"].pop("growth")
        assert now["schedule"].pop("growth") <= growth, "bridged ticks no longer count"
        assert (now["schedule"], now["version"]) == (stream["schedule"], stream["version"])
        for one, (*place, held, trained) in stream["series"].items():
            *reaches, holds, has = now["series"][one]
            assert (reaches, has) == (place, trained)
            assert holds <= held, "bridged ticks no longer count"
    fast.journal.close()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_snapshots_are_gone_on_from(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each stream has a snapshot that today's code reads, networks and thresholds go on, and one damaged file is made
    good by the one before it."""
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
        anew = {line.split("part=")[1].split(":")[0] for line in caplog.messages if "begins anew" in line}
        assert anew <= NEW
        assert ("going back to the snapshot before it" in caplog.text) == damaged
