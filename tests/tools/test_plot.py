"""What `streamer plot` draws: the past of a journal, and the very forecast that the daemon published."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from streamer.cli import app
from streamer.errors import SourceError, StartError, StateError
from streamer.lanes.fast import FastLane
from streamer.store.journal import Journal
from streamer.store.snapshots import write
from streamer.stream.state import StreamState
from streamer.tools.plot.curve import Curve, curve
from streamer.tools.plot.draw import in_terminal, to_file
from tests.streams import feed, sample


def lived(folder: Path, ticks: int, **changes: Any) -> tuple[Path, list[dict[str, Any]]]:
    """A configuration whose daemon has lived through a slope and a snapshot, and the forecasts it published."""
    from streamer.config.loader import load

    stream = {"name": "plant", "topics": ["plant/+"], "payload": {"format": "json", "time": "time"}, "interval": 1.0}
    document = {
        "mqtt": {"url": "mqtt://localhost"},
        "streams": [{**stream, "max_ahead": None, "forecasters": ["linear"], "retrain": {"every": 0}, **changes}],
        "state": {"path": str(folder / "state")},
    }
    YAML().dump(document, folder / "c.yaml")
    config = load(folder / "c.yaml")
    journal = Journal.open(config.state.path)
    fast = FastLane([StreamState(one, config.metrics) for one in config.streams], journal, 10_000, lambda: 0.0)
    out = []
    for t in range(ticks):
        out += feed(fast, [sample(f"plant/{name}", t, np.sin(t / 5) + i) for i, name in enumerate("ab")])
        if t == ticks // 2:
            for name, snapshot in fast.snapshots().items():
                write(config.state.path, name, snapshot)
    journal.close()
    return folder / "c.yaml", out


def test_the_forecast_is_the_published_one(tmp_path: Path) -> None:
    """By a configuration, past and forecast of a series are those that the daemon had and published last, with the
    band."""
    config, out = lived(tmp_path, 100)
    last = [one for one in out if one.get("series") == "plant/b"][-1]
    found = curve(config, "plant/b", 30, 0)
    assert found.times == [float(t) for t in range(70, 100)]
    assert found.values == pytest.approx([np.sin(t / 5) + 1 for t in range(70, 100)])
    assert found.mean == last["mean"]
    assert (found.low, found.high) == (last["quantiles"]["0.1"], last["quantiles"]["0.9"])
    assert found.ahead == [100.0 + i for i in range(len(last["mean"]))]
    assert (found.model, found.band) == ("mix", "80% band")


def test_a_state_directory_has_the_past(tmp_path: Path) -> None:
    """Without the configuration there is the past alone."""
    lived(tmp_path, 20)
    found = curve(tmp_path / "state", "plant/a", 200, 0)
    assert (len(found.times), found.mean, found.band) == (20, [], "")


def test_what_is_not_there(tmp_path: Path) -> None:
    """An unknown series, an element too many and an empty directory are errors that say what there is."""
    config, _ = lived(tmp_path, 5)
    with pytest.raises(SourceError, match="plant/c: no such series; there are plant/a, plant/b"):
        curve(config, "plant/c", 10, 0)
    with pytest.raises(SourceError, match="--element 1: a sample has 1"):
        curve(config, "plant/a", 10, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StateError, match="holds no journal"):
        curve(tmp_path / "empty", "plant/a", 10, 0)


def test_two_numbers_a_sample(tmp_path: Path) -> None:
    """Of samples that are arrays one element is drawn."""
    paths = {"format": "json", "time": "time", "value": ["value", "value"]}
    config, out = lived(tmp_path, 20, payload=paths)
    found = curve(config, "plant/a", 5, 1)
    last = [one for one in out if one.get("series") == "plant/a"][-1]
    assert found.mean == [pair[1] for pair in last["mean"]]


FAN = Curve(
    "plant/a\x1b[2J",
    [0.0, 1.0, 2.0],
    [1.0, 2.0, 3.0],
    [3.0, 4.0],
    [4.0, 5.0],
    [3.5, 4.0],
    [4.5, 6.0],
    (0.1, 0.9),
    "mix",
)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_the_terminal(width: int) -> None:
    """A drawing has no line longer than the terminal, names its curves, and no name moves the cursor."""
    lines = in_terminal(FAN, width, 20, colours=False).splitlines()
    assert max(map(len, lines)) <= width
    assert "\x1b" not in "".join(lines)
    text = "\n".join(lines)
    assert all(word in text for word in ("measured", "forecast", "80% band", "seconds from 1970-01-01 00:00:02 UTC"))
    assert "\x1b[38" in in_terminal(FAN, width, 20, colours=True)


def test_a_picture(tmp_path: Path) -> None:
    """With a file name it is a PNG; where it cannot be written, the file is named."""
    to_file(FAN, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(StartError, match="cannot be written"):
        to_file(FAN, tmp_path / "no" / "a.png")


@pytest.mark.parametrize(("library", "options"), [("plotext", []), ("matplotlib", ["--png", "x.png"])])
def test_without_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, options: list[str]) -> None:
    """Where the library is missing one line says how to get it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == library] + [library]:
        monkeypatch.setitem(sys.modules, name, None)
    config, _ = lived(tmp_path, 5)
    done = CliRunner().invoke(app, ["plot", str(config), "--series", "plant/a", *options])
    assert isinstance(done.exception, StartError)
    assert str(done.exception) == f"{library} is missing: pip install 'streamer[plot]'"


async def test_the_command(tmp_path: Path) -> None:
    """`streamer plot` prints the drawing in plain characters where the output is no terminal, and nothing else."""
    config, _ = lived(tmp_path, 50)
    command = [sys.executable, "-m", "streamer", "plot", str(config), "--series", "plant/a", "--samples", "20"]
    run = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, error = await run.communicate()
    assert (run.returncode, error) == (0, b"")
    assert "plant/a, forecast by mix" in out.decode()
    assert json.dumps(out.decode()).count("\\u001b") == 0
