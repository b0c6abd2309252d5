"""Answers of Prometheus' `query_range` in, from a file or from its server, values with labels out.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

import gzip
import re
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from streamer.errors import SourceError
from streamer.tools.history.labelled import Value
from streamer.tools.progress import Told
from streamer.tools.replay.sample import parse_time

SCHEMES = ("http://", "https://")
PAGE = 10_000
"""Steps that are asked for at once; a server answers 11,000."""
PATIENCE = 120.0
"""Seconds for an answer."""
DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}


def from_file(path: Path) -> Iterator[Value]:
    """The values of an answer that was saved. Raises SourceError."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read ({error})") from error
    return values(data, str(path))


def from_server(url: str, told: Told) -> Iterator[Value]:
    """The values that a server has, asked for page by page. Raises SourceError."""
    parts = urllib.parse.urlsplit(url)
    asked = dict(urllib.parse.parse_qsl(parts.query))
    try:
        start, end, step = parse_time(asked["start"]), parse_time(asked["end"]), seconds(asked["step"])
    except (KeyError, ValueError) as error:
        wanted = "…/api/v1/query_range?query=…&start=…&end=…&step=…"
        raise SourceError(f"{url}: {error}; write {wanted}, times as seconds since 1970 or RFC 3339") from error
    count = int((end - start) / step) + 1
    for first in range(0, count, PAGE):
        last = min(first + PAGE, count) - 1
        page = asked | {"start": f"{start + first * step:.3f}", "end": f"{start + last * step:.3f}"}
        yield from values(fetched(parts._replace(query=urllib.parse.urlencode(page)).geturl()), url)
        told(last + 1, "")


def fetched(url: str) -> bytes:
    """What a server answers, also where that is an error that it explains. Raises SourceError."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310
            data: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.read()
    except (OSError, ValueError) as error:
        raise SourceError(f"{url}: {getattr(error, 'reason', error)}") from error
    return data


def values(data: bytes, origin: str) -> Iterator[Value]:
    """The values of one answer; those that are no finite numbers are left out later. Raises SourceError."""
    try:
        document: dict[str, Any] = orjson.loads(data)
        if document.get("status") != "success":
            raise SourceError(f"{origin}: {document.get('error') or 'no answer of query_range'}")
        if (kind := document["data"]["resultType"]) != "matrix":
            raise SourceError(f"{origin}: is a {kind}; ask query_range, which answers with a matrix")
        for series in document["data"]["result"]:
            labels = tuple(sorted(series["metric"].items()))
            for time, value in series.get("values", ()):
                yield Value(labels, float(time), float(value))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{origin}: no answer of Prometheus' query_range ({error})") from error


def seconds(step: str) -> float:
    """A step: seconds, or a duration such as 1h30m. Raises ValueError."""
    try:
        found = float(step)
    except ValueError:
        if DURATION.sub("", step):
            raise ValueError(f"step {step!r}: a number of seconds, or 15s, 5m, 1h") from None
        found = sum(int(count) * SECONDS[unit] for count, unit in DURATION.findall(step))
    if not found > 0:
        raise ValueError(f"step {step!r}: must be above 0")
    return found
