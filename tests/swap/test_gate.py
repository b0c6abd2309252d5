"""Who goes live, and who is published until live scores can tell."""

from math import inf, nan

import pytest

from streamer.records import Candidate, Kind
from streamer.swap.gate import admit, verdict


def candidate(kind: Kind, e_p: float, live: float | None, persistence: float = 1.0) -> Candidate:
    return Candidate(kind, b"", {}, e_p, live, persistence)


@pytest.mark.parametrize(
    ("e_p", "live", "admitted"),
    [
        (0.4, 0.5, True),
        (0.5, 0.5, False),
        (0.6, 0.5, False),
        (0.6, None, True),
        (9.0, None, True),
        (nan, None, False),
        (inf, None, False),
        (nan, 0.5, False),
        (inf, 0.5, False),
        (0.5, inf, True),
        (0.5, nan, True),
        (nan, nan, False),
        (inf, inf, False),
    ],
)
def test_admit(e_p: float, live: float | None, admitted: bool) -> None:
    """A finite error is admitted if nothing is live, or what is live is worse or has no finite error."""
    assert admit(candidate("memoryless", e_p, live)) is admitted


@pytest.mark.parametrize(
    ("e_p", "live", "persistence", "words"),
    [
        (0.5, None, 1.0, "0.50 times the error of 'no change', there is no live network; e_p=0.5000 in scaled units"),
        (3.7, 0.8, 1.0, "3.70 times the error of 'no change', the live network has 0.80 times the error of 'no ch"),
        (0.5, 2.0, 0.0, "an error of 0.5, where 'no change' has none, the live network has an error of 2, where"),
    ],
)
def test_verdict(e_p: float, live: float | None, persistence: float, words: str) -> None:
    """The errors are said as multiples of that of persistence, and plainly where that has none."""
    assert verdict(candidate("memoryless", e_p, live, persistence)).startswith(words)
