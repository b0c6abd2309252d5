"""The smoother, held against the cells' equations in numpy, and against a straight line."""

from functools import partial

import numpy as np
import torch

from streamer.records import Floats, Sizes
from streamer.study.fill import EDGE, LONGEST, SHORTEST, Smoother, gaps, interpolated, scaled, trial
from streamer.study.learning import Lessons
from streamer.study.sources import paper_waves
from tests.models.equations import cell


def test_smoother() -> None:
    """A value is a sum over the state that has read up to it, and the one that has read back to it."""
    torch.manual_seed(0)
    model, x = Smoother(), torch.randn(1, 9, 2)
    w = {name: weight.double().numpy() for name, weight in model.state_dict().items()}

    def half(name: str, xs: Floats) -> Floats:
        F, n = cell(w, f"{name}.F", Sizes(cell="lstm")), model.ahead.F.n
        s, said = np.zeros(2 * n), []
        for at in xs:
            s = F(at, s)
            said.append(w[f"{name}.P.weight"][0] @ s[:n] + w[f"{name}.P.bias"][0])
        return np.array(said)

    xs = x[0].double().numpy()
    with torch.no_grad():
        np.testing.assert_allclose(model(x)[0].numpy(), half("ahead", xs) + half("behind", xs[::-1])[::-1], atol=1e-5)


def test_gaps_lie_within() -> None:
    """Each window has one gap of a length that is allowed, and samples on both sides."""
    for measured in gaps(np.random.default_rng(0), 300, 110).numpy():
        missing = np.flatnonzero(measured == 0)
        assert SHORTEST <= len(missing) <= LONGEST
        assert len(missing) == missing[-1] - missing[0] + 1
        assert missing[0] >= EDGE
        assert missing[-1] < 110 - EDGE


def test_what_is_missing_is_not_read() -> None:
    """Neither the values in a gap nor its units depend on what is missing."""
    measured = gaps(np.random.default_rng(0), 4, 110)
    x = torch.randn(4, 110)
    read, mean, unit = scaled(x, measured)
    again = scaled(torch.where(measured > 0, x, 1e3), measured)
    for one, other in zip((read, mean, unit), again, strict=True):
        torch.testing.assert_close(one, other)
    some = x[0][measured[0] > 0].numpy()
    np.testing.assert_allclose([float(mean[0]), float(unit[0])], [some.mean(), some.std()], rtol=1e-4)


def test_a_straight_line() -> None:
    """Over a gap in a ramp, the line is the ramp."""
    ramp = torch.arange(40.0)[None]
    measured = torch.ones(1, 40)
    measured[0, 12:20] = 0
    torch.testing.assert_close(interpolated(torch.stack([ramp * measured, measured], 2)), ramp)


def test_reading_backwards_helps() -> None:
    """On the sine, the smoother's error in gaps is below nine tenths of that of the LSTM that reads forwards alone."""
    how = Lessons(80, 32, 1e-2, 0.5)
    error = {
        name: trial(name, partial(paper_waves, points=4_000), how, 0)["sine"] for name in ("LSTM", "bidirectional LSTM")
    }
    assert error["bidirectional LSTM"] < 0.9 * error["LSTM"]
