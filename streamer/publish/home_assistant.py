"""A series in, the message that makes it a device in Home Assistant out.

It is the MQTT device discovery of Home Assistant 2024.12 and newer: one retained message for a device and its sensors.
Being retained it is there when Home Assistant starts, so that nobody has to listen for that.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from importlib.metadata import version
from itertools import product
from typing import Any

import orjson

from streamer.config import HomeAssistant, Stream
from streamer.publish.thresholds import topic_of
from streamer.records import Outgoing

IDENT = re.compile(r"streamer_[\w-]+")
"""What `identifier` gives."""
PERCENT = "{{ None if value_json.probability is none else (100 * value_json.probability) | round(1) }}"
NO_MEASUREMENT = frozenset({"energy", "gas", "monetary", "reactive_energy", "volume", "water", "wind_direction"})
"""Device classes of which Home Assistant takes no `state_class: measurement`."""
CURVE = "{{ {'forecast': value_json} | tojson }}"
"""A list of slots as an attribute: attributes have names."""
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
"""Seconds of each unit that a duration is written in, the largest first."""


class Discovery:
    """Announces the series of a stream, each once.

    availability: the topic on which the daemon says online and offline, which are Home Assistant's own words for it;
    announced: the forecast topics of the series that were announced.
    """

    def __init__(self, stream: Stream, config: HomeAssistant, availability: str) -> None:
        self.stream, self.config, self.availability = stream, config, availability
        self.leads = sorted(set(config.leads or (stream.sizes.k, stream.sizes.horizon)))
        self.announced: set[str] = set()
        self.version = version("streamer")

    def owns(self, topic: str) -> bool:
        """Whether messages may go to this topic."""
        start, end = f"{self.config.prefix}/device/", "/config"
        return topic.startswith(start) and topic.endswith(end) and bool(IDENT.fullmatch(topic[len(start) : -len(end)]))

    def forget(self) -> None:
        """Announce every series again: the broker may have lost the messages."""
        self.announced.clear()

    def announce(self, names: Sequence[str], topics: Sequence[str]) -> list[Outgoing]:
        """The messages for those series of these names and forecast topics that were not announced yet."""
        new = [(name, topic) for name, topic in zip(names, topics, strict=True) if topic not in self.announced]
        self.announced.update(topic for _, topic in new)
        return [self.device(name, topic) for name, topic in new]

    def device(self, name: str, topic: str) -> Outgoing:
        """The message for a series."""
        ident = identifier(name, topic)
        document = {
            "device": {
                "identifiers": [ident],
                "name": name,
                "manufacturer": "Streamer",
                "model": f"Forecast of stream {self.stream.name}",
                "sw_version": self.version,
            },
            "origin": {"name": "Streamer", "sw_version": self.version},
            "availability_topic": self.availability,
            "qos": self.stream.publish.qos,
            "components": {
                part: {"platform": "sensor", "unique_id": f"{ident}_{part}", **sensor}
                for part, sensor in {**self.forecasts(topic), **self.thresholds(topic)}.items()
            },
        }
        return Outgoing(self.topic(name, topic), orjson.dumps(document), 1, True)

    def topic(self, name: str, topic: str) -> str:
        """Where a series of this name and forecast topic is announced."""
        return f"{self.config.prefix}/device/{identifier(name, topic)}/config"

    def forecasts(self, topic: str) -> dict[str, dict[str, Any]]:
        """A sensor for each lead, and for each element of a sample, with one for each end of the band.

        The first one has the whole curve as its attributes.
        """
        sensors, d = dict[str, dict[str, Any]](), self.stream.sizes.d
        for (lead, element), (end, quantile) in product(product(self.leads, range(d)), self.ends()):
            part, name = f"{end or 'lead'}_{lead}", f"Forecast in {duration(lead, self.stream.interval)}"
            value = self.value(lead, quantile)
            if d > 1:
                part, name, value = f"{part}_{element}", f"{name}, element {element}", f"{value}[{element}]"
            sensors[part] = {
                "name": f"{name}, {end} end" if end else name,
                "state_topic": topic,
                "value_template": f"{{{{ {value} }}}}",
                **self.about(),
                **({} if sensors else self.attributes(topic)),
            }
        return sensors

    def ends(self) -> list[tuple[str, float | None]]:
        """The forecast itself, and the ends of its band where there are two, each with its quantile."""
        quantiles = self.stream.publish.quantiles
        band = [("lower", quantiles[0]), ("upper", quantiles[-1])] if len(quantiles) > 1 else []
        return [("", None), *band]

    def value(self, lead: int, quantile: float | None) -> str:
        """Where a value stands in the messages of the stream, as Jinja has it."""
        if self.stream.publish.shape == "slots":
            return f"value_json[{lead - 1}]." + ("value" if quantile is None else f"quantiles['{quantile}']")
        return ("value_json.mean" if quantile is None else f"value_json.quantiles['{quantile}']") + f"[{lead - 1}]"

    def about(self) -> dict[str, str]:
        """Unit and classes of a forecast; `measurement` has Home Assistant draw it and keep statistics."""
        unit, device_class = self.config.unit, self.config.device_class
        state_class = None if device_class in NO_MEASUREMENT else "measurement"
        about = {"unit_of_measurement": unit, "device_class": device_class, "state_class": state_class}
        return {key: text for key, text in about.items() if text is not None}

    def attributes(self, topic: str) -> dict[str, str]:
        """What makes the whole forecast the attributes of a sensor."""
        template = {"json_attributes_template": CURVE} if self.stream.publish.shape == "slots" else {}
        return {"json_attributes_topic": topic, **template}

    def thresholds(self, topic: str) -> dict[str, dict[str, Any]]:
        """Sensors for each threshold, unknown where no crossing is announced: seconds until it is crossed, and, where
        there are bounds, at the earliest, at the latest, and how likely it is."""
        sensors: dict[str, dict[str, Any]] = {}
        for one in self.stream.thresholds:
            about = {"state_topic": topic_of(topic, one)}
            time = {**about, "device_class": "duration", "unit_of_measurement": "s"}
            sensors[f"threshold_{one.name}"] = {
                "name": f"Time to {one.name}",
                "value_template": "{{ value_json.seconds }}",
                "json_attributes_topic": about["state_topic"],
                **time,
            }
            for end in ("earliest", "latest") if self.stream.publish.quantiles else ():
                name, value = f"{end.title()} time to {one.name}", f"{{{{ value_json.seconds_{end} }}}}"
                sensors[f"{end}_{one.name}"] = {"name": name, "value_template": value, **time}
            if self.stream.publish.quantiles:
                name = f"Probability of {one.name}"
                sensors[f"probability_{one.name}"] = {
                    "name": name,
                    "value_template": PERCENT,
                    "unit_of_measurement": "%",
                    **about,
                }
        return sensors


def identifier(name: str, topic: str) -> str:
    """An id that is the same after every start, and no other series' on the broker; of [a-zA-Z0-9_-] alone.

    Topics come from anybody who may publish: what else they hold is left out, and a digest keeps them apart.
    """
    readable = re.sub(r"[^a-zA-Z0-9]+", "_", name)[:40].strip("_")
    return f"streamer_{readable}_{blake2b(topic.encode(), digest_size=8).hexdigest()}"


def duration(lead: int, interval: float | None) -> str:
    """Ticks in the largest unit of time that they are a whole number of."""
    if interval is None:
        return f"{lead} tick{'s' * (lead > 1)}"
    seconds = lead * interval
    for size, unit in UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
