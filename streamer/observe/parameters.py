"""The query of a request in, checked values out; the OpenAPI document describes them from here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams


class Malformed(Exception):
    """A request that means nothing; its message says what would."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    name: str
    text: str
    default: int
    least: int
    most: int

    def read(self, query: QueryParams) -> int:
        """Raises Malformed."""
        given = query.get(self.name, str(self.default))
        try:
            value = int(given) if len(given) < 20 else -1
        except ValueError:
            value = -1
        if not self.least <= value <= self.most:
            raise Malformed(f"{self.name}: a whole number from {self.least} to {self.most}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}


@dataclass(frozen=True, slots=True)
class Word:
    """A text; one of `known` if there are any."""

    name: str
    text: str
    known: tuple[str, ...] = ()
    most: int = 200

    def read(self, query: QueryParams) -> str:
        """Raises Malformed."""
        value = query.get(self.name, self.known[0] if self.known else "")
        if self.known and value not in self.known:
            raise Malformed(f"{self.name}: one of {', '.join(self.known)}")
        if len(value) > self.most:
            raise Malformed(f"{self.name}: {self.most} characters at most")
        return value

    def schema(self) -> dict[str, Any]:
        known: dict[str, Any] = {"enum": [*self.known], "default": self.known[0]} if self.known else {}
        return {"type": "string", "maxLength": self.most, **known}


@dataclass(frozen=True, slots=True)
class Idents:
    """Ids of series, between commas."""

    name: str
    text: str
    most: int

    def read(self, query: QueryParams) -> list[int]:
        """Raises Malformed."""
        given = [one for one in query.get(self.name, "").split(",") if one]
        if len(given) > self.most or not all(one.isascii() and one.isdigit() and len(one) < 19 for one in given):
            raise Malformed(f"{self.name}: at most {self.most} ids of series, between commas")
        return [int(one) for one in given]

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^([0-9]{1,18}(,[0-9]{1,18})*)?$"}


Parameter = Whole | Word | Idents


def read(parameters: Sequence[Parameter], query: QueryParams) -> dict[str, Any]:
    """All of them by name. Raises Malformed."""
    return {one.name: one.read(query) for one in parameters}
