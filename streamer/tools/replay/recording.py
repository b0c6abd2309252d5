"""Recordings (MQTT messages as JSON lines): a file in, samples out; a message in, its line out.

A line is `{"time": epoch seconds or RFC 3339, "topic": "a/b", "payload": "text", "qos": 1, "retain": false}`. A payload
that is not UTF-8 is in "payload64", as base64, instead of "payload". qos and retain may be absent.
"""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.errors import SourceError
from streamer.publish.encode import rfc3339
from streamer.tools.replay.lines import lines
from streamer.tools.replay.sample import Sample, parse_time


class Line(BaseModel):
    """One message of a recording. Unknown keys are ignored, so that recordings of other tools can be read."""

    model_config = ConfigDict(frozen=True, strict=True)

    time: float | str
    topic: Annotated[str, Field(pattern=r"^[^+#\x00]+$")]
    payload: str | None = None
    payload64: str | None = None
    qos: Literal[0, 1] = 0
    retain: bool = False

    def sample(self) -> Sample:
        """The message as a sample.

        Raises ValueError for an invalid time or base64, and if payload and payload64 are both given or both missing.
        """
        if (self.payload is None) == (self.payload64 is None):
            raise ValueError("a line holds either payload or payload64")
        try:
            payload = base64.b64decode(self.payload64 or "", validate=True)
        except binascii.Error as error:
            raise ValueError(f"payload64: {error}") from error
        if self.payload is not None:
            payload = self.payload.encode()
        return Sample(parse_time(self.time), (), self.topic, payload, self.qos, self.retain)


def recording(path: Path) -> Iterator[Sample]:
    """The messages of a recording in its order, with payloads unchanged; a file whose name ends in .gz is unpacked.

    Raises SourceError, with file and line number, for a line that is not a message.
    """
    for number, text in enumerate(lines(path), start=1):
        if not text.strip():
            continue
        try:
            yield Line.model_validate_json(text).sample()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ": ".join([f"{path}:{number}", *map(str, first["loc"][:1])])
            raise SourceError(f"{where}: {first['msg']}") from error
        except ValueError as error:
            raise SourceError(f"{path}:{number}: {error}") from error


def recorded(time: float, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bytes:
    """A message as a line of a recording, with line end; `recording` restores it, with time to the microsecond."""
    try:
        text: dict[str, str] = {"payload": payload.decode()}
    except UnicodeDecodeError:
        text = {"payload64": base64.b64encode(payload).decode()}
    line = Line.model_validate({"time": rfc3339(time), "topic": topic, "qos": qos, "retain": retain, **text})
    return line.model_dump_json(exclude_none=True).encode() + b"\n"
