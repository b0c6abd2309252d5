"""Announcements for Home Assistant against a schema made of its documentation, and its own template language."""

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft202012Validator

from streamer.config import Stream
from streamer.publish.encode import Curves, encode
from streamer.publish.home_assistant import PERCENT, Discovery, duration, identifier
from streamer.records import Outgoing
from tests.publish.messages import message_of
from tests.streams import fast_lane, feed, process, sample, timed, untimed

SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("home_assistant.json").read_text("utf-8")))
OBJECT_ID = r"[a-zA-Z0-9_-]+"
AWAY = "streamer/one/availability"
FULL = {"name": "full", "above": 95.0}
BOUNDS = "quantiles['0.1']", "quantiles['0.9']"
ON = {"unit": "°C", "device_class": "temperature"}


def discovery(of: Stream) -> Discovery:
    assert of.publish.home_assistant
    return Discovery(of, of.publish.home_assistant, AWAY)


def announcing(**changes: Any) -> Stream:
    return untimed(**{"publish": {"home_assistant": ON}, **changes})


def checked(out: Outgoing, prefix: str = "homeassistant") -> dict[str, Any]:
    """The document of an announcement that Home Assistant would take."""
    assert re.fullmatch(rf"{prefix}/device/{OBJECT_ID}/config", out.topic, re.ASCII)
    assert (out.qos, out.retain) == (1, True)
    document: dict[str, Any] = json.loads(out.payload)
    SCHEMA.validate(document)
    return document


def state(component: Mapping[str, Any], payload: bytes) -> str:
    """What Home Assistant shows of a message: its templates are Jinja's, with the payload as value_json."""
    template = ImmutableSandboxedEnvironment().from_string(component["value_template"])
    return template.render(value_json=json.loads(payload))


def test_a_device_for_a_series() -> None:
    """One message makes a device of the series' name, gone when the daemon is, with a sensor at k and at k·p ticks; the
    first has the whole forecast as its attributes."""
    of = announcing(interval=600.0, publish={"home_assistant": ON, "quantiles": []})
    (out,) = discovery(of).announce(["plant/a"], ["forecast/plant/a"])
    document = checked(out)
    assert document["device"]["name"] == "plant/a"
    assert document["availability_topic"] == AWAY
    sensors = document["components"]
    assert [one["name"] for one in sensors.values()] == ["Forecast in 30 min", "Forecast in 1 h"]
    payload = message_of("plant/a", 0.0, 600.0, "memoryless", 7, np.arange(1.0, 7.0)[:, None])
    assert [state(one, payload) for one in sensors.values()] == ["3.0", "6.0"]
    for one in sensors.values():
        assert one["state_topic"] == "forecast/plant/a"
        assert (one["unit_of_measurement"], one["device_class"]) == ("°C", "temperature")
        assert one["state_class"] == "measurement"
    assert [one.get("json_attributes_topic") for one in sensors.values()] == ["forecast/plant/a", None]


def test_ends_of_the_band() -> None:
    """Beside each forecast stand the outermost bounds of its band, with its unit and class; of one bound there is no
    band."""
    of = announcing(publish={"home_assistant": {**ON, "leads": [2]}, "quantiles": [0.05, 0.5, 0.95]})
    (out,) = discovery(of).announce(["plant/a"], ["forecast/plant/a"])
    sensors = checked(out)["components"]
    curves = np.arange(24.0).reshape(1, 4, 6, 1)
    written = Curves(curves, np.zeros((1, 1)), of.publish.quantiles)
    (payload,) = encode(["plant/a"], np.zeros(1), np.ones(1), [("mix", 1)], written)
    assert {one["name"]: state(one, payload) for one in sensors.values()} == {
        "Forecast in 2 ticks": "1.0",
        "Forecast in 2 ticks, lower end": "7.0",
        "Forecast in 2 ticks, upper end": "19.0",
    }
    assert {(one["unit_of_measurement"], one["state_class"]) for one in sensors.values()} == {("°C", "measurement")}
    (out,) = discovery(announcing(publish={"home_assistant": ON, "quantiles": [0.5]})).announce(["a"], ["b"])
    assert list(checked(out)["components"]) == ["lead_3", "lead_6"]


def test_totals_are_no_measurements() -> None:
    """Device classes of which Home Assistant takes no measurement get no state class."""
    for device_class in ("energy", "gas", "monetary", "reactive_energy", "volume", "water", "wind_direction"):
        of = announcing(publish={"home_assistant": {"unit": "kWh", "device_class": device_class}})
        (out,) = discovery(of).announce(["a"], ["b"])
        assert not any("state_class" in one for one in checked(out)["components"].values())


def test_chosen_leads_prefix_and_no_unit() -> None:
    """Leads and prefix are those of the configuration; without unit and class there is none."""
    of = announcing(publish={"home_assistant": {"leads": [5, 1], "prefix": "ha/test"}, "quantiles": []})
    (out,) = discovery(of).announce(["plant/a"], ["forecast/plant/a"])
    sensors = checked(out, "ha/test")["components"]
    assert [one["name"] for one in sensors.values()] == ["Forecast in 1 tick", "Forecast in 5 ticks"]
    assert not any({"unit_of_measurement", "device_class"} & one.keys() for one in sensors.values())


def test_elements_of_a_sample() -> None:
    """For d > 1 there is a sensor for each element at each lead, with that element's value."""
    of = announcing(payload={"format": "array", "d": 2}, publish={"home_assistant": {"leads": [2]}, "quantiles": []})
    (out,) = discovery(of).announce(["a"], ["forecast/a"])
    payload = message_of("a", 0.0, 1.0, "memoryless", 7, np.arange(12.0).reshape(6, 2))
    sensors = checked(out)["components"].values()
    assert [state(one, payload) for one in sensors] == ["2.0", "3.0"]
    assert [one["name"][-9:] for one in sensors] == ["element 0", "element 1"]


def test_thresholds(tmp_path: Path) -> None:
    """Each threshold is a duration, read from the messages that the stream publishes: seconds, or what Home Assistant
    takes for unknown; where there are bounds, so are the earliest and the latest, and its probability in per cent."""
    of = timed(thresholds=[FULL], publish={"home_assistant": ON})
    (out,) = discovery(of).announce(["plant/a"], ["forecast/plant/a"])
    sensor = checked(out)["components"]["threshold_full"]
    fast = fast_lane(tmp_path, of)
    told = feed(fast, [sample("plant/a", t, x) for t, x in enumerate([0, 99, 0])])
    payloads = [json.dumps(one).encode() for one in told if one["topic"] == sensor["state_topic"]]
    assert [state(sensor, payload) for payload in payloads] == ["0.0", "None"]
    assert (sensor["device_class"], sensor["name"]) == ("duration", "Time to full")
    doubt = {name: one for name, one in checked(out)["components"].items() if name.endswith("_full") and one != sensor}
    shown = {one["name"]: [state(one, payload) for payload in payloads] for one in doubt.values()}
    assert shown == {
        "Earliest time to full": ["0.0", "None"],
        "Latest time to full": [state(doubt["latest_full"], payloads[0]), "None"],
        "Probability of full": ["100.0", "None"],
    }
    (out,) = discovery(timed(thresholds=[FULL], publish={"home_assistant": ON, "quantiles": []})).announce(["a"], ["b"])
    assert [name for name in checked(out)["components"] if name.endswith("_full")] == ["threshold_full"]
    fast.journal.close()


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="+#\0"), min_size=1), unique=True, max_size=4))
def test_any_topics(names: list[str]) -> None:
    """Whatever topics are on the wire, the announcements are valid, their templates hold nothing of them, and no two
    series share a device or a sensor."""
    topics = [f"forecast/{name}" for name in names]
    out = discovery(announcing(thresholds=[{"name": "x.y", "below": 0.0}])).announce(names, topics)
    documents = [checked(one) for one in out]
    sensors = [one for document in documents for one in document["components"].values()]
    assert len({one.topic for one in out}) == len({d["device"]["identifiers"][0] for d in documents}) == len(names)
    assert len({one["unique_id"] for one in sensors}) == len(sensors) == 10 * len(names)
    assert {one["value_template"] for one in sensors} <= {
        *(f"{{{{ value_json.{field}[{i}] }}}}" for field in ("mean", *BOUNDS) for i in (2, 5)),
        *(f"{{{{ value_json.{field} }}}}" for field in ("seconds", "seconds_earliest")),
        *("{{ value_json.seconds_latest }}", PERCENT),
    }


def test_ids_stay() -> None:
    """An id depends on series and topic alone: it is the one of every other run, also of years ago."""
    assert identifier("plant/press-3/temperature", "forecast/plant/press-3/temperature") == (
        "streamer_plant_press_3_temperature_26b48084ceaa58b7"
    )


def test_once_each() -> None:
    """A series is announced with its first forecast and not with the next, until the broker may have forgotten."""
    told = discovery(announcing())
    assert len(told.announce(["a", "b"], ["forecast/a", "forecast/b"])) == 2
    assert len(told.announce(["b", "c"], ["forecast/b", "forecast/c"])) == 1
    told.forget()
    assert len(told.announce(["b", "c"], ["forecast/b", "forecast/c"])) == 2


def test_a_broker_that_forgot_is_told_again(tmp_path: Path) -> None:
    """On a new session, which the broker's retained messages may not have outlived, series are announced once more."""
    of = timed(publish={"home_assistant": {}})
    fast = fast_lane(tmp_path, of, availability="streamer/status")
    told = []
    for t, session in enumerate([0, 0, 0, 1, 1]):
        out = process(fast, [sample("plant/a", t, 1.0)], session)
        told.append([one.topic.partition("/")[0] for one in out])
    assert told == [[], ["homeassistant", "forecast"], ["forecast"], ["homeassistant", "forecast"], ["forecast"]]
    fast.journal.close()


@pytest.mark.parametrize(
    ("lead", "interval", "text"),
    [
        (40, 86400.0, "40 d"), (48, 3600.0, "2 d"), (10, 60.0, "10 min"), (90, 1.0, "90 s"), (3, 0.1, "0.3 s"),
        (1, None, "1 tick"),
    ],
)  # fmt: skip
def test_durations(lead: int, interval: float | None, text: str) -> None:
    """A lead is named by time where ticks have one, in the largest unit that it is whole in."""
    assert duration(lead, interval) == text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("origin"),
        lambda d: d["device"].pop("identifiers"),
        lambda d: d["components"]["lead_6"].pop("unique_id"),
        lambda d: d["components"]["lead_6"].update(state_topic="forecast/#"),
        lambda d: d["components"]["lead_6"].update(device_class="warmth"),
        lambda d: d["components"]["lead_6"].update(unit_of_measurement="s"),
        lambda d: d["components"]["threshold_full"].update(unit_of_measurement="seconds"),
        lambda d: d["components"]["lead_6"].update(state_class="total"),
        lambda d: d["components"]["lead_6"].update(device_class="energy", unit_of_measurement="kWh"),
        lambda d: d["components"]["lead_6"].update(json_attributes_template="{{ value_json }}"),
        lambda d: d.update(availability=AWAY),
    ],
)
def test_the_schema_can_say_no(spoil: Any) -> None:
    """The schema that these tests rely on refuses what Home Assistant refuses or its documentation advises against."""
    (out,) = discovery(announcing(thresholds=[{"name": "full", "above": 1}])).announce(["a"], ["forecast/a"])
    document = copy.deepcopy(checked(out))
    spoil(document)
    assert not SCHEMA.is_valid(document)
