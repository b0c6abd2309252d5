"""Texts in, the numbers they are out."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.numbers import Numbers
from streamer.ingest.texts import reader


def number(text: str, **rules: Any) -> float | None:
    return reader(Numbers(**rules))(text)


@pytest.mark.parametrize(
    ("text", "rules", "value"),
    [
        ("ON", {}, 1.0),
        ("False", {}, 0.0),
        ("open", {}, 1.0),
        ("\ufeff 1e-3\r\n", {}, 0.001),
        ("0x41", {}, 65.0),
        ("-0XfF", {}, -255.0),
        ("21,5", {"decimal": ","}, 21.5),
        ("1.234,5", {"decimal": ",", "thousands": "."}, 1234.5),
        ("1 234 567", {"thousands": " "}, 1234567.0),
        ("21.5 °C", {"units": "strip"}, 21.5),
        ("45%", {"units": "strip"}, 45.0),
        ("3.2m3/h", {"units": "strip"}, 3.2),
        ("001234.567*kWh", {"units": "strip"}, None),
        ("1,5 kW", {"decimal": ",", "units": {"W": 1, "kW": 1000}}, 1500.0),
        ("7", {"units": {"W": 1}}, 7.0),
        ("EIN", {"map": {"EIN": 1, "AUS": 0}}, 1.0),
        ("true", {"map": {True: 5}}, 5.0),
        ("nan", {}, math.nan),
    ],
)
def test_what_is_a_number(text: str, rules: dict[str, Any], value: float | None) -> None:
    """Words, signs, groups, hexadecimals and units are read as the rules say."""
    assert number(text, **rules) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", {}),
        ("warm", {}),
        ("21,5", {}),
        ("1.5", {"decimal": ","}),
        ("1.2345,0", {"decimal": ",", "thousands": "."}),
        ("1.23", {"decimal": ",", "thousands": "."}),
        ("21.5 °C", {}),
        ("10k", {}),
        ("5 MW", {"units": {"W": 1, "kW": 1000}}),
        ("ON", {"map": {"EIN": 1}}),
        ("1_000", {}),
        ("\u0661", {}),
        ("12:30", {"units": "strip"}),
        ("2026-03-01", {"units": "strip"}),
        ("1 2", {"units": "strip"}),
        ("9" * 65, {}),
    ],
)
def test_what_is_none(text: str, rules: dict[str, Any]) -> None:
    """What the rules do not say is no number, even where a guess would be near."""
    assert number(text, **rules) is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", " ", "\ufeff", "\n"]))
def test_what_python_writes(value: float, around: str) -> None:
    """Every text that Python writes of a float is that float, with a comma too."""
    assert number(around + repr(value) + around) == value
    assert number(repr(value).replace(".", ","), decimal=",") == value


@given(st.integers(-(10**15), 10**15), st.sampled_from([".", "'", " "]))
def test_groups_of_digits(value: int, sign: str) -> None:
    """A whole number in groups of three digits is that number, and without them too."""
    rules = {"decimal": ",", "thousands": sign}
    assert number(f"{value:,}".replace(",", sign), **rules) == number(str(value), **rules) == value


@given(st.text(), st.sampled_from([{}, {"decimal": ","}, {"units": "strip"}, {"thousands": ",", "units": {"V": 2}}]))
def test_any_text(text: str, rules: dict[str, Any]) -> None:
    """Any text is a float or none."""
    assert type(number(text, **rules)) in (float, type(None))


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"map": {"ON": 1, "on": 0}}, "a word is given twice"),
        ({"decimal": ",", "thousands": ","}, "the same sign"),
        ({"units": {}}, "units"),
    ],
)
def test_rules_that_contradict_themselves(rules: dict[str, Any], problem: str) -> None:
    """Rules that can be read in two ways are refused."""
    with pytest.raises(ValueError, match=problem):
        Numbers(**rules)
