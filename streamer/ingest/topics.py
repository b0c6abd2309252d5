"""MQTT topic filters (MQTT 5, section 4.7), templates with named levels, and names of series."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streamer.config.base import LABEL

NONCHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
UNFIT = re.compile(f"[+#\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef{NONCHARACTERS}]")
"""Characters that a topic may not hold, or that a broker may refuse (MQTT 5, section 1.5.4)."""


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter selects a topic.

    `+` matches one level; a last `#` matches the level above it and all levels below. A wildcard in the first level
    does not match topics that begin with `$`.
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
    """Whether the filter `wide` selects every topic that the filter `narrow` selects."""
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
    """The filters that no other filter covers; with overlapping ones a broker may deliver a message several times."""
    every = list(dict.fromkeys(filters))
    root = Node()
    for one in every:
        at = root
        for level in one.split("/"):
            at = at.below.setdefault(level, Node())
        at.ends = one
    return [narrow for narrow in every if not any(wide != narrow for wide in covering(narrow, root))]


@dataclass(slots=True)
class Node:
    """Filters that begin alike, by their next level; `ends`: the one that is no longer."""

    below: dict[str, "Node"] = field(default_factory=dict)
    ends: str | None = None


def covering(narrow: str, root: Node) -> Iterator[str]:
    """The filters of a tree that select every topic that this one selects, itself among them (see `covers`)."""
    reached = [root]
    levels = narrow.split("/")
    for i, level in enumerate(levels):
        wild = i > 0 or not narrow.startswith("$")
        hashes = [node.below["#"] for node in reached if wild and "#" in node.below]
        yield from (one.ends for one in hashes if one.ends is not None)
        names = {level, "+"} if wild else {level}
        reached = [node.below[name] for node in reached for name in names - {"#"} if name in node.below]
        if level == "#":
            return
    for node in reached:
        yield from (one.ends for one in (node, node.below.get("#")) if one is not None and one.ends is not None)


def labels(template: str, topic: str) -> dict[str, str]:
    """The levels of the topic at the places where the template has a {name}, by name; the template must match it."""
    levels = zip(template.split("/"), topic.split("/"), strict=False)
    return {match[1]: level for name, level in levels if (match := LABEL.fullmatch(name))}


def selects(pattern: str, topic: str, part: str) -> bool:
    """Whether a topic filter that somebody typed means this series: it matches its name or its topic."""
    return matches(pattern, joined(topic, part)) or matches(pattern, topic)


def joined(topic: str, part: str) -> str:
    """The name of the series of a part: topic, slash, part, with _ for characters that no topic may hold."""
    return f"{topic}/{UNFIT.sub('_', part)}" if part else topic
