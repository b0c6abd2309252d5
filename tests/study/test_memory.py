"""What cells remember, in the smallest sizes that tell them apart, and the command that measures it."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from streamer.cli import app
from streamer.study.guess import guess, outputs
from streamer.study.learning import Lessons
from streamer.study.memory import taught
from streamer.study.registry import STUDIES
from streamer.study.tasks.parity import Parity


def test_a_gated_cell_learns_parity_and_a_vanilla_one_does_not() -> None:
    """With the same few steps an LSTM is right on nine of ten strings five times as long; tanh is near chance."""
    task, how = Parity(1, 10, Parity(50, 60)), Lessons(600, rate=1e-2)
    far = {cell: taught(task, cell, how, 300, 0)["scores"]["parity, 50 to 60 bits"] for cell in ("lstm", "rnn")}
    assert far["lstm"] > 0.9
    assert far["rnn"] < 0.7


def test_guessed_weights_solve_parity() -> None:
    """Weights that were guessed give, by the equations in scalars, the parity of every string of eight bits."""
    found = guess(np.random.default_rng(0), 50, 50_000)
    assert found is not None
    w, v = found.weights

    def sigmoid(a: float) -> float:
        return float(1 / (1 + np.exp(-np.clip(a, -500, 500))))

    for bits in product((-1.0, 1.0), repeat=8):
        h = o = 0.0
        for x in bits:
            h = sigmoid(w @ [h, o, x, 1])
            o = sigmoid(v @ [h, o, x, 1])
        assert (o > 0.5) == (bits.count(1.0) % 2 == 1)
        assert outputs(found.weights[None], np.array(bits)[:, None])[0, 0] == pytest.approx(o)


def test_a_guess_that_does_not_come_is_none() -> None:
    """The search ends after as many guesses as were allowed."""
    assert guess(np.random.default_rng(0), 500, 1) is None


def test_the_command_keeps_what_it_measured(tmp_path: Path) -> None:
    """`streamer study memory --only guessing` prints the table, writes it, and measures nothing twice."""
    arguments = ["study", "memory", "--quick", "--only", "guessing", "--out", str(tmp_path)]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0
    assert "by weight guessing" in first.stdout
    assert (tmp_path / "memory" / "table.md").read_text(encoding="utf-8") in first.stdout
    results = tmp_path / "memory" / "results.json"
    held = json.loads(results.read_bytes())
    assert set(held["results"]) == {"parity by guessing, seed 0"}
    held["results"]["parity by guessing, seed 0"]["found"] = 77
    results.write_text(json.dumps(held))
    assert "77 guesses" in CliRunner().invoke(app, arguments).stdout


def test_help_names_every_study() -> None:
    """`streamer study --help` has every study and what it asks; a name that there is not is refused."""
    shown = " ".join(CliRunner().invoke(app, ["study", "--help"], env={"COLUMNS": "300"}).stdout.split())
    for name, entry in STUDIES.items():
        assert f"{name}: {entry.asks}" in shown
    assert CliRunner().invoke(app, ["study", "memroy"]).exit_code == 2


def test_all_leaves_out_what_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`streamer study all` runs the studies whose libraries there are, and says how to get those of the others."""
    monkeypatch.setattr("streamer.study.registry.find_spec", lambda name: None)
    for name in set(STUDIES) - {"memory", "strokes"}:
        monkeypatch.delitem(STUDIES, name)
    done = CliRunner().invoke(app, ["study", "all", "--quick", "--only", "guessing", "--out", str(tmp_path)])
    assert done.exit_code == 0
    assert "strokes is left out: pip install 'streamer[study]'" in done.stderr
    assert [folder.name for folder in tmp_path.iterdir()] == ["memory"]
