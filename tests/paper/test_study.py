"""A whole study, small: what it writes, that it goes on where it was stopped, and what its tables say."""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from streamer.cli import app
from streamer.errors import StartError, StateError
from streamer.paper import bench
from streamer.paper.equation13 import LOSSES, residual, tune
from streamer.paper.grid import Study, quick
from streamer.paper.stacked import Stack
from streamer.paper.store import Store
from streamer.paper.study import run
from streamer.paper.table import error, estimate, networks, slope
from streamer.paper.training import Member, Plan, train

CPU = torch.device("cpu")
TINY = Study(
    n=(6, 8), fractions=(0.2, 0.5, 0.8), seeds=(0, 1), m=(20,), k=(20,), shares=(0.0, 0.5, 1.0), longer=2,
    cells=("gru",), cell_windows=64, plan=Plan(epochs=1), slow=Plan(epochs=1), windows=100, tests=20, points=2000,
)  # fmt: skip


class Stopped(Exception):
    """What stops a study in these tests."""


@pytest.fixture(scope="module", autouse=True)
def single() -> Iterator[None]:
    """One thread: networks this small only wait for a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study stopped at its fourth group, and run again to its end."""
    path = tmp_path_factory.mktemp("study")
    trained: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        whole = train

        def stopping(*arguments: object) -> Stack:
            if len(trained) == 3:
                raise Stopped
            trained.append(arguments)
            return whole(*arguments)  # type: ignore[arg-type]

        patch.setattr(bench, "train", stopping)
        with pytest.raises(Stopped):
            run(TINY, path, CPU)
    held = (path / "results.json").read_bytes()
    assert len(list((path / "networks").iterdir())) == 3
    run(TINY, path, CPU)
    after = json.loads((path / "results.json").read_bytes())["results"]
    for name, found in json.loads(held)["results"].items():
        assert after[name] == found
    return path


def test_it_writes_what_it_promises(folder: Path) -> None:
    """Four figures, results.json and the summary are there, every group is in the results."""
    for number in (1, 2, 3, 4):
        assert (folder / f"figure{number}.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((folder / "results.json").read_bytes())["results"]
    assert {group.name for group in TINY.groups()} <= results.keys()
    text = (folder / "SUMMARY.md").read_text()
    assert "| claim | measured |" in text
    assert "nan" not in text
    for name in ("limit, m = 70", "persistence", "ridge direct", "neighbours", "gru", "teacher", "moving", "n = 8"):
        assert name in text, name


def test_a_finished_study_trains_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run again, it only draws and writes."""
    monkeypatch.setattr(bench, "train", None)
    before = (folder / "results.json").read_bytes()
    run(TINY, folder, CPU)
    assert (folder / "results.json").read_bytes() == before


def test_another_study_is_refused(folder: Path) -> None:
    """A folder that holds a study with other settings is not mixed with this one."""
    with pytest.raises(StateError, match="choose another --out"):
        run(replace(TINY, seeds=(0,)), folder, CPU)


def test_the_command_says_so(folder: Path) -> None:
    """`streamer reproduce` on a folder of another study fails with that error, before it trains anything."""
    done = CliRunner().invoke(app, ["reproduce", "--quick", "--device", "cpu", "--out", str(folder)])
    assert isinstance(done.exception, StateError)


@pytest.mark.parametrize("library", ["matplotlib", "sklearn"])
def test_a_missing_extra_is_named(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra's libraries the command says in one line what to install."""
    for name in [name for name in sys.modules if name.split(".")[0] == library or name.startswith("streamer.paper")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    done = CliRunner().invoke(app, ["reproduce", "--out", str(tmp_path)])
    assert isinstance(done.exception, StartError)
    assert str(done.exception) == f"{library} is missing: pip install 'streamer[paper]'"


def test_weights_come_back(folder: Path) -> None:
    """The networks kept on disk have the errors that the results say."""
    group = next(group for group in TINY.groups() if group.name == "memoryless 6")
    store = Store.open(folder, json.loads((folder / "results.json").read_bytes())["study"])
    work = bench.Bench.of(TINY, store, CPU)
    judged = work.judge(work.stack(group), group.members)
    for row, kept in zip(judged, store.results["memoryless 6"]["networks"], strict=True):
        assert row["windowed"] == pytest.approx(kept["windowed"], abs=1e-6)


def test_tuning_moves_the_decoder_alone() -> None:
    """Every tuning of F2 leaves F1 and P as they were to the bit; the bare relation lowers its residual."""
    members = [Member("traditional", 12, seed, m=10, k=4) for seed in (0, 1)]
    stack = Stack.fresh("traditional", [member.sizes for member in members], [0, 1], CPU)
    torch.manual_seed(0)
    s, truth = 0.5 * torch.randn(2, 300, 6), torch.randn(2, 8, 300)
    for name, loss in LOSSES.items():
        tuned = tune(stack, s, truth, loss, 4, epochs=5)
        for weight in stack.weights:
            assert torch.equal(tuned.weights[weight], stack.weights[weight]) == (not weight.startswith("F2")), name
        if name == "relations":
            assert (residual(tuned, s, 4) < residual(stack, s, 4)).all()


def test_estimates() -> None:
    """Mean, standard error, and the slope against ln r of a table made by hand."""
    assert estimate([1.0, 2.0, 3.0]) == pytest.approx((2.0, 1 / math.sqrt(3)))
    rows = [
        {"r": math.exp(x), "seed": seed, "share": 0.0, "windowed": {"sine 10": 2 * x + seed}}
        for x in (-1.0, 0.0, 2.0)
        for seed in (0, 1)
    ]
    assert slope(rows, "windowed", "sine 10").mean == pytest.approx(2.0)
    assert error([rows[0], rows[1]], "windowed", "sine 10").mean == pytest.approx(-1.5)
    assert len(networks({"a 1": {"networks": rows}, "b": {"networks": rows}}, "a", seed=1)) == 3


def test_quick_is_what_the_help_says() -> None:
    """One n, three ratios, two seeds."""
    assert (len(quick().n), len(quick().fractions), len(quick().seeds)) == (1, 3, 2)
