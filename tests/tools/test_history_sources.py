"""History from InfluxDB and Prometheus: files as they write them, and a real Prometheus."""

import gzip
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from streamer.cli import app
from streamer.config import Config
from streamer.errors import SourceError
from streamer.records import Message
from streamer.tools.history import prometheus as ranges
from streamer.tools.history.sources import Asked, history
from tests.deploy.prometheus import prometheus
from tests.tools.test_history import START, configured, imported

LINES = [
    "# DML",
    'room,room=hall,host=a temp=21.5,on=true,note="x" {0}000000000',
    "room,room=hall,host=a temp=22.5 {1}000000000",
    "room,room=attic/2,host=a temp=15 {0}000000000",
    "CREATE DATABASE home WITH NAME autogen",
    "room,room=attic/2,host=a temp=16",
]
"""As `influxd inspect export-lp` writes it: series by series."""
TIMES = (int(START), int(START) + 1)
TABLES = """#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string
#group,false,false,true,true,false,false,true,true,true
#default,_result,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,room
,,0,2025-01-01T00:00:00Z,2026-01-01T00:00:00Z,2025-06-15T15:06:40Z,21.5,temp,room,hall
,,0,2025-01-01T00:00:00Z,2026-01-01T00:00:00Z,2025-06-15T15:06:41Z,22.5,temp,room,hall
,,1,2025-01-01T00:00:00Z,2026-01-01T00:00:00Z,2025-06-15T15:06:40Z,,temp,room,attic

#datatype,string,long,dateTime:RFC3339,boolean,string,string
#group,false,false,false,false,true,true
#default,_result,,,,,
,result,table,_time,_value,_field,room
,,2,2025-06-15T15:06:40Z,true,on,hall
"""
PIVOTED = """#datatype,string,long,dateTime:RFC3339,double,double,string
#group,false,false,false,false,false,true
#default,_result,,,,,
,result,table,_time,temp,humidity,room
,,0,2025-06-15T15:06:40Z,21.5,40,hall
,,0,2025-06-15T15:06:41Z,,41,hall
"""
MATRIX = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            {"metric": {"__name__": "temp", "room": "hall"}, "values": [[START, "21.5"], [START + 1, "22.5"]]},
            {"metric": {"__name__": "temp", "room": "attic"}, "values": [[START, "NaN"], [START + 1, "15"]]},
        ],
    },
}


def read(source: Path, config: Config, *topics: str) -> list[tuple[str, float, bytes]]:
    some, count = history(str(source), Asked(topics), config, lambda *_: None)
    found = list(some)
    assert count is not None
    assert count >= len(found)
    return [(one.topic, one.arrived - START, one.payload) for one in found]


def bare(folder: Path) -> Config:
    """A configuration of bare numbers, whose payloads are easy to compare."""
    return configured(folder, payload={"format": "number"}, interval=None, topics=["plant/#"])


def written(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def protocol(path: Path) -> Path:
    return written(path, "\n".join(line.format(*TIMES) for line in LINES) + "\n")


@pytest.mark.parametrize("name", ["a.lp", "a.lp.gz"])
def test_line_protocol_as_numbers(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Every number of line protocol becomes a message on the topic that its tags make, in the order of time; what is no
    point with a time is told."""
    with caplog.at_level(logging.WARNING):
        found = read(protocol(tmp_path / name), bare(tmp_path), "plant/{room}/{field}")
    assert found == [
        ("plant/hall/temp", 0.0, b"21.5"),
        ("plant/hall/on", 0.0, b"1.0"),
        ("plant/attic_2/temp", 0.0, b"15.0"),
        ("plant/hall/temp", 1.0, b"22.5"),
    ]
    assert "2 lines are no points with a time, and left out; the first: line 5: not measurement" in caplog.text


@pytest.mark.parametrize(("precision", "unit"), [("ns", 10**9), ("ms", 1000)])
def test_line_protocol_as_it_is(tmp_path: Path, precision: str, unit: int) -> None:
    """A stream that reads line protocol gets the lines, those of one time and topic as one message, in its own unit of
    time."""
    payload = {"format": "influx", "precision": precision}
    config = configured(tmp_path, payload=payload, topics=["plant/{host}"])
    first, second, third = (line.rpartition(" ")[0] for line in LINES[1:4])
    assert read(protocol(tmp_path / "a.lp"), config, "plant/{host}") == [
        ("plant/a", 0.0, f"{first} {TIMES[0] * unit}\n{third} {TIMES[0] * unit}".encode()),
        ("plant/a", 1.0, f"{second} {TIMES[1] * unit}".encode()),
    ]
    some, _ = history(str(tmp_path / "a.lp"), Asked(["plant/{host}"]), config, lambda *_: None)
    assert imported(config, some).samples == {"plant": 3}


def test_answers_of_influxdb(tmp_path: Path) -> None:
    """Annotated CSV gives a message for each value of each of its tables; empty cells are none."""
    assert read(written(tmp_path / "a.csv", TABLES), bare(tmp_path), "plant/{room}/{field}") == [
        ("plant/hall/temp", 0.0, b"21.5"),
        ("plant/hall/on", 0.0, b"1.0"),
        ("plant/hall/temp", 1.0, b"22.5"),
    ]


def test_pivoted_answers_of_influxdb(tmp_path: Path) -> None:
    """Where a query has made columns of the fields, each column of numbers is one."""
    assert read(written(tmp_path / "a.csv.gz", PIVOTED), bare(tmp_path), "plant/{room}/{field}") == [
        ("plant/hall/temp", 0.0, b"21.5"),
        ("plant/hall/humidity", 0.0, b"40.0"),
        ("plant/hall/humidity", 1.0, b"41.0"),
    ]


def test_answers_of_prometheus_in_a_file(tmp_path: Path) -> None:
    """A saved answer of query_range gives a message for each finite value."""
    assert read(written(tmp_path / "a.json", json.dumps(MATRIX)), bare(tmp_path), "plant/{room}/{__name__}") == [
        ("plant/hall/temp", 0.0, b"21.5"),
        ("plant/hall/temp", 1.0, b"22.5"),
        ("plant/attic/temp", 1.0, b"15.0"),
    ]


async def test_a_real_prometheus(tmp_path: Path) -> None:
    """A server is asked page by page, for more than it answers at once, and gives every step once; its errors are
    told."""
    query = 'label_replace(vector(time() % 7), "room", "hall", "", "")'
    start, count = int(START), 25_000
    wanted = [("plant/hall", t * 15.0, b"%.1f" % ((start + t * 15) % 7)) for t in range(count)]
    async with prometheus(tmp_path, "127.0.0.1:9") as server:

        def url(**asked: Any) -> Any:
            given = {"query": query, "start": start, "end": start + (count - 1) * 15, "step": "15s", **asked}
            return f"{server.url}query_range?{urlencode(given)}"

        assert read(url(), bare(tmp_path), "plant/{room}") == wanted
        assert read(url(end="2025-06-15T15:07:10Z"), bare(tmp_path), "plant/{room}") == wanted[:3]
        with pytest.raises(SourceError, match="parse error"):
            read(url(query="vector("), bare(tmp_path), "plant/{room}")
        with pytest.raises(SourceError, match="step '15x': a number of seconds, or 15s, 5m, 1h"):
            read(url(step="15x"), bare(tmp_path), "plant/{room}")
        with pytest.raises(SourceError, match="is a vector; ask query_range"):
            read(url().replace("query_range", "query"), bare(tmp_path), "plant/{room}")
    with pytest.raises(SourceError, match="refused"):
        read(url(), bare(tmp_path), "plant/{room}")


@pytest.mark.parametrize(
    ("step", "found"), [("15", 15.0), ("0.5", 0.5), ("1h30m", 5400.0), ("250ms", 0.25), ("1d", 86_400.0)]
)
def test_steps(step: str, found: float) -> None:
    """A step is a number of seconds or a duration as Prometheus writes it."""
    assert ranges.seconds(step) == found


@pytest.mark.parametrize(
    ("name", "text", "topics", "words"),
    [
        ("a.json", json.dumps(MATRIX), ["plant/{house}"], "no label house; there are __name__, room"),
        ("a.json", json.dumps(MATRIX), ["plant/x"], "several series would be plant/x; .* of: room"),
        ("a.json", json.dumps(MATRIX), [], "give one --topic"),
        ("a.json", json.dumps(MATRIX), ["else/{room}"], "no stream of the configuration selects it"),
        ("a.json", '{"status": "error", "error": "bad"}', ["plant/x"], "a.json: bad"),
        ("a.json", "[1]", ["plant/x"], "a.json: no answer of Prometheus"),
        ("a.lp", "# nothing\n", ["plant/x"], "holds no point with a time"),
        ("a.csv", TABLES.replace("22.5", "2x"), ["plant/x"], "a.csv:6: could not convert"),
        ("a.csv", TABLES.replace("22.5,", ""), ["plant/x"], "a.csv:6: has 9 cells instead of 10"),
        ("a.csv", TABLES.replace("_time,", "time,"), ["plant/x"], "a.csv:4: has no column _time"),
        (
            "a.csv",
            "#datatype,string,string\n,error,reference\n,no bucket,897\n",
            ["plant/x"],
            "an error of InfluxDB: no bucket, 897",
        ),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str, topics: list[str], words: str) -> None:
    """Answers and topics that do not fit are errors that name file, line or label."""
    with pytest.raises(SourceError, match=words):
        read(written(tmp_path / name, text), bare(tmp_path), *topics)


def test_stopped_within_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that is stopped ends between two times, so that it goes on with all series of the next."""
    monkeypatch.setattr("streamer.tools.history.bring.BATCH", 8)
    config = configured(tmp_path, topics=["plant"], payload={"format": "influx"})

    def several() -> Iterable[Message]:
        lines = (b"m,n=%d x=%d %d000000000" % (i, t, int(START) + t) for t in range(20) for i in range(5))
        return (Message("plant", line, 0, False, None, START + i // 5) for i, line in enumerate(lines))

    assert imported(config, several(), stop=1).stopped
    again = imported(config, several())
    assert (again.samples["plant"] + again.old, again.rejected["plant"]) == (100, {})


def test_by_the_command(tmp_path: Path) -> None:
    """`streamer import` reads line protocol by its tags, and a second time finds nothing new."""
    configured(tmp_path, topics=["plant/#"])
    command = [
        "import",
        str(tmp_path / "state.yaml"),
        str(protocol(tmp_path / "a.lp")),
        "--topic",
        "plant/{room}/{field}",
    ]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "4 messages read, 0 of them older" in done.stdout
    assert "plant: 4 samples; rejected: none" in done.stdout
    assert "4 messages read, 4 of them older" in CliRunner().invoke(app, command, catch_exceptions=False).stdout
