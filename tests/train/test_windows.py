"""The buffer as windows, and the states they start from."""

import math

import numpy as np
import pytest
import torch

from streamer.models import KINDS, Kind, Sizes, build
from streamer.train.fit import beside_persistence, loss_of, persistence_residuals, settled
from streamer.train.windows import CHUNK, Buffer, Carry

SIZES = Sizes(m=6, k=2, p=2, n=5, cell="rnn")
CPU = torch.device("cpu")


def buffer(*lengths: int, split: float = 0.8, d: int = 1) -> Buffer:
    rng = np.random.default_rng(0)
    segments = [rng.normal(size=(length, d)).astype(np.float32) for length in lengths]
    return Buffer.of(segments, [int(split * length) for length in lengths], CPU)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_carried_states_are_those_of_an_unbroken_run(kind: Kind, whole: bool) -> None:
    """After as many passes as a segment has chunks, states are those of stepping from zero, also where all are kept."""
    made = buffer(3 * CHUNK + 17, 40)
    torch.manual_seed(0)
    network = build(kind, SIZES).requires_grad_(False)
    positions = torch.tensor([0, 1, 255, 256, 500, 3 * CHUNK + 16, 3 * CHUNK + 17, 3 * CHUNK + 50])
    carry = Carry(network, made, whole)
    for _ in range(4):
        states = carry.states(positions)
    for begin, _, end in made.bounds:
        s = network.zero_state(1)
        for at in range(begin, end):
            for i in (positions == at).nonzero().ravel().tolist():
                torch.testing.assert_close(states[i], s[0], atol=1e-6, rtol=0)
            s = network.step(made.x[at : at + 1], s)


def test_windows_stay_before_the_held_out_part_of_their_segment() -> None:
    """No training window reaches a truth of the held-out part or crosses from one segment into the next."""
    made = buffer(50, 9, 30)
    starts = made.starts(SIZES.m, SIZES.k).tolist()
    allowed = [at for begin, split, _ in made.bounds for at in range(begin, split - SIZES.m - SIZES.k + 1)]
    assert starts == allowed
    assert allowed


def test_origins_have_their_truth_in_the_held_out_part() -> None:
    """Every origin's k·p truths lie in the held-out part of one segment, and m ticks before it."""
    made = buffer(50, 9, 60)
    h = SIZES.horizon
    origins = made.origins(SIZES.m, h, 1000).tolist()
    assert origins == [
        at for begin, split, end in made.bounds for at in range(max(split, begin + SIZES.m), end - h + 1)
    ]
    few = made.origins(SIZES.m, h, 5).tolist()
    assert len(few) == 5
    assert set(few) <= set(origins)


def test_missing_ticks_are_filled_as_inputs_and_not_counted_as_truths() -> None:
    """A hole is a straight line to look at, and weighs nothing in an error."""
    segment = np.arange(20, dtype=np.float32)[:, None]
    segment[[7, 8]] = np.nan
    made = Buffer.of([segment], [16], CPU)
    assert made.x.ravel().tolist() == list(range(20))
    assert made.real.tolist() == [tick not in (7, 8) for tick in range(20)]
    for naive, expected in ((None, 2.5), (torch.tensor([1.0, 2.0, 4.0]), 0.5)):
        residual = torch.tensor([[[9.0], [1.0], [2.0]]])
        assert float(loss_of(residual, torch.tensor([[False, True, True]]), naive)) == expected


def test_the_error_of_persistence_is_that_of_the_last_value() -> None:
    """On a ramp, saying that nothing changes is wrong by the lead."""
    ramp = Buffer.of([np.arange(60, dtype=np.float32)[:, None]], [40], CPU)
    origins = ramp.origins(SIZES.m, SIZES.horizon, 100)
    for errors in persistence_residuals(ramp, origins, 4)[:, :, 0].tolist():
        assert errors == [-1, -2, -3, -4]


def test_errors_beside_persistence_are_those_of_the_median_series() -> None:
    """Each series has its own ratio, of real truths alone; one on which persistence makes no errors has none."""
    series = torch.tensor([0, 0, 1, 2, 3])
    naive = torch.tensor([[1.0], [3.0], [10.0], [2.0], [0.0]]).unsqueeze(2)
    residual = torch.tensor([[2.0], [2.0], [1000.0], [-1.0], [5.0]]).unsqueeze(2)
    real = torch.ones(5, 1, dtype=torch.bool)
    assert beside_persistence(residual, naive, real, series) == 1.0
    real[1] = False
    assert beside_persistence(residual, naive, real, series) == 2.0
    assert beside_persistence(residual[4:], naive[4:], real[4:], series[4:]) == math.inf


def test_units_scale_the_error() -> None:
    """An error in other units is the same residual times their ratio."""
    made = buffer(100)
    torch.manual_seed(0)
    network = build("memoryless", SIZES).requires_grad_(False)
    origins = made.origins(SIZES.m, SIZES.horizon, 10)
    plain, _ = settled(network, made, origins)
    scaled, _ = settled(network, made, origins, torch.full_like(made.x, 3.0))
    np.testing.assert_allclose(scaled, 3 * plain, rtol=1e-6)
