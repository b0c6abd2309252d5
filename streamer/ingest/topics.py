"""MQTT topic filters (MQTT 5, section 4.7)."""

from collections.abc import Iterable


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
