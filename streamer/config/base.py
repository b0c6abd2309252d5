"""What every part of the configuration is made of."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

QoS = Annotated[int, Field(ge=0, le=1)]
Ticks = Annotated[int, Field(ge=1, le=10**9)]


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
