"""Who goes live, and who is published until live scores can tell."""

from math import inf, nan

import pytest

from streamer.records import Candidate, Kind
from streamer.swap.gate import admit, prefer


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
    ("memoryless", "traditional", "preferred"),
    [
        ((0.4, None), (0.5, None), "memoryless"),
        ((0.5, None), (0.4, None), "traditional"),
        ((0.4, 0.5), (0.45, 0.6), "memoryless"),
        # Not admitted: the live network of that kind stands in, better here than the other candidate, worse below.
        ((0.4, 0.3), (0.35, 0.6), "memoryless"),
        ((0.6, 0.5), (0.45, 0.6), "traditional"),
        ((nan, 0.3), (0.4, None), "memoryless"),
        ((nan, None), (0.4, None), "traditional"),
        ((nan, None), (inf, None), None),
        ((nan, nan), (0.4, None), "traditional"),
        # Persistence has 1.0.
        ((1.1, None), (1.2, None), None),
        ((1.0, None), (1.2, None), None),
        ((1.1, None), (0.9, None), "traditional"),
        ((1.3, 1.2), (1.3, 1.1), None),
    ],
)
def test_prefer(
    memoryless: tuple[float, float | None], traditional: tuple[float, float | None], preferred: Kind | None
) -> None:
    """The least error among the networks that will be live is preferred, if it is below that of persistence."""
    pair = [candidate("memoryless", *memoryless), candidate("traditional", *traditional)]
    assert prefer(pair) == preferred
    assert prefer(pair[::-1]) == preferred


def test_prefer_among_none_or_one() -> None:
    """Nothing is preferred where nothing was trained; a single candidate is measured against persistence."""
    assert prefer([]) is None
    assert prefer([candidate("traditional", 0.5, None)]) == "traditional"
    assert prefer([candidate("traditional", 0.5, None, 0.5)]) is None
