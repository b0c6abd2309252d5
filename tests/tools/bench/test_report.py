"""What is shown of the figures, what is kept of them, and how two runs compare."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from streamer.errors import SourceError
from streamer.tools.bench.machine import describe
from streamer.tools.bench.report import FORMAT, Results, compare, number, ratios, read, show, table, times, write
from streamer.tools.bench.run import SECTIONS
from streamer.tools.bench.section import Section

PART = Section("Speeds", "A note.", {"what": "what"}, {"us": "µs", "ms": "ms"}, lambda settings, tell: [])
ROWS = [{"what": "decode", "us": 2.0, "ms": None}, {"what": "encode", "us": 12345.6, "ms": 0.0}]
LONGEST = {"qos": 1, "load": "saturation", "stage": "reference", "vary": "series", "value": 100_000,
           "series": 100_000, "device": "cuda", "model": "traditional"}  # fmt: skip


def results(rows: list[dict[str, Any]], **machine: Any) -> Results:
    idle = {**describe(), "load": 0.0, **machine}
    settings = {"series": 1000, "cell": "lstm", "quick": True}
    return {"format": FORMAT, "machine": idle, "settings": settings, "parts": {"speeds": rows}}


def printed() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=80), out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.01234, "0.0123"),
        (99.96, "100"),
        (123.4, "123"),
        (999.7, "1,000"),
        (98765.4, "98,765"),
    ],
)
def test_three_digits(value: float | None, text: str) -> None:
    """A figure has three significant digits, and all of those before the point."""
    assert number(value) == text


def test_ratios_are_of_rows_with_the_same_keys() -> None:
    """Each figure is divided by the earlier one of its row; what only one run has is left out."""
    before = [{"what": "encode", "us": 6172.8, "ms": 0.0}, {"what": "gone", "us": 1.0, "ms": 1.0}]
    assert ratios(PART, ROWS, before) == [{"what": "encode", "us": 2.0, "ms": None}]
    assert times(2.0) == "2.00×"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_table_fits_80_columns(name: str) -> None:
    """Large figures and long names leave every word of a table whole within 80 columns."""
    section = SECTIONS[name]
    row = {**{key: LONGEST[key] for key in section.keys}, **dict.fromkeys(section.figures, 12345.6)}
    console, out = printed()
    console.print(table(section, [row], number))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "…" not in out.getvalue()
    assert out.getvalue().count("12,346") == len(section.figures)


def test_a_file_gives_back_what_was_measured(tmp_path: Path) -> None:
    """What is written as JSON is read back equal, None included."""
    write(results(ROWS), tmp_path / "a.json")
    assert read(tmp_path / "a.json") == results(ROWS)


@pytest.mark.parametrize("text", ["no json", "[]", '{"format": 0}', '{"parts": {}}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is no result of this version is named, in one line."""
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(SourceError, match=r"b\.json: is no result"):
        read(tmp_path / "b.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path that cannot be opened is an error that says for what, reading or writing."""
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "none.json")
    with pytest.raises(SourceError, match="cannot be written"):
        write(results(ROWS), tmp_path / "none" / "c.json")


def test_what_was_measured_on_a_busy_machine_says_so() -> None:
    """A load average above 0.3 per core is told above the tables, a lower one is not; the broker is, once."""
    for load, told in ((0.3, False), (3.0, True)):
        console, out = printed()
        rows = [{**row, "broker": "embedded (because)"} for row in ROWS]
        show(results(rows, cores=2, load=load), {"speeds": PART}, console)
        assert out.getvalue().count("broker: embedded (because)") == 1
        assert ("other processes were busy" in out.getvalue()) is told
        assert "12,346" in out.getvalue()


def test_a_comparison_names_what_differs() -> None:
    """Ratios are shown, and above them what about the two machines and settings is not alike."""
    console, out = printed()
    before = json.loads(json.dumps(results(ROWS, cpu="another")))
    before["settings"]["cell"] = "rnn"
    compare(results(ROWS), before, {"speeds": PART}, console)
    assert "Different in the two runs: cpu, cell" in out.getvalue()
    assert out.getvalue().count("1.00×") == 2
