"""MQTT topic filters (MQTT 5, section 4.7), templates that name some of their levels, and names made of topics."""

import re
from collections.abc import Iterable

from streamer.config.base import LABEL

NONCHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
UNFIT = re.compile(f"[+#\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef{NONCHARACTERS}]")
"""What a topic to publish on may not hold, or (MQTT 5, section 1.5.4) a broker may end the connection for."""


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter selects a topic: `+` is one level, a last `#` all that follow and the level above them.

    Wildcards in the first level do not select topics that begin with `$`.
    """
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(levels) or level not in ("+", levels[i]):
            return False
    return len(wanted) == len(levels)


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic that the filter `narrow` selects is selected by `wide` too."""
    if narrow.startswith("$") and wide[:1] in ("+", "#"):
        return False
    above, below = wide.split("/"), narrow.split("/")
    for i, level in enumerate(above):
        if level == "#":
            return True
        if i >= len(below) or below[i] == "#" or level not in ("+", below[i]):
            return False
    return len(above) == len(below)


def widest(filters: Iterable[str]) -> list[str]:
    """The filters that no other one covers: a broker may deliver a message once for each that selects it."""
    every = list(dict.fromkeys(filters))
    return [narrow for narrow in every if not any(wide != narrow and covers(wide, narrow) for wide in every)]


def labels(template: str, topic: str) -> dict[str, str]:
    """What stands at the levels of a topic that the template, a filter that selects it, gives a {name}."""
    levels = zip(template.split("/"), topic.split("/"), strict=False)
    return {match[1]: level for name, level in levels if (match := LABEL.fullmatch(name))}


def joined(topic: str, part: str) -> str:
    """The name of a series that is a part of what comes from a topic; what no topic may hold becomes _."""
    return f"{topic}/{UNFIT.sub('_', part)}" if part else topic
