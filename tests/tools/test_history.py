"""History into a state and out of it: as if the daemon had lived through it."""

import csv
import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from streamer.cli import app
from streamer.config import Config
from streamer.config.loader import load
from streamer.errors import SourceError, StateError
from streamer.records import Message
from streamer.store.database import FILE, SNAPSHOTS
from streamer.store.journal import Journal
from streamer.tools.history.bring import BATCH, Brought, bring
from streamer.tools.history.export import export
from streamer.tools.history.table import messages
from streamer.tools.replay.recording import recorded
from streamer.tools.replay.sample import Sample
from tests.streams import feed, resumed, sample, save

START = 1_750_000_000.0
STREAM = {"name": "plant", "topics": ["plant/+"], "payload": {"format": "json", "time": "time"}, "interval": 1.0}


def configured(folder: Path, state: str = "state", **changes: Any) -> Config:
    """A configuration in a file of this folder, of one stream with small networks."""
    model = {"m": 8, "k": 3, "p": 2, "n": 6, "cell": "rnn"}
    stream = {**STREAM, "model": model, "retrain": {"every": 0, "minimum": 40, "window": 400}, **changes}
    document = {
        "mqtt": {"url": "mqtt://localhost"},
        "streams": [stream],
        "state": {"path": str(folder / state)},
        "training": {"epochs": 1, "windows": 64, "device": "cpu"},
    }
    YAML().dump(document, folder / f"{state}.yaml")
    return load(folder / f"{state}.yaml")


def past(ticks: range, series: str = "ab") -> list[Message]:
    """Messages of a few noisy series, a tick of all of them after the other."""
    noise = np.random.default_rng(0).normal(size=(10_000, 9))
    return [
        Message(f"plant/{name}", sample("", START + t, np.sin(t / 7) + noise[t, i]).payload, 0, False, None, START + t)
        for t in ticks
        for i, name in enumerate(series)
    ]


def imported(config: Config, some: Iterable[Message], stop: int = 10**9) -> Brought:
    """An import, stopped after so many looks at whether it is to stop."""
    looks = iter(range(stop))
    return bring(config, some, lambda *_: None, lambda: next(looks, None) is None)


def live(config: Config, some: list[Message]) -> list[dict[str, Any]]:
    """The forecasts of a daemon that starts on the state, gets a batch for each time, and stops."""
    fast = resumed(config.state.path, *config.streams)
    times = sorted({one.arrived for one in some})
    out = [one for time in times for one in feed(fast, [each for each in some if each.arrived == time])]
    save(fast)
    fast.journal.close()
    return out


def test_an_import_is_as_if_lived_through(tmp_path: Path) -> None:
    """After an import the forecasts of what comes then are, bit for bit, those of a daemon that had all of it live."""
    had, now = past(range(200)), past(range(200, 230))
    one, other = configured(tmp_path, "one"), configured(tmp_path, "other")
    live(one, had)
    assert imported(other, had).samples == {"plant": 400}
    assert live(other, now) == live(one, now)


def test_a_stopped_import_goes_on(tmp_path: Path) -> None:
    """An import that was stopped on the way and run again, twice, holds each sample once and forecasts the same."""
    had, now = past(range(5000)), past(range(5000, 5010))
    whole, parts = configured(tmp_path, "whole"), configured(tmp_path, "parts")
    imported(whole, had)
    first = imported(parts, had, stop=1)
    assert (first.stopped, first.messages, first.old) == (True, 2 * BATCH, 0)
    second = imported(parts, had)
    assert (second.stopped, second.old, second.samples["plant"]) == (False, 2 * BATCH, 10_000 - 2 * BATCH)
    assert imported(parts, had).old == 10_000
    assert second.rejected == {"plant": {}}
    assert live(parts, now) == live(whole, now)


def test_open_ticks_go_on_too(tmp_path: Path) -> None:
    """Where a tick is the mean of several readings, an import that was stopped within one goes on within it."""
    had, mean = past(range(5000)), {"interval": 7.0, "aggregate": "mean"}
    whole, parts = configured(tmp_path, "whole", **mean), configured(tmp_path, "parts", **mean)
    imported(whole, had)
    imported(parts, had, stop=1)
    assert imported(parts, had).old == 2 * BATCH
    tables = [io.StringIO(), io.StringIO()]
    for config, out in zip((whole, parts), tables, strict=True):
        export(config.state.path, "#", out, lambda *_: None)
    assert tables[0].getvalue() == tables[1].getvalue()
    assert len(tables[0].getvalue().splitlines()) > 700


def test_bare_numbers_come_once_too(tmp_path: Path) -> None:
    """Where messages have no time of their own, that of their arrival keeps a second import from adding anything."""
    config = configured(tmp_path, payload={"format": "number"}, interval=None)
    some = [Message("plant/a", b"%d" % t, 0, False, 0, START + t) for t in range(50)]
    assert imported(config, some).samples == {"plant": 50}
    again = imported(config, some)
    assert (again.old, again.samples) == (50, {"plant": 0})


def test_networks_are_trained_at_once(tmp_path: Path) -> None:
    """With enough history the first training happens at the end, and the daemon starts with its outcome."""
    config = configured(tmp_path, retrain={"every": 100, "minimum": 60, "window": 400})
    done = imported(config, past(range(100)))
    assert sum(done.trainings["plant"].values()) == 2
    assert len(list((config.state.path / SNAPSHOTS).iterdir())) == 2
    fast = resumed(config.state.path, *config.streams)
    assert fast.streams[0].training_due() is None
    fast.journal.close()


def test_the_rules_are_those_of_live_messages(tmp_path: Path) -> None:
    """What would be no sample live is none here, and is counted by the same reason; other topics are counted."""
    config = configured(tmp_path, highest=10.0)
    some = [
        sample("plant/a", START, 1.0),
        sample("plant/a", START + 1, 99.0),
        Message("plant/a", b"junk", 0, False, 0, START + 2),
        Message("else/a", b"1", 0, False, 0, START + 2),
    ]
    done = imported(config, some)
    assert (done.samples, done.rejected) == ({"plant": 1}, {"plant": {"out_of_range": 1, "syntax": 1}})
    assert done.unrouted == 1


def test_forecasts_of_the_past_are_not_published(tmp_path: Path) -> None:
    """A daemon that starts afterwards has nothing to make good: its broker lacks no forecast of what was imported."""
    config = configured(tmp_path)
    live(config, past(range(5)))
    imported(config, past(range(5, 50)))
    with closing(Journal.open(config.state.path)) as journal:
        assert journal.begin_handover() == {}


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        ({"format": "number"}, b"21.5"),
        ({"format": "json"}, b'{"value":21.5}'),
        ({"format": "json", "value": "a.t", "time": "a.ts"}, b'{"a":{"t":21.5,"ts":"2025-06-15T15:06:40.000Z"}}'),
        ({"format": "json", "fields": ["temp"], "time": "t", "time_format": "ms"}, b'{"temp":21.5,"t":1750000000000}'),
    ],
)  # fmt: skip
def test_a_column_becomes_what_its_stream_reads(tmp_path: Path, payload: dict[str, Any], wanted: bytes) -> None:
    """A value of a table is written as the payload of its stream says, and read again by the intake."""
    config = configured(tmp_path, payload=payload)
    (one,) = messages([Sample(START, (21.5,))], ["plant/a"], config)
    assert (one.topic, one.payload, one.arrived) == ("plant/a", wanted, START)
    assert imported(config, [one]).samples == {"plant": 1}


@pytest.mark.parametrize(
    ("payload", "topics", "words"),
    [
        ({"format": "json"}, ["else"], "--topic else: no stream"),
        ({"format": "json"}, ["plant/a", "plant/b"], "1 columns and 2 topics"),
        ({"format": "json", "fields": "*"}, ["plant/a"], "import a recording"),
        ({"format": "influx"}, ["plant/a"], "import a recording"),
    ],
)
def test_columns_that_do_not_fit(tmp_path: Path, payload: dict[str, Any], topics: list[str], words: str) -> None:
    """Topics that no stream selects, too many of them, and payloads of more than a number are errors that say so."""
    with pytest.raises(SourceError, match=words):
        list(messages([Sample(START, (1.0,))], topics, configured(tmp_path, payload=payload)))


def table(path: Path, rows: int) -> Path:
    """A CSV file of two columns, the second with gaps."""
    lines = ["date,power,temp", *(f"{START + t},{t},{'' if t % 3 else t / 2}" for t in range(rows))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_in_and_out_by_the_commands(tmp_path: Path) -> None:
    """`streamer import` takes columns to topics, each with its own gaps; `streamer export` gives the same samples."""
    configured(tmp_path)
    source = table(tmp_path / "meter.csv", 90)
    columns = ["--column", "power", "--topic", "plant/power", "--column", "temp", "--topic", "plant/temp"]
    command = ["import", str(tmp_path / "state.yaml"), str(source), "--time-column", "date", *columns]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "120 messages read, 0 of them older" in done.stdout
    assert "plant: 120 samples; rejected: none; trainings: none" in done.stdout
    command = ["export", str(tmp_path / "state.yaml"), "--series", "plant/temp", "--out", str(tmp_path / "out.csv")]
    assert "30 samples written" in CliRunner().invoke(app, command, catch_exceptions=False).stderr
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["series"], float(row["value"])) for row in rows] == [("plant/temp", t / 2) for t in range(0, 90, 3)]
    assert rows[0]["time"] == "2025-06-15T15:06:40.000Z"
    missing = CliRunner().invoke(app, ["export", str(tmp_path / "state.yaml"), "--series", "no/+"])
    assert isinstance(missing.exception, SourceError)


def test_a_running_daemon_is_told(tmp_path: Path) -> None:
    """While a daemon holds the state, an import is refused, and an export reads beside it."""
    config = configured(tmp_path)
    live(config, past(range(5)))
    with closing(Journal.open(config.state.path)):
        with pytest.raises(StateError, match="daemon"):
            imported(config, past(range(9)))
        done = CliRunner().invoke(app, ["export", str(tmp_path / "state.yaml")], catch_exceptions=False)
    assert len(done.stdout.splitlines()) == 11


def test_ctrl_c_stops_it_in_order(tmp_path: Path) -> None:
    """Ctrl-C ends an import after a batch, with a snapshot, and says how to go on."""
    config = configured(tmp_path)
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"".join(recorded(one.arrived, one.topic, one.payload) for one in past(range(9999), "abcdefgh")))
    command = [sys.executable, "-m", "streamer", "import", str(tmp_path / "state.yaml"), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        while not (config.state.path / FILE).exists():
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=120)
    assert run.returncode == 0
    assert "Stopped. Run the same command to go on." in out
    assert list((config.state.path / SNAPSHOTS).iterdir())
