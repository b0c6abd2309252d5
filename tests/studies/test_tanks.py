"""Crossings of simulated tanks against the times that were announced for them."""

import pytest

from tests.studies.tanks import KINDS, announcements, levels_of, shares


def test_crossings_come_when_they_may() -> None:
    """Of tanks that fill by a noisy inflow, about eight in ten crossings come between the earliest and the latest time
    announced, with the bounds at 0.1 and 0.9, and those that do not are on both sides."""
    before, between, after = shares(announcements(levels_of("steady", 120, seed=3, ticks=1000)))
    assert between == pytest.approx(0.8, abs=0.05)
    assert before > 0.04
    assert after > 0.02


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_tanks(kind: str, seed: int) -> None:
    """The same of 200 tanks, with a noisy sensor as well: 80 % ± 5."""
    _, between, _ = shares(announcements(levels_of(kind, 200, seed)))
    print(f"{kind}, seed {seed}: {between:.1%} between")
    assert between == pytest.approx(0.8, abs=0.05)
