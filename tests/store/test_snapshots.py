"""Snapshots on real files: what was written comes back bit by bit, what is damaged is passed over."""

import json
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from streamer.errors import StateBlocked, StateError
from streamer.store.database import SNAPSHOTS
from streamer.store.snapshots import Snapshot, files, newest_first, read, write


def snapshot(number: int, rows: int = 3) -> Snapshot:
    rng = np.random.default_rng(number)
    arrays: dict[str, NDArray[Any]] = {
        "series.ident": np.arange(rows),
        "scores.ring": rng.normal(size=(rows, 2, 2)),
        "memoryless.s": rng.normal(size=(rows, 4)).astype(np.float32),
    }
    return Snapshot({"version": number, "topics": ["é", "b"], "fits": [1 / 3, None]}, arrays)


def same(a: Snapshot, b: Snapshot) -> bool:
    one, other = a.arrays, b.arrays
    equal = all(np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one)
    return a.about == b.about and one.keys() == other.keys() and equal


def paths(directory: Path, stream: str = "s") -> list[Path]:
    return [path for _, path in files(directory / SNAPSHOTS, stream)]


@pytest.mark.parametrize("rows", [0, 3])
def test_round_trip(tmp_path: Path, rows: int) -> None:
    """A snapshot comes back as it was written, also that of a stream without series."""
    write(tmp_path, "s", snapshot(1, rows))
    (found,) = newest_first(tmp_path, "s")
    assert same(found, snapshot(1, rows))


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    """Newest first; what is older is deleted, and nothing else is left in the folder."""
    for number in range(12):
        write(tmp_path, "s", snapshot(number))
    assert [found.about["version"] for found in newest_first(tmp_path, "s")] == [11, 10]
    assert len(list((tmp_path / SNAPSHOTS).iterdir())) == 2


def truncated(data: bytearray) -> None:
    del data[len(data) // 2 :]


def emptied(data: bytearray) -> None:
    data.clear()


def flipped(data: bytearray) -> None:
    data[-1] ^= 1


@pytest.mark.parametrize("damage", [truncated, emptied, flipped])
def test_a_damaged_one_falls_back_to_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytearray], None]
) -> None:
    """A newest snapshot that is cut short or has one bit changed is told in one line and passed over."""
    write(tmp_path, "s", snapshot(1))
    write(tmp_path, "s", snapshot(2))
    newest = paths(tmp_path)[0]
    data = bytearray(newest.read_bytes())
    damage(data)
    newest.write_bytes(data)
    (found,) = newest_first(tmp_path, "s")
    assert same(found, snapshot(1))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert str(newest) in record.getMessage()
    write(tmp_path, "s", snapshot(3))
    assert next(newest_first(tmp_path, "s")).about["version"] == 3


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    """Whichever bit of a snapshot is changed, it is refused, or still reads as what was written."""
    write(tmp_path, "s", snapshot(1))
    (path,) = paths(tmp_path)
    whole = path.read_bytes()
    rng = random.Random(0)
    for at in rng.sample(range(len(whole) * 8), 500):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        path.write_bytes(data)
        try:
            found = read(path)
        except StateError:
            continue
        assert same(found, snapshot(1)), at


def test_drafts_are_ignored(tmp_path: Path) -> None:
    """What a killed daemon left half-written counts for nothing, and the next snapshot replaces it."""
    write(tmp_path, "s", snapshot(1))
    draft = tmp_path / SNAPSHOTS / "s.2.safetensors.draft"
    draft.write_bytes(b"half")
    assert [found.about["version"] for found in newest_first(tmp_path, "s")] == [1]
    write(tmp_path, "s", snapshot(2))
    assert not draft.exists()
    assert [found.about["version"] for found in newest_first(tmp_path, "s")] == [2, 1]


def test_a_draft_that_fails_takes_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full the draft goes, the snapshots before stay, and the error names the folder."""
    write(tmp_path, "s", snapshot(1))
    full = OSError(28, "No space left on device")

    def fail(_: int) -> None:
        raise full

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StateBlocked, match=SNAPSHOTS):
        write(tmp_path, "s", snapshot(2))
    assert [path.name for path in (tmp_path / SNAPSHOTS).iterdir()] == ["s.1.safetensors"]


@pytest.mark.parametrize(("one", "other"), [("a", "a.1"), ("a.1", "a.1.1"), ("a", "a.safetensors"), ("a.b", "a-b")])
def test_streams_do_not_mix(tmp_path: Path, one: str, other: str) -> None:
    """Streams whose names begin alike, or match as patterns, have their own snapshots."""
    for number in range(1, 4):
        write(tmp_path, one, snapshot(number))
        write(tmp_path, other, snapshot(10 * number))
    assert [found.about["version"] for found in newest_first(tmp_path, one)] == [3, 2]
    assert [found.about["version"] for found in newest_first(tmp_path, other)] == [30, 20]


def test_private(tmp_path: Path) -> None:
    """The folder has mode 0700, a snapshot 0600."""
    write(tmp_path, "s", snapshot(1))
    assert stat.S_IMODE((tmp_path / SNAPSHOTS).stat().st_mode) == 0o700
    assert stat.S_IMODE(paths(tmp_path)[0].stat().st_mode) == 0o600


def test_none(tmp_path: Path) -> None:
    """A directory without snapshots has none."""
    assert list(newest_first(tmp_path, "s")) == []


def test_names_of_any_size(tmp_path: Path) -> None:
    """Names of series that come to more than 100 MB, which no safetensors header holds, are written and come back."""
    wordy = Snapshot({"version": 1, "topics": [f"{i}" + "x" * 60_000 for i in range(1_700)]}, snapshot(1).arrays)
    write(tmp_path, "s", wordy)
    (found,) = newest_first(tmp_path, "s")
    assert same(found, wordy)


def test_a_header_of_before(tmp_path: Path) -> None:
    """A file of before, which has all but the arrays in its header, is read."""
    old = snapshot(1)
    (tmp_path / SNAPSHOTS).mkdir()
    header = {"about": json.dumps(old.about), "digest": old.digest()}
    (tmp_path / SNAPSHOTS / "s.1.safetensors").write_bytes(safetensors.numpy.save(dict(old.arrays), header))
    (found,) = newest_first(tmp_path, "s")
    assert same(found, old)


def test_what_safetensors_does_not_take_is_a_state_error(tmp_path: Path) -> None:
    """An array that cannot be written is told as any other file that cannot, and leaves no draft."""
    with pytest.raises(StateError, match="cannot be written"):
        write(tmp_path, "s", Snapshot({}, {"x" * 120_000_000: np.zeros(1)}))
    assert list((tmp_path / SNAPSHOTS).iterdir()) == []
