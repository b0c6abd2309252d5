"""Thresholds and announcements that cannot be meant, as the configuration refuses them."""

import math
import re
from typing import Any

import pytest

from streamer.config.loader import parse
from streamer.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"thresholds": [{"name": "full"}]}, "streams.0.thresholds.0: give above or below, and only one of them"),
        ({"thresholds": [{"name": "full", "above": 1, "below": 2}]}, "streams.0.thresholds.0: give above or below"),
        ({"thresholds": [{"name": "a/b", "above": 1}]}, "streams.0.thresholds.0.name: "),
        (
            {"thresholds": [{"name": "full", "abve": 1}]},
            "thresholds.0.abve: unknown key; did you mean above?",
        ),
        ({"thresholds": [{"name": "full", "above": math.inf}]}, "streams.0.thresholds.0.above: "),
        (
            {"thresholds": [{"name": "full", "above": 1}, {"name": "full", "below": 0}]},
            "two are named full",
        ),
        ({"thresholds": [{"name": "b", "above": 1, "element": 1}]}, "thresholds.0.element: a sample has 1"),
        ({"thresholds": [{"name": "b", "above": 1, "at": 1}]}, "streams.0.thresholds.0.at: "),
        (
            {"thresholds": [{"name": "b", "above": 1, "at": 0.95}]},
            "thresholds.0.at: publish.quantiles tell probabilities from 0.1 to 0.9: add 0.05 to them",
        ),
        (
            {"thresholds": [{"name": "b", "below": 1, "at": 0.05}]},
            "thresholds.0.at: publish.quantiles tell probabilities from 0.1 to 0.9: add 0.05 to them",
        ),
        (
            {"thresholds": [{"name": "b", "above": 1, "at": 0.5}], "publish": {"quantiles": []}},
            "thresholds.0.at: a probability needs publish.quantiles",
        ),
        ({"surprise": {"in_a_row": 0}}, "streams.0.surprise.in_a_row: "),
        (
            {"surprise": {}, "publish": {"quantiles": [0.5]}},
            "surprise: needs a band, of at least two publish.quantiles",
        ),
        (
            {"publish": {"home_assistant": {"leads": [41]}}},
            "publish.home_assistant.leads: forecasts end 40 ticks",
        ),
        ({"publish": {"home_assistant": {"prefix": "ha/#"}}}, "streams.0.publish.home_assistant.prefix: "),
        ({"publish": {"home_assistant": {"device_class": "date"}}}, "home_assistant.device_class: date is no class of"),
        ({"publish": {"home_assistant": {"unit": ""}}}, "streams.0.publish.home_assistant.unit: "),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], problem: str) -> None:
    """What cannot be meant is refused by its dotted path, with what to do."""
    with pytest.raises(ConfigError, match=re.escape(problem)) as raised:
        parse({"mqtt": {"url": "mqtt://a"}, "streams": [{"name": "s", "topics": ["a/#"], **changes}]}, "the file")
    assert "1 problem\n" in str(raised.value)


def listed(document: dict[str, Any]) -> list[str]:
    """Every problem of a document."""
    with pytest.raises(ConfigError) as raised:
        parse({"mqtt": {"url": "mqtt://a"}, **document}, "the file")
    return [line.strip() for line in str(raised.value).splitlines()[1:]]


def test_mistakes_of_several_keys_are_told_beside_others() -> None:
    """What is wrong of several keys together, of several streams together and of single keys is all told at once."""
    bad = {"name": "a", "topics": ["a/#"], "max_gap": -1, "fill": "last", "lowest": 3, "highest": 2, "holidays": "DE"}
    late = {"name": "b", "topics": ["b"], "season": 7, "retrain": {"minimum": 60}}
    found = listed({"streams": [{**bad, "season": None}, late, late], "metrics": {"port": -1}})
    assert [line.partition(": ")[0] for line in found] == [
        "metrics.port",
        "streams.0.fill",
        "streams.0.holidays",
        "streams.0.lowest",
        "streams.0.max_gap",
        "streams.1.retrain.minimum",
        "streams.2.retrain.minimum",
        "streams",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"season": "x"}, "season: input should be 'auto', or input should be a valid integer, .*, or .* valid tuple"),
        ({"forecasters": 3}, "forecasters: input should be 'auto', or input should be a valid tuple"),
        (
            {"payload": {"format": "json", "value": 3}},
            "payload.value: input should be a valid string, or .* valid list",
        ),
        ({"payload": {"format": "json", "numbers": {"map": {"ON": "x"}}}}, "payload.numbers.map.on: input should be"),
        ({"clip": [0, "x"]}, "clip.1: input should be a valid number"),
    ],
)
def test_a_value_of_several_forms_is_one_mistake(changes: dict[str, Any], line: str) -> None:
    """What a value might have been is told in one line, at its key."""
    (found,) = listed({"streams": [{"name": "s", "topics": ["a/#"], **changes}]})
    assert re.match(f"streams.0.{line}", found), found


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"season": "x", "holidays": "DE"}, ["season"]),
        ({"interval": "often", "fill": "last", "aggregate": "mean"}, ["interval"]),
        ({"intervall": 60, "fill": "last"}, ["intervall"]),
        ({"highest": "x", "lowest": 2}, ["highest"]),
        ({"model": {"k": 0}, "publish": {"home_assistant": {"leads": [300]}}}, ["model.k"]),
        ({"retrain": {"window": -1}, "season": None, "holidays": "DE"}, ["holidays", "retrain.window"]),
    ],
)
def test_a_mistake_leads_to_no_others(changes: dict[str, Any], keys: list[str]) -> None:
    """What follows from the default of a key that is wrong or misspelt is not told: only what would be wrong anyway."""
    document = {"streams": [{"name": "s", "topics": ["a/#"], **changes}], "metrics": {"leads": [300]}}
    assert [line.partition(": ")[0] for line in listed(document)] == [f"streams.0.{key}" for key in keys]
