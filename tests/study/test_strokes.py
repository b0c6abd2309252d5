"""The pen: its mixture against numpy's normal distribution, its words against the font, and what it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from streamer.cli import app
from streamer.study import pen as pens
from streamer.study.handwriting import Hand
from streamer.study.learning import Lessons, learn
from streamer.study.mixture import SMALLEST, Mixture
from streamer.study.pen import LETTERS, Pen, coded, lines
from streamer.study.registry import STUDIES
from streamer.study.strokes import QUICK, one_gaussian

fonts = pytest.mark.skipif(STUDIES["strokes"].missing, reason="needs Hershey-Fonts: pip install 'streamer[study]'")


def test_density() -> None:
    """Nats are -log of a mixture of normal densities, by their covariance matrices, times that of the lift."""
    torch.manual_seed(0)
    m = 3
    y, x = torch.randn(4, 6 * m + 1).double(), torch.randn(4, 3).double()
    x[:, 2] = torch.tensor([0.0, 1.0, 0.0, 1.0])
    for said, move, nats in zip(y.numpy(), x.numpy(), Mixture.of(y).nats(x).numpy(), strict=True):
        pi, mx, my, sx, sy, r = np.split(said[1:], 6)
        density = 0.0
        for j in range(m):
            sigma, rho = np.exp([sx[j], sy[j]]) + SMALLEST, 0.99 * np.tanh(r[j])
            cov = np.outer(sigma, sigma) * [[1, rho], [rho, 1]]
            gap = move[:2] - [mx[j], my[j]]
            share = np.exp(pi[j]) / np.exp(pi).sum()
            density += share * np.exp(-gap @ np.linalg.inv(cov) @ gap / 2) / (2 * np.pi * np.sqrt(np.linalg.det(cov)))
        lift = 1 / (1 + np.exp(-said[0]))
        assert nats == pytest.approx(-np.log(density) - np.log(lift if move[2] else 1 - lift), rel=1e-9)


def test_draws() -> None:
    """Samples of one component have its mean, covariance and rate of lifts."""
    rows = 20_000
    y = torch.tensor([-1.0, 0.0, 2.0, -3.0, 0.2, -0.5, 0.8]).expand(rows, -1)
    drawn = Mixture.of(y).draw(torch.Generator().manual_seed(0)).double().numpy()
    sigma, rho = np.exp([0.2, -0.5]) + SMALLEST, 0.99 * np.tanh(0.8)
    np.testing.assert_allclose(drawn[:, :2].mean(0), [2, -3], atol=0.03)
    np.testing.assert_allclose(np.cov(drawn[:, :2].T), np.outer(sigma, sigma) * [[1, rho], [rho, 1]], atol=0.05)
    assert drawn[:, 2].mean() == pytest.approx(1 / (1 + np.e), abs=0.01)


@fonts
def test_words_are_those_of_the_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without variation, the moves of a word draw the font's strokes again, each with one lift at its end."""
    for name in ("SCALE", "SLANT", "TREMBLE"):
        monkeypatch.setattr(pens, name, 0.0)
    pen = Pen()
    moves = pen.written("the", np.random.default_rng(0))
    assert moves[:, 2].sum() == len(pen.strokes("the"))
    for one, other in zip(lines(moves), pen.strokes("the"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@fonts
def test_batches() -> None:
    """A batch begins with a lifted pen, has every move of each word, and its letters with one more that is none."""
    some = Pen().batch(np.random.default_rng(0), 20, 1, 3)
    assert some.x.shape == (20, some.real.shape[1] + 1, 3)
    assert some.x[:, 0].tolist() == [[0, 0, 1]] * 20
    assert not some.x[:, 1:][~some.real].any()
    assert not some.c[:, -1].any()
    assert coded(["the"], 3)[0].argmax(1)[:3].tolist() == [LETTERS.index(letter) for letter in "the"]


@fonts
def test_the_text_tells_what_comes() -> None:
    """After as many steps, a network that reads the text is surer of the next move than one Gaussian, and so is one
    that does not; what it writes ends behind the last letter or at its limit."""
    pen, how = Pen(), Lessons(40, 16, 1e-2)
    torch.manual_seed(0)
    hand, rng = Hand(32, 3), np.random.default_rng(0)
    learn(hand, lambda: hand.nats(pen.batch(rng, how.batch, 1, 2)), how)
    with torch.no_grad():
        reached = float(hand.nats(pen.batch(np.random.default_rng(1), 100, 1, 2)))
    assert reached < one_gaussian(pen, QUICK) - 0.3
    moves = hand.write(coded(["it"], 2), 2, 1.0, 0)
    assert moves.shape[1] == 3
    assert 1 <= len(moves) <= 80


def test_what_a_network_does_not_read_changes_nothing() -> None:
    """Without the text, two words of equal moves cost the same; with it they do not."""
    x, real = torch.zeros(1, 6, 3), torch.ones(1, 5, dtype=torch.bool)
    for reads in (False, True):
        torch.manual_seed(0)
        hand = Hand(8, 2, reads)
        cost = [float(hand.nats(pens.Batch(x, real, coded([word], 2))).detach()) for word in ("it", "so")]
        assert (cost[0] == cost[1]) == (not reads)


def test_without_the_font_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`streamer study strokes` without the extra ends with a line that names it."""
    monkeypatch.setattr("streamer.cli.study.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["study", "strokes", "--out", str(tmp_path)])
    assert "pip install 'streamer[study]'" in str(done.exception)
    assert not list(tmp_path.iterdir())
