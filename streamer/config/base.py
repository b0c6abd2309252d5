"""What every part of the configuration is made of."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

QoS = Annotated[int, Field(ge=0, le=1)]
Ticks = Annotated[int, Field(ge=1, le=10**9)]

LABEL = re.compile(r"{([A-Za-z_][A-Za-z0-9_]*)}")
"""A level of a topic filter that names what stands there."""


def different(names: list[str]) -> list[str]:
    """The names, if no two are the same.

    Raises ValueError naming those that are.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)}: given twice")
    return names


Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1), AfterValidator(different)]


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


def check_template(template: str, known: set[str]) -> str:
    """The template, if each {name} in it is known.

    Raises ValueError naming those that are not.
    """
    names = set(re.findall(r"{([^{}]*)}", template))
    rest = re.sub(r"{[^{}]*}", "", template)
    if names - known or "{" in rest or "}" in rest or "+" in rest or "#" in rest:
        raise ValueError(f"may hold {', '.join(f'{{{name}}}' for name in sorted(known))} and no +, # or other braces")
    return template


def label_names(topic: str) -> list[str]:
    """The names that the levels of a filter give."""
    return [match[1] for level in topic.split("/") if (match := LABEL.fullmatch(level))]


def plain(topic: str) -> str:
    """A filter with + for each level that has a name."""
    return "/".join("+" if LABEL.fullmatch(level) else level for level in topic.split("/"))
