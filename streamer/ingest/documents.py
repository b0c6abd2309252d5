"""A JSON document with several series or samples in, a reading of each out.

A sample is the document, or each of what `each` matches in it. Its paths begin at itself: `@` is itself, `@key` the key
or position it was found at, and a path that begins with `$.` begins at the document.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from streamer.config import JsonPayload
from streamer.errors import Ignored, Rejected
from streamer.ingest.decode import at, loader, scalar, scalar_of
from streamer.ingest.paths import fits, found, is_wild, parse, written
from streamer.ingest.readings import Content, Reading, attempt
from streamer.ingest.times import clock
from streamer.records import Message

SEPARATOR = re.compile(r"(?<!\\)/")
"""Between the names of a part: slashes within a name are escaped."""


class Item(NamedTuple):
    """A sample in a document: the whole, the sample, and the key or position it was found at."""

    whole: Any
    own: Any
    key: str | None


def place(path: str) -> Callable[[Item, Callable[[Any], Any]], Any]:
    """The function that reads what is at a path of an item."""
    if path == "@":
        return lambda item, read: read(item.own)
    if path == "@key":
        return lambda item, read: read(item.key)
    keys = parse(path)
    if keys[0] == "$":
        return lambda item, read: at(item.whole, keys[1:], read)
    return lambda item, read: at(item.own, keys, read)


def name(value: Any) -> str:
    """A text or a whole number that names a series, as one name of its part."""
    if type(value) is not str and type(value) is not int:
        raise Rejected("type", f"a text or a whole number was expected as the name, not {type(value).__name__}")
    if not str(value).strip():
        raise Rejected("name", "an empty text names no series")
    return str(value).replace("/", "\\/")


class Documents:
    """Reads JSON messages with several series or several samples of one.

    The part is the names at `series`, and the path of the field where there are fields, joined by slashes.
    """

    def __init__(self, payload: JsonPayload) -> None:
        self.load, self.times = loader(payload), clock(payload.time_format, payload.timezone)
        self.each = None if payload.each is None else parse(payload.each)
        self.names = [place(path) for path in payload.series or ()]
        self.value = place(payload.value) if isinstance(payload.value, str) else None
        self.time = None if payload.time is None else place(payload.time)
        self.every = payload.fields == ["*"] and not self.names
        self.fields = None if payload.fields is None else [(path, parse(path)) for path in payload.fields]
        self.read_named, self.strict = scalar_of(payload.numbers), payload.numbers is None
        skipped = (payload.time, *(payload.series or ()))
        self.skipped = {tuple(parse(path)) for path in skipped if path is not None}

    def read(self, message: Message) -> Content:
        whole, readings, faults = self.load(message.payload), list[Reading](), list[Rejected]()
        for item in self.items(whole):
            try:
                readings += self.sample(item)
            except Rejected as why:
                if self.each is None:
                    raise
                faults.append(Rejected(why.reason, f"sample {item.key}: {why}"))
        if self.each is not None and self.time is not None:
            readings.sort(key=lambda reading: reading.time or 0.0)
        return Content(message.topic, readings, faults)

    def items(self, whole: Any) -> list[Item]:
        """The samples of a document. Raises Rejected where there is no place for any."""
        if self.each is None:
            return [Item(whole, whole, None)]
        items = [Item(whole, own, path[-1]) for path, own in found(whole, self.each)]
        if not items and not any(held == [] or held == {} for _, held in found(whole, self.each[:-1])):
            raise Rejected("path", f"nothing at {written(self.each)}, which is payload.each")
        return items

    def sample(self, item: Item) -> Iterator[Reading]:
        """The readings of one sample. Raises Rejected where none of them can be."""
        part = "/".join([names(item, name) for names in self.names])
        time = None if self.time is None else self.time(item, self.times)
        if self.fields is None:
            assert self.value is not None
            yield Reading(part, attempt(self.value, item, self.read_named), time)
            return
        if any(pattern == ["*"] for _, pattern in self.fields) and not isinstance(item.own, dict):
            raise Rejected("type", f"an object was expected, not {type(item.own).__name__}")
        begin = part + "/" if part else ""
        for path, pattern in self.fields:
            for field, value in self.wild(item, pattern) if is_wild(pattern) else self.named(item, path, pattern):
                yield Reading(begin + field, value, time)

    def named(self, item: Item, path: str, keys: list[str]) -> Iterator[tuple[str, float | Rejected]]:
        """The field at a path. Devices differ: where they are told apart, one that lacks it says nothing of it."""
        value = attempt(at, item.own, keys, self.read_named)
        if self.names and isinstance(value, Rejected) and value.reason == "path":
            value = Ignored(str(value))
        yield path, value

    def wild(self, item: Item, pattern: list[str]) -> Iterator[tuple[str, float | Rejected]]:
        """The numbers that a pattern matches; texts and booleans too where it is said how they are read."""
        for path, value in found(item.own, pattern):
            kind = type(value)
            if path in self.skipped or kind is list or kind is dict:
                continue
            if kind is float or kind is int:
                yield self.label(path), attempt(scalar, value)
            elif not self.strict and value is not None:
                read = attempt(self.read_named, value)
                if not isinstance(read, Rejected):
                    yield self.label(path), read

    def label(self, path: tuple[str, ...]) -> str:
        """How a field is named: the key where only the keys of the object itself are asked for."""
        return path[0] if self.every else written(path)

    def selects(self, part: str) -> bool:
        names = SEPARATOR.split(part) if part else []
        if self.fields is None:
            return len(names) == len(self.names)
        field = "/".join(names[len(self.names) :])
        return self.every or any(field == path or fits(parse(field), pattern) for path, pattern in self.fields)

    def address(self, topic: str) -> str:
        return topic
