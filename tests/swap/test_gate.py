"""Who goes live, and who is published until live scores can tell."""

from math import inf, nan

import pytest

from streamer.records import Candidate, Errors, Kind
from streamer.swap.gate import admit, verdict


def candidate(kind: Kind, own: float, live: float | None, naive: float = 1.0) -> Candidate:
    """One with these E_p, and errors beside persistence as large, or infinite where that makes none."""

    def errors(e_p: float) -> Errors:
        return Errors(e_p, naive, e_p / naive if naive else inf)

    return Candidate(kind, b"", {}, errors(own), None if live is None else errors(live))


@pytest.mark.parametrize(
    ("own", "live", "admitted"),
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
def test_admit(own: float, live: float | None, admitted: bool) -> None:
    """A finite error is admitted if nothing is live, or what is live is worse or has no finite error."""
    assert admit(candidate("memoryless", own, live)) is admitted


def test_the_median_series_decides() -> None:
    """A candidate that is better beside persistence on the median series goes live, whatever one wild series does to
    E_p over all."""
    assert admit(Candidate("memoryless", b"", {}, Errors(30.0, 40.0, 0.7), Errors(20.0, 40.0, 0.8)))


@pytest.mark.parametrize(
    ("own", "live", "naive", "words"),
    [
        (
            0.5,
            None,
            1.0,
            "0.50 times the error of 'no change' on the median series, there is no live network; e_p=0.",
        ),
        (
            3.7,
            0.8,
            1.0,
            "3.70 times the error of 'no change' on the median series, the live network has 0.80 times",
        ),
        (0.5, 2.0, 0.0, "an error of 0.5, where 'no change' has none on the median series, the live network has an er"),
    ],
)
def test_verdict(own: float, live: float | None, naive: float, words: str) -> None:
    """The errors are said as multiples of that of persistence, and plainly where that has none."""
    assert verdict(candidate("memoryless", own, live, naive)).startswith(words)
