"""Paths into a JSON document: keys and list positions joined by dots, a backslash before a dot that is part of a key.

`*` stands for any key or position, `**` for any number of them; a text that holds JSON is entered like what it holds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from streamer.errors import Rejected

DEEPEST = 64
"""Levels that `**` descends."""

Path = Sequence[str]


def parse(path: str) -> list[str]:
    """The keys of a path as it is written."""
    return [key.replace("\\.", ".") for key in re.split(r"(?<!\\)\.", path)]


def written(keys: Iterable[str]) -> str:
    """A path as it is written."""
    return ".".join(key.replace(".", "\\.") for key in keys)


def pick(value: Any, path: Path) -> Any:
    """The JSON value at a path without wildcards. Raises Rejected (path)."""
    at = value
    for key in path:
        if isinstance(at, dict) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isdecimal() and key.isascii() and int(key) < len(at):
            at = at[int(key)]
        else:
            return beyond(value, path)
    return at


def beyond(value: Any, path: Path) -> Any:
    """The same where the plain way ends: within a text that holds JSON, or nowhere."""
    for i, key in enumerate(path):
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            return pick(embedded(value, path), path[i:])
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and key.isascii() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise Rejected("path", f"nothing at {written(path)}{dotted(value, path[i:])}")
    return value


def embedded(text: str, path: Path) -> Any:
    """The JSON document that a text within a document holds."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Rejected("path", f"nothing at {written(path)}: the text on the way there is not JSON") from None


def dotted(value: Any, rest: Path) -> str:
    """The remedy where a key has the dots that were taken for separators."""
    key = ".".join(rest)
    return f"; the key {key} is written {written([key])}" if isinstance(value, dict) and key in value else ""


def children(value: Any) -> Iterable[tuple[str, Any]]:
    """What an object or a list holds, by key or position."""
    if isinstance(value, dict):
        return value.items()
    return ((str(i), item) for i, item in enumerate(value)) if isinstance(value, list) else ()


def found(value: Any, pattern: Path, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that a pattern matches, with its path. Raises Rejected (path) where it is too deep."""
    if len(at) > DEEPEST:
        raise Rejected("path", f"more than {DEEPEST} levels deep")
    if not pattern:
        yield at, value
        return
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        yield from found(value, rest, at)
    for key, inner in children(value):
        if first in ("*", "**", key):
            yield from found(inner, pattern if first == "**" else rest, (*at, key))


def fits(path: Path, pattern: Path) -> bool:
    """Whether a pattern matches this path."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return fits(path, pattern[1:]) or bool(path and fits(path[1:], pattern))
    return bool(path) and pattern[0] in ("*", path[0]) and fits(path[1:], pattern[1:])


def is_wild(pattern: Path) -> bool:
    """Whether a path has a wildcard."""
    return "*" in pattern or "**" in pattern
