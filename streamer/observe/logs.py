"""Writes log records to standard error, as text for people or as JSON lines for log collectors."""

import logging
import sys
from typing import Literal

import orjson

from streamer.publish.encode import rfc3339

LogFormat = Literal["text", "json"]


LONGEST = 2000
"""Characters of a message, without a traceback, that are written: some quote what came from the wire."""


class Lines(logging.Formatter):
    """Formats `2026-01-01T00:00:00.000Z INFO streamer.mqtt: …`, or one JSON object with the same fields."""

    def __init__(self, style: LogFormat) -> None:
        super().__init__()
        self.style = style

    def format(self, record: logging.LogRecord) -> str:
        at = rfc3339(round(record.created, 3))
        message = record.getMessage()
        if len(message) > LONGEST:
            message = f"{message[:LONGEST]}… and {len(message) - LONGEST} characters more"
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        if self.style == "json":
            fields = {"time": at, "level": record.levelname, "logger": record.name, "message": message}
            return orjson.dumps(fields).decode()
        return f"{at} {record.levelname} {record.name}: {message}"


def ours(record: logging.LogRecord) -> bool:
    """Whether a record is of this program, or an error of a library, which nobody has caught."""
    return record.name.partition(".")[0] == "streamer" or record.levelno >= logging.ERROR


def configure(style: LogFormat, level: str) -> None:
    """Sends all logs of this level and above to standard error, in this format.

    What libraries say below an error is shown with the level `debug` alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(style))
    handler.setLevel(level.upper())  # applies to loggers with a level of their own, too
    if level != "debug":
        handler.addFilter(ours)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)
