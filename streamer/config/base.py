"""Types and checks that all sections of the configuration share."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from inspect import getattr_static
from typing import Annotated, Any, Self, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

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


def well_formed(topics: list[str]) -> list[str]:
    """Return MQTT topic filters, perhaps with levels {name}. Raises ValueError for one that is none."""
    for topic in topics:
        if topic.startswith("$share/"):
            raise ValueError(f"{topic!r} would split a series between subscribers: remove $share/…/")
        names, levels = label_names(topic), plain(topic).split("/")
        stray = {*plain(topic)} & {"{", "}"}
        if stray or {*names} & {"topic", "stream"} or len({*names}) < len(names):
            raise ValueError(f"{topic!r}: {{name}} stands for a whole level, once, and is not topic or stream")
        bad_hash = any("#" in level and (level != "#" or i != len(levels) - 1) for i, level in enumerate(levels))
        if not topic or "\0" in topic or bad_hash or any("+" in level and level != "+" for level in levels):
            raise ValueError(f"{topic!r} is no MQTT topic filter: + must be a whole level, # the whole last level")
    return topics


Topics = Annotated[list[str], Field(min_length=1), AfterValidator(well_formed)]


Place = tuple[int | str, ...]
"""Of a mistake: keys and indices from the mapping down."""
Check = TypeVar("Check", bound=Callable[[Any], Iterator[str]])


def together(method: Check) -> Check:
    """Mark a method as a check of several keys together, which yields what is wrong with them.

    It is made beside mistakes in other keys too, as far as it does not look at those.
    """
    method.__dict__["together"] = True
    return method


class UnknownKey(Exception):
    """A check has looked at a key that has a mistake of its own."""


class Partial:
    """A mapping of the file of which some keys have mistakes of their own."""

    def __init__(self, made: BaseModel, unknown: Collection[str]) -> None:
        self._made, self._unknown = made, unknown

    def __getattr__(self, name: str) -> Any:
        if name in self._unknown:
            raise UnknownKey(name)
        found = getattr_static(type(self._made), name, None)
        if isinstance(found, property) and found.fget:
            return found.fget(self)
        return getattr(self._made, name)


class Whole(BaseModel):
    """A mapping of the file, whose mistakes are told all at once."""

    @model_validator(mode="wrap")
    @classmethod
    def all_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Make every check that the keys without a mistake of their own allow."""
        found = list[InitErrorDetails]()
        try:
            made = subject = handler(data)
        except ValidationError as error:
            found = [*map(as_raised, error.errors(include_url=False))]
            subject = cls.partial(data, handler, [one["loc"] for one in found])
        if subject is not None:
            found += mistakes(cls, subject)
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return made

    @classmethod
    def partial(cls, data: Any, handler: ModelWrapValidatorHandler[Self], places: Sequence[Place]) -> Any:
        """What there is without the keys that have mistakes; None where those are needed."""
        if not isinstance(data, dict):
            return None
        bad = {str(place[0]) for place in places if place}
        if bad - {*cls.model_fields}:  # a key that is misspelt may be any that is not there
            bad |= {*cls.model_fields} - {*data}
        try:
            return Partial(handler({key: value for key, value in data.items() if key not in bad}), bad)
        except ValidationError:
            return None


def mistakes(cls: type[BaseModel], subject: Any) -> Iterator[InitErrorDetails]:
    """What the checks of a class say of a subject; a message that begins with the path of a key is of that key."""
    for name in dir(cls):
        check = getattr_static(cls, name)
        if getattr(check, "together", False):
            with suppress(UnknownKey):
                for problem in check(subject):
                    path, _, text = problem.partition(": ")
                    place = tuple(int(key) if key.isdecimal() else key for key in path.split("."))
                    if place[0] not in cls.model_fields:
                        place, text = (), problem
                    yield InitErrorDetails(type="value_error", loc=place, input=None, ctx={"error": ValueError(text)})


def as_raised(error: ErrorDetails) -> InitErrorDetails:
    """An error as it is raised again."""
    if error["type"] == "value_error":
        return InitErrorDetails(type="value_error", loc=error["loc"], input=None, ctx=error["ctx"])
    kind = PydanticCustomError(error["type"], error["msg"])
    return InitErrorDetails(type=kind, loc=error["loc"], input=None)


class Section(Whole):
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
