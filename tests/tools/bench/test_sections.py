"""The sections that run in process, and the command's whole: cases, figures, file, comparison."""

import os
import time
from pathlib import Path

import pytest

from streamer.errors import ConfigError, SourceError
from streamer.tools.bench import memory, run
from streamer.tools.bench.machine import cpu_seconds, resident_bytes, seconds_of
from streamer.tools.bench.report import read
from streamer.tools.bench.section import Settings
from streamer.tools.bench.sweeps import cases
from streamer.tools.bench.training import epochs, measure


def test_the_system_tells_what_a_process_used() -> None:
    """CPU time and memory of this process are those that it knows itself."""
    assert cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.1)
    assert resident_bytes(os.getpid()) > 20 * 2**20


def test_times_of_ps() -> None:
    """Days, hours, minutes and fractions of a second are read."""
    assert seconds_of("1:02.50") == 62.5
    assert seconds_of(" 2-03:04:05") == 2 * 86400 + 3 * 3600 + 4 * 60 + 5


def test_cases_vary_one_thing() -> None:
    """Each case is a stream that differs from the default in what it names, and has that value there."""
    for name, value, stream in cases(Settings(series=500, cell="gru", quick=True)):
        sizes = stream.sizes
        found = {"series": stream.max_series, "k·p": sizes.horizon, "n": sizes.n, "d": sizes.d}
        expected = {"series": 500, "k·p": 40, "n": 50, "d": 1, name: value}
        assert found == expected
        assert sizes.cell == "gru"


def test_epochs_are_told_apart_by_kind() -> None:
    """An epoch lasts from the end of one to the end of the next of its kind; the least of them counts."""
    moments = [("", 0.0), ("b", 4.5), ("a", 5.0), ("a", 7.0), ("b", 7.5), ("a", 8.0), ("b", 11.5)]
    assert list(epochs(moments)) == [("a", 1.0), ("b", 3.0)]


def test_a_retraining_is_timed() -> None:
    """The real training process trains both networks, and an epoch of each takes some time."""
    rows = [row for row in measure(Settings(cell="rnn", quick=True), lambda _: None) if row["device"] == "cpu"]
    assert [row["model"] for row in rows] == ["memoryless", "traditional"]
    for row in rows:
        assert 0 < row["epoch_s"] < row["total_s"]
        assert row["whole_s"] > row["epoch_s"]


def test_memory_of_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings take 2 bytes per model and tick of each lead, for 11 models and the leads 1, 2, 3, 5, 8, 12, 20, 30, 40
    and, by `metrics.leads`, 10; the process gains more than those."""
    monkeypatch.setattr(memory, "SERIES_QUICK", 4096)
    (row,) = memory.measure(Settings(cell="rnn", quick=True), lambda _: None)
    assert row["rings"] == 2 * 11 * (121 + 10)
    assert row["rings"] < row["arrays"]
    assert row["resident"] > row["rings"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A section is measured, shown, written to a file, and compared with an earlier file."""
    file, settings = tmp_path / "a.json", Settings(series=70, cell="rnn", quick=True)
    run.bench(settings, ["stages"], file, None)
    shown = capsys.readouterr().out
    stages = [
        "decode",
        "grid",
        "journal",
        "step",
        "forecast",
        "score",
        "bands",
        "plain",
        "encode",
        "sum",
        "reference",
    ]
    assert [row["stage"] for row in read(file)["parts"]["stages"]] == stages
    assert all(name in shown for name in stages)
    assert "×" not in shown.partition("Stages")[2]
    run.bench(settings, ["stages"], None, file)
    assert "now / before: Stages" in capsys.readouterr().out


def test_what_cannot_be_done_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    """An unknown section is named beside those there are, and an unreadable file to compare with is named."""
    with pytest.raises(ConfigError, match="there are end-to-end, stages, sizes, memory, training"):
        run.bench(Settings(), ["speed"], None, None)
    with pytest.raises(SourceError, match=r"none\.json"):
        run.bench(Settings(), [], None, tmp_path / "none.json")
