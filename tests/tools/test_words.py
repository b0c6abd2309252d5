"""Errors as a person reads them."""

import math

import pytest

from streamer.tools.words import lasting, multiple


@pytest.mark.parametrize(
    ("error", "reference", "text"),
    [(0.31, 0.5, "0.62"), (3.7, 1.0, "3.7"), (400.4, 1.0, "400"), (math.nan, 1.0, "–"), (0.0, 0.0, "–")],
)
def test_multiple(error: float, reference: float, text: str) -> None:
    """An error is so many times a reference's, with two or three digits, or not known."""
    assert multiple(error, reference) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0.4 s"), (900, "15 min"), (36_000, "10 h"), (172_800, "2 d")])
def test_lasting(seconds: float, text: str) -> None:
    """A length of time is shown in the unit that suits."""
    assert lasting(seconds) == text
