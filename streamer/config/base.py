"""Types and checks that all sections of the configuration share."""

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

QoS = Annotated[int, Field(ge=0, le=1)]
Ticks = Annotated[int, Field(ge=1, le=10**9)]

LABEL = re.compile(r"{([A-Za-z_][A-Za-z0-9_]*)}")
"""A level `{name}` of a topic filter: a wildcard whose match becomes the label of that name."""


def different(names: list[str]) -> list[str]:
    """Return the names if they all differ.

    Raises ValueError naming those that occur twice.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)}: given twice")
    return names


def known_zone(timezone: str) -> str:
    """Return the name of a time zone. Raises ValueError where there is no such zone."""
    if timezone not in available_timezones():
        raise ValueError(f"{timezone!r} is no IANA time zone; write Europe/Berlin or UTC, say")
    return timezone


Zone = Annotated[str, AfterValidator(known_zone)]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1), AfterValidator(different)]


class Section(BaseModel):
    """A mapping of the file. Unknown keys are errors; values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


def check_template(template: str, known: set[str]) -> str:
    """Return the template if each {name} in it is known and it holds no wildcard.

    Raises ValueError naming the known ones.
    """
    names = set(re.findall(r"{([^{}]*)}", template))
    rest = re.sub(r"{[^{}]*}", "", template)
    if names - known or "{" in rest or "}" in rest or "+" in rest or "#" in rest:
        raise ValueError(f"may hold {', '.join(f'{{{name}}}' for name in sorted(known))} and no +, # or other braces")
    return template


def label_names(topic: str) -> list[str]:
    """The names of the levels `{name}` of a filter, in order."""
    return [match[1] for level in topic.split("/") if (match := LABEL.fullmatch(level))]


def plain(topic: str) -> str:
    """The filter as MQTT knows it: + in place of each level `{name}`."""
    return "/".join("+" if LABEL.fullmatch(level) else level for level in topic.split("/"))
