"""The paper's waves against a reference of their own."""

from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.tools.replay.signals import WAVES, Signal


def reference(wave: str, size: int) -> NDArray[np.float64]:
    """Section 5.1, value by value: G(i·0.01) with Δ = 2, s = 10, T = 1, r = f = 0.1, w = s = 0.4, A = 1, A0 = 0."""
    values = []
    for i in range(size):
        t = i / 100
        x = t + 2 * np.sin(2 * np.pi * t / 10)
        if wave == "sine":
            values.append(np.sin(2 * np.pi * x))
        else:
            x -= np.floor(x)
            values.append(min(x / 0.1, 1.0) if x < 0.5 else max(0.0, 1 - (x - 0.5) / 0.1))
    return np.array(values)


@pytest.mark.parametrize("wave", WAVES)
def test_clean_is_the_formula(wave: str) -> None:
    """The noiseless wave is the formula of the paper, wherever it is cut."""
    expected = reference(wave, 2500)
    signal = Signal(wave)
    np.testing.assert_allclose(signal.clean(0, 2500), expected, atol=1e-9)
    np.testing.assert_allclose(signal.clean(700, 300), expected[700:1000], atol=1e-9)


@pytest.mark.parametrize("wave", WAVES)
def test_period(wave: str) -> None:
    """With T = 1, s = 10 and dt = 0.01 the noiseless wave repeats every 1,000 samples, and not before."""
    clean = Signal(wave).clean(0, 3000)
    np.testing.assert_allclose(clean[1000:], clean[:-1000], atol=1e-9)
    assert all(np.abs(clean[n:] - clean[:-n]).max() > 0.1 for n in (100, 200, 250, 500))


def test_offset_and_amplitude() -> None:
    """A0 + A·wave: amplitude scales, offset shifts."""
    np.testing.assert_allclose(
        Signal(offset=20.0, amplitude=3.0).clean(0, 500), 20 + 3 * Signal().clean(0, 500), atol=1e-12
    )


@pytest.mark.parametrize(("noise", "deviation"), [("gaussian", 0.15), ("uniform", 0.15 / np.sqrt(3))])
def test_noise(noise: str, deviation: float) -> None:
    """The noise has mean 0, the promised standard deviation, and no memory."""
    signal = Signal(noise=noise)  # type: ignore[arg-type]
    rest = signal.noisy(50_000, seed=1) - signal.clean(0, 50_000)
    assert abs(rest.mean()) < 0.003
    assert rest.std() == pytest.approx(deviation, rel=0.02)
    assert abs(np.corrcoef(rest[1:], rest[:-1])[0, 1]) < 0.02


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_stream_is_noisy_without_end(noise: str) -> None:
    """`stream` gives what `noisy` gives for the same seed, whatever its chunk; another seed gives another noise."""
    signal = Signal("trapezoid", noise=noise)  # type: ignore[arg-type]
    expected = signal.noisy(2500, seed=3).tolist()
    assert list(islice(signal.stream(3), 2500)) == expected
    assert list(islice(signal.stream(3, chunk=7), 2500)) == expected
    assert list(islice(signal.stream(4), 2500)) != expected
