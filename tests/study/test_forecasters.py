"""The study of forecasters: its errors against numpy's, and its command on a small file."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from streamer.cli import app
from streamer.study.forecasters import error, trial
from streamer.study.rivals.contract import Rival
from streamer.study.sources import H, M, Series, paper_waves


class Constant(Rival):
    """Says half at every lead, in the units that it is given."""

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        return torch.full((len(x), h), 0.5)


def series(scaled: bool) -> Series:
    values = np.random.default_rng(0).normal(size=300).cumsum()
    return Series(values, np.zeros((300, 0)), np.ones(300, bool), 0, 300, scaled)


def test_errors_of_waves() -> None:
    """E_p is the root mean square over windows and the first leads, eq. (15)."""
    held = series(scaled=False)
    truth = np.array([held.values[t : t + H] for t in range(M, 300 - H + 1)])
    wanted = [np.sqrt(((truth[:, :h] - 0.5) ** 2).mean()) for h in (10, H)]
    assert error(Constant(), held, 10_000) == pytest.approx(wanted, rel=1e-5)


def test_errors_of_files() -> None:
    """Absolute errors are over those of persistence; forecasts are in units of the window's deviation."""
    held, size, still = series(scaled=True), [], []
    for t in range(M, 300 - H + 1):
        window, truth = held.values[t - M : t], held.values[t : t + H]
        size.append(np.abs(window[-1] + 0.5 * window.std(ddof=1) - truth))
        still.append(np.abs(window[-1] - truth))
    wanted = [np.array(size)[:, :h].mean() / np.array(still)[:, :h].mean() for h in (1, H)]
    assert error(Constant(), held, 10_000) == pytest.approx(wanted, rel=1e-5)


def test_narx_learns_the_waves() -> None:
    """A short training brings NARX below nine tenths of persistence's error over 40 values of the sine."""
    found = trial("NARX, parallel", partial(paper_waves, points=3_000), True, 0)
    some = paper_waves(0, 3_000).tests["sine"].spread(300)
    persistence = float((some.y - some.x[:, -1:]).square().mean().sqrt())
    assert found["errors"]["sine"][1] < 0.9 * persistence


def test_the_command_takes_a_file(tmp_path: Path) -> None:
    """`streamer study forecasters --csv` trains on the file and has its name in the table."""
    path = tmp_path / "load.csv"
    rows = [f"2026-01-01T{i // 60:02d}:{i % 60:02d}:00Z,{np.sin(i / 5)}" for i in range(600)]
    path.write_text("\n".join(["time,value", *rows]), encoding="utf-8")
    done = CliRunner().invoke(
        app,
        ["study", "forecasters", "--quick", "--csv", str(path), "--only", "load: focused TDNN", "--out", str(tmp_path)],
    )
    assert done.exit_code == 0, done.output
    held = json.loads((tmp_path / "forecasters" / "results.json").read_bytes())["results"]
    near, far = held["load: focused TDNN, seed 0"]["found"]["errors"]["load"]
    assert far < 0.5
    assert f"| focused TDNN | {near:.3f} / {far:.3f} |" in done.stdout
