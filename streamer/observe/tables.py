"""A history or a forecast in, the same as a table out: CSV, or JSON with a row per time, which dashboards take."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

from streamer.observe import answers

Rows = list[dict[str, Any]]
ROWS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"time": {"type": "string", "format": "date-time"}},
        "required": ["time"],
        "additionalProperties": {"type": ["number", "array", "null"]},
    },
}
"""The schema of rows."""


def rows_of(found: answers.History | answers.Forecast) -> Rows:
    """A row per time: value, or mean and bounds, p10 being the bound that a tenth of all values shall lie below."""
    if isinstance(found, answers.History):
        pairs = zip(found.times, found.values, strict=True)
        return [{"time": dated(time), "value": value} for time, value in pairs]
    names = ["mean", *(f"p{100 * float(one):g}" for one in found.quantiles)]
    columns = zip(found.mean, *found.quantiles.values(), strict=True)
    return [
        {"time": dated(found.time + (i + 1) * found.interval), **dict(zip(names, column, strict=True))}
        for i, column in enumerate(columns)
    ]


def dated(time: float) -> str:
    """A time as ISO 8601, in milliseconds."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table_of(found: answers.History | answers.Forecast) -> str:
    """A history, or a forecast, as CSV with a header."""
    out = io.StringIO()
    lines = csv.writer(out)
    if isinstance(found, answers.History):
        lines.writerow(["tick", "time", "value"])
        lines.writerows(zip(found.ticks, found.times, found.values, strict=True))
    else:
        lines.writerow(["lead", "time", "mean", *found.quantiles])
        times = (found.time + (i + 1) * found.interval for i in range(len(found.mean)))
        columns = zip(times, found.mean, *found.quantiles.values(), strict=True)
        lines.writerows((i + 1, *column) for i, column in enumerate(columns))
    return out.getvalue()
