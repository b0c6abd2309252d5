"""Recordings, JSON lines of MQTT messages: a file in, samples out; a message in, its line out.

`{"time": epoch seconds or RFC 3339, "topic": "a/b", "payload": "text", "qos": 1, "retain": false}`, with "payload64" in
base64 for "payload" where that is no text; qos and retain may be left out.
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
    """One message of a recording; what else a line holds is ignored, so that recordings of other tools can be read."""

    model_config = ConfigDict(frozen=True, strict=True)

    time: float | str
    topic: Annotated[str, Field(pattern=r"^[^+#\x00]+$")]
    payload: str | None = None
    payload64: str | None = None
    qos: Literal[0, 1] = 0
    retain: bool = False

    def sample(self) -> Sample:
        """The message as a sample.

        Raises ValueError where the time is none, or payload and payload64 are both given, both missing, or no base64.
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
    """The messages of a recording in its order, payloads verbatim; a name that ends in .gz is unpacked.

    Raises SourceError with file and line on a line that is no message.
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
    """The line of a recording, line end included; `recording` gives the same message back (time to the microsecond)."""
    try:
        text: dict[str, str] = {"payload": payload.decode()}
    except UnicodeDecodeError:
        text = {"payload64": base64.b64encode(payload).decode()}
    line = Line.model_validate({"time": rfc3339(time), "topic": topic, "qos": qos, "retain": retain, **text})
    return line.model_dump_json(exclude_none=True).encode() + b"\n"
