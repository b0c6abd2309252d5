"""`streamer inspect` on a real state directory."""

import json
import re
import struct
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.cli import app
from streamer.errors import StateError
from streamer.records import Sizes
from streamer.store.journal import Journal, Source
from streamer.store.outcomes import NetworkRow, TrainingOutcome, add_outcome
from streamer.tools.inspect import age, look, size

NOW = 1_800_000_000.0


def filled(directory: Path) -> None:
    """Two series, one with two missing ticks, and one network."""
    with closing(Journal.open(directory)) as journal:
        with journal.transaction():
            journal.add_series([(i, Source("plant", "", 1, 1.0), f"plant/{i}", "") for i in (1, 2)])
            ticks = [(1, t) for t in range(10)] + [(2, t) for t in (0, 1, 4)]
            journal.append((series, t, NOW - 100 + t, struct.pack("<d", 1.0)) for series, t in ticks)
        errors = {"memoryless": 0.25, "persistence": 1.0}
        old = NetworkRow("traditional", 3, {"traditional": 0.25, "persistence": 1.0}, {}, b"w" * 100)
        row = NetworkRow("memoryless", 3, errors | {"ratio": 0.75}, {}, b"w" * 100)
        add_outcome(journal, "plant", Sizes(n=6, cell="gru"), TrainingOutcome(3, NOW - 7200, {}, (row, old)))


def test_everything_is_there(tmp_path: Path) -> None:
    """Series with their samples and holes, networks with their errors, files with size and age."""
    filled(tmp_path)
    found = look(tmp_path, NOW)
    assert [(one["topic"], one["samples"], one["ticks"]) for one in found["series"]] == [
        ("plant/1", 10, 10),
        ("plant/2", 3, 5),
    ]
    (model, _) = found["models"]
    assert (model["version"], model["errors"]["memoryless"], model["sizes"]["cell"]) == (3, 0.25, "gru")
    assert (model["bytes"], model["created"]) == (100, NOW - 7200)
    assert found["journal_bytes"] >= (tmp_path / "journal.sqlite3").stat().st_size
    assert {"journal.sqlite3", "lock"} <= {one["name"] for one in found["files"]}


def test_beside_a_writer_in_words_and_in_json(tmp_path: Path) -> None:
    """The command works while a daemon holds the journal; --series limits the list and says what is left out."""
    filled(tmp_path)
    with closing(Journal.open(tmp_path)):
        shown = CliRunner().invoke(app, ["inspect", str(tmp_path), "--series", "1"], catch_exceptions=False)
        as_json = CliRunner().invoke(app, ["inspect", str(tmp_path), "--json"], catch_exceptions=False)
    assert "plant/1" in shown.output
    assert "plant/2" not in shown.output
    assert "and 1 more series" in shown.output
    assert "memoryless network (gru), version 3, " in shown.output
    assert ": 0.75 times the error of 'no change' on the median series, on samples it had not seen" in shown.output
    assert ": 0.25 times the error of 'no change', on samples it had not seen, 100 B\n" in shown.output
    assert len(json.loads(as_json.output)["series"]) == 2


@pytest.mark.parametrize("width", ["40", "80", "300"])
def test_in_words_at_any_width(tmp_path: Path, width: str) -> None:
    """Whatever the width of the terminal, each fact is one whole line, whose words nothing cuts or breaks."""
    filled(tmp_path)
    shown = CliRunner().invoke(app, ["inspect", str(tmp_path)], catch_exceptions=False, env={"COLUMNS": width})
    lines = shown.output.splitlines()
    assert "Stream plant, 2 series:" in lines
    newest = r"newest of 2027-01-15T07:58:\d\d\.000Z, silent for .+"
    (second,) = (line for line in lines if line.startswith("  plant/2"))
    assert re.fullmatch(rf"  plant/2: 3 samples, 2 ticks without one, {newest}", second)
    assert any(re.fullmatch(r"  journal\.sqlite3: [0-9.]+ [KM]iB, written \d+ s ago", line) for line in lines)
    assert not any("…" in line or "│" in line for line in lines)


def test_names_that_look_like_markup(tmp_path: Path) -> None:
    """A topic that rich would take for markup or an emoji is shown as it is."""
    with closing(Journal.open(tmp_path)) as journal, journal.transaction():
        journal.add_series([(1, Source("plant", "", 1, 1.0), "[/b]:cat:", "")])
        journal.append([(1, 0, NOW, struct.pack("<d", 1.0))])
    shown = CliRunner().invoke(app, ["inspect", str(tmp_path)], catch_exceptions=False)
    assert "[/b]:cat:" in shown.output


def test_no_state_is_one_line_that_names_it(tmp_path: Path) -> None:
    """A directory without a journal is a StateError with its path, and stays without one."""
    with pytest.raises(StateError, match=str(tmp_path)):
        look(tmp_path, NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("value", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**30, "5.0 GiB")])
def test_size(value: int, text: str) -> None:
    """Bytes are shown in the unit that suits."""
    assert size(value) == text


@pytest.mark.parametrize(("value", "text"), [(-3, "0 s"), (90, "90 s"), (7200, "2 h"), (3e6, "35 d")])
def test_age(value: float, text: str) -> None:
    """Seconds are shown in the unit that suits; a clock ahead is no negative age."""
    assert age(value) == text
