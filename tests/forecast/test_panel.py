"""The forecasters of a stream together: who is published, and what a swap leaves of the scores."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.panel import Panel
from streamer.models import KINDS, Kind, build
from streamer.records import ForecastBatch, TickBatch
from tests.forecast.common_truths import by_hand as by_truth
from tests.forecast.ticks import ticks_of
from tests.streams import SMALL

WINDOW, HORIZON, LEADS = 50, 6, (1, 3, 6)
DECAY = np.exp(-1 / WINDOW)


def panel(**publish: Any) -> Panel:
    config = Stream(name="plant", topics=["#"], model=SMALL, publish=publish, season=None)  # type: ignore[arg-type]
    made = Panel.begin(config, Metrics(window=WINDOW))
    for part in made.parts():
        part.grow(1)
    made.begin_rows(np.array([0]))
    return made


def network(of: Panel, kind: Kind, seed: int, version: int = 1) -> NetworkForecaster:
    torch.manual_seed(seed)
    made = NetworkForecaster.of(build(kind, of.config.sizes).requires_grad_(False), of.config, version)
    made.grow(1)
    return made


def wave(begin: int, end: int) -> Iterator[TickBatch]:
    for t in range(begin, end):
        yield ticks_of([0], np.array([[np.sin(t / 2)]]), t, t == 0)


def go(of: Panel, begin: int, end: int) -> list[ForecastBatch]:
    """One forecast per tick."""
    made = []
    for batch in wave(begin, end):
        of.step(batch)
        made.append(of.forecast(batch))
    return made


def by_hand(forecasts: dict[int, NDArray[np.float64]], begin: int, end: int, lead: int) -> float:
    """RMSE at a lead of the forecasts [h] made at these ticks, of those that have met their truth: plain arithmetic."""
    weight = squares = 0.0
    for t in range(begin, end):
        if t - lead in forecasts:
            weight = DECAY * weight + 1
            squares = DECAY * squares + float(forecasts[t - lead][lead - 1] - np.sin(t / 2)) ** 2
    return float(np.sqrt(squares / weight)) if weight else np.nan


def errors_of(forecasts: dict[int, NDArray[np.float64]], end: int, lead: int) -> NDArray[np.float64]:
    """The error of each tick's forecast `lead` ticks before, [end], NaN where there was none."""
    nothing = np.full(HORIZON, np.nan)
    return np.array([forecasts.get(t - lead, nothing)[lead - 1] - np.sin(t / 2) for t in range(end)])


def test_a_swap_forgets_the_scores_of_the_networks_it_replaces() -> None:
    """After a swap the errors of that kind are those of the new network's own forecasts alone; the other kind and the
    forecasters that are not trained keep theirs, and what the old network had predicted is not scored any more. Skill
    compares it with persistence on the truths since then."""
    old = panel().with_networks({kind: network(panel(), kind, 1) for kind in KINDS})
    first = go(old, 0, 40)
    new = old.with_networks({"memoryless": network(old, "memoryless", 2, 2)})
    at = {name: i for i, name in enumerate(new.models)}
    assert not new.scores.weight[0, at["memoryless"]].any()
    assert np.isnan(new.scores.matured[0, at["memoryless"]]).all()
    second = go(new, 40, 52)
    made: dict[str, dict[int, NDArray[np.float64]]] = defaultdict(dict)
    for t, batch in enumerate(first + second):
        for name, i in at.items():
            if t >= 40 or name != "memoryless":
                made[name][t] = batch.mean[0, i, :, 0]
    found, _ = new.scores.by_lead()
    for name in ("persistence", "memoryless", "traditional"):
        wanted = [by_hand(made[name], 0, 52, lead) for lead in LEADS]
        np.testing.assert_allclose(found[at[name], new.shown], wanted, rtol=1e-5, err_msg=name)
    for name, i in at.items():
        wanted = [
            by_truth(errors_of(made[name], 52, lead), errors_of(made["persistence"], 52, lead), WINDOW)
            for lead in LEADS
        ]
        np.testing.assert_allclose(new.skill.ratio("persistence")[i], wanted, rtol=1e-3, err_msg=name)  # 16-bit codes


def test_a_swap_leaves_the_panel_as_it_was() -> None:
    """with_networks makes another panel: whoever holds the one before still sees its networks."""
    before = panel()
    after = before.with_networks({"traditional": network(before, "traditional", 1, 7)})
    assert (list(before.networks), list(after.networks)) == ([], ["traditional"])
    assert after.speakers() == [("persistence", 0), ("linear", 0), ("memoryless", 0), ("traditional", 7), ("mix", 7)]
    assert [part.name for part in after.parts()] == [
        "scores", "skill", "mix", "bands", "coverage", "guard", "pace", "linear-experts", "seasons", "persistence",
        "linear", "traditional",
    ]  # fmt: skip


def test_the_mixture_is_published() -> None:
    """The published forecast is the last model, a mixture by the weights that the metrics show."""
    made = panel()
    *_, last = go(made, 0, 60)
    assert made.models[int(last.chosen[0])] == "mix"
    weights = made.weights()
    assert weights.sum(0) == pytest.approx(1)
    assert made.mix.models == made.models[:-1]
    wanted = sum(weights[k, 0] * last.mean[0, k, 0, 0] for k in range(len(weights)) if weights[k, 0] > 0)
    assert last.published[0, 0, 0] == pytest.approx(wanted)


@pytest.mark.parametrize(("asked", "live", "published"), [("traditional", True, True), ("traditional", False, False)])
def test_a_network_that_is_asked_for(asked: str, live: bool, published: bool) -> None:
    """`publish.model` names a network: it is published whatever its errors are, once it is live."""
    made = panel(model=asked)
    if live:
        made = made.with_networks({"traditional": network(made, "traditional", 1)})
    chosen = {made.models[int(batch.chosen[0])] for batch in go(made, 0, 60)}
    assert chosen == {"traditional" if published else "mix"}


@pytest.mark.parametrize(("names", "wanted"), [("auto", True), (("traditional",), True), (("linear",), False)])
def test_without_networks(names: Any, wanted: bool) -> None:
    """Where `forecasters` names no network none is asked for, and one that comes all the same stays out."""
    config = Stream(name="plant", topics=["#"], model=SMALL, forecasters=names, season=None)  # type: ignore[arg-type]
    made = Panel.begin(config, Metrics())
    assert made.wants_networks == wanted
    kinds = set(made.with_networks({kind: network(made, kind, 1) for kind in KINDS}).networks)
    assert kinds == {*KINDS} & {*made.models}


def test_repeat() -> None:
    """The newest forecasts are given once more as they were, by whoever was published then."""
    made = panel()
    *_, last = go(made, 0, 20)
    again = made.repeat(last.ticks)
    np.testing.assert_array_equal(again.published, last.published)
    assert again.chosen.tolist() == last.chosen.tolist()
    assert made.newest[0, 0] == np.sin(19 / 2)


def test_a_wild_value_is_to_least_squares_as_a_missing_one() -> None:
    """After a reading of 1e6 the linear forecaster says what it says after a tick without a reading."""
    said = []
    for wild in (1e6, np.nan):
        made = panel()
        go(made, 0, 200)
        made.step(ticks_of([0], np.array([[wild]]), 200))
        (*_, last) = go(made, 201, 240)
        said.append(last.mean[0, made.models.index("linear")])
    np.testing.assert_array_equal(*said)


def test_networks_get_values_from_the_guard() -> None:
    """How wild a value is makes no difference to networks; the reference repeats it as it came."""
    said = []
    for wild in (8.0, 1e6):
        made = panel()
        made = made.with_networks({"memoryless": network(made, "memoryless", 1)})
        go(made, 0, 200)
        made.step(batch := ticks_of([0], np.array([[wild]]), 200))
        mean = made.forecast(batch).mean[0, :, :, 0]
        assert mean[made.models.index("persistence")].tolist() == [wild] * HORIZON
        said.append(mean[made.models.index("memoryless")].tolist())
    assert said[0] == said[1]


def test_everything_moves_along_with_a_jump() -> None:
    """Ten ticks after a wave has jumped by 100, least squares and both networks say values about the new level, though
    the networks' units are means over hundreds of ticks."""
    made = panel()
    made = made.with_networks({kind: network(made, kind, 1) for kind in KINDS})
    go(made, 0, 300)
    for tick in range(300, 311):
        made.step(now := ticks_of([0], np.array([[100 + np.sin(tick / 2)]]), tick))
    said = dict(zip(made.models, made.forecast(now).mean[0], strict=True))
    for name in ("linear", *KINDS):
        assert np.abs(said[name] - 100).max() < 5, name


def test_a_wild_value_that_a_part_begins_with() -> None:
    """Usual values and least squares that begin on a series which the guard knows, as after a change of the
    configuration, at a tick with one wild element, know all elements later."""
    config = Stream(name="plant", topics=["#"], payload={"format": "array", "d": 2}, model=SMALL, season=5)  # type: ignore[arg-type]
    made, rng = Panel.begin(config, Metrics()), np.random.default_rng(0)
    for part in made.parts():
        part.grow(1)
    values = rng.normal(size=(300, 1, 2))
    for tick in range(100):
        made.shared.guard.calm(ticks_of([0], values[tick], tick, tick == 0))
    values[100, 0, 1] = 1e6
    for tick in range(100, 300):
        made.step(now := ticks_of([0], values[tick], tick))
    found = dict(zip(made.models, made.predict(now)[0], strict=True))
    for name in ("last-5", "profile-5", "linear", "linear-5"):
        assert np.isfinite(found[name]).all(), name
