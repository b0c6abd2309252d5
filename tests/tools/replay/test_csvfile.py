"""CSV files as sources."""

import logging
from itertools import pairwise
from pathlib import Path

import pytest

from streamer.errors import SourceError
from streamer.tools.replay.csvfile import csv_file
from streamer.tools.replay.sample import START, Sample
from streamer.tools.replay.sources import SourceOptions, open_source

ETT = Path(__file__).parents[4] / "shared" / "data" / "ETTh1.csv"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("date, a ,b,7\n2026-01-01,1,2,3\n2026-01-02,4,,6\n2026-01-03 12:00,7,8,NaN\n")
    return path


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_time_column(table: Path) -> None:
    """With a time column, its dates are the event times, in UTC."""
    assert list(csv_file(table, ["a"], "date")) == [
        Sample(START, (1.0,)),
        Sample(START + 86400, (4.0,)),
        Sample(START + 2.5 * 86400, (7.0,)),
    ]


def test_interval_keeps_gaps(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a time column rows are an interval apart; one with an empty or NaN cell is a gap, counted in the log."""
    caplog.set_level(logging.INFO)
    assert list(csv_file(table, ["a", "7"], None, 10.0, 100.0)) == [
        Sample(100.0, (1.0, 3.0)),
        Sample(110.0, (4.0, 6.0)),
    ]
    assert list(csv_file(table, ["b"], None, 10.0, 100.0)) == [Sample(100.0, (2.0,)), Sample(120.0, (8.0,))]
    assert [record.getMessage() for record in caplog.records] == [
        f"{table}: 1 of 3 rows have empty cells and were left out"
    ] * 2


def test_names_and_positions(table: Path) -> None:
    """A column is a name first and a position from 1 second."""
    assert next(csv_file(table, ["7"])).values == (3.0,)
    assert next(csv_file(table, ["2", "a", "3"])).values == (1.0, 1.0, 2.0)
    assert next(csv_file(table, ["b"], "1")).time == START


def test_only_column_needs_no_name(tmp_path: Path) -> None:
    """Where one column remains besides the time, it need not be named."""
    path = write(tmp_path, "t,x\n1700000000000,1.5\n")
    assert list(csv_file(path, (), "t")) == [Sample(1700000000.0, (1.5,))]


def test_headless(tmp_path: Path) -> None:
    """A first line of numbers and times is data, and columns are taken by position."""
    path = write(tmp_path, "2026-01-01,3,1\n2026-01-02,4,2\n")
    assert [sample.values for sample in csv_file(path, ["3"], "1")] == [(1.0,), (2.0,)]


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfx;y\r\n1;2\r\n", b"x\ty\n1\t2\n", b'"x","y"\n"1","2"\n\n', b"x,y\n 1 , 2 \n"],
    ids=["spreadsheet", "tabs", "quotes", "blanks"],
)
def test_dialects(tmp_path: Path, content: bytes) -> None:
    """Semicolons, tabs, quotes, blanks, byte order marks and DOS line ends are read without options."""
    assert list(csv_file(write(tmp_path, content), ["x", "y"])) == [Sample(START, (1.0, 2.0))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data.csv: is empty"),
        ("t,x\n", "holds no samples"),
        ("t,x\n1,\n", "holds no samples"),
        ("t,y,z\n1,2,3\n", "data.csv: has no column 'x'; it has: t, y, z"),
        ("1,2\n", "data.csv: has no column 't'; it has: no names, but columns 1 to 2"),
        ("t,x\n1,2\n2,warm\n", "data.csv:3: 'warm' is no number"),
        ("t,x\n1,inf\n", "data.csv:2: 'inf' is no finite number"),
        ("t,x\nsoon,1\n", "data.csv:2: 'soon' is no time"),
        ("t,x\n,1\n", "data.csv:2: '' is no time"),
        ("t,x\n1,2\n2\n", "data.csv:3: has 1 cells, column 2 is missing"),
        (b"t,x\n1,\xff\n", "data.csv:2: is not UTF-8 text"),
    ],
)
def test_malformed(tmp_path: Path, content: str | bytes, message: str) -> None:
    """What is wrong with a file is a SourceError that names the file, and the line where there is one."""
    path = write(tmp_path, content)
    with pytest.raises(SourceError) as error:
        list(open_source(str(path), SourceOptions(columns=("x",), time_column="t")))
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_columns_wanted(table: Path) -> None:
    """Where several columns remain and none is named, the error lists them."""
    with pytest.raises(SourceError, match="say which columns to replay; it has: date, a, b, 7"):
        next(csv_file(table))


@pytest.mark.skipif(not ETT.exists(), reason=f"{ETT} is not there")
def test_electricity_transformer() -> None:
    """ETTh1 has 17,420 hourly samples without a gap, from July 2016 to June 2018."""
    samples = list(csv_file(ETT, ["OT", "HUFL"], "date"))
    assert samples[0] == Sample(1467331200.0, (30.5310001373291, 5.827000141143799))
    assert samples[-1] == Sample(1530039600.0, (9.56700038909912, 10.11400032043457))
    assert {b.time - a.time for a, b in pairwise(samples)} == {3600.0}
    assert len(samples) == 17420
