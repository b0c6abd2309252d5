"""Tables of all series in, those that match, in order, and a line for each out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamer.observe import answers
from streamer.observe.views import Table
from streamer.observe.words import better
from streamer.records import Floats, Ints


class Pick(NamedTuple):
    """Which series of which table."""

    of: Table
    row: int


def pick(tables: Sequence[Table], given: dict[str, Any]) -> list[Pick]:
    """The series that match, in order: what is not known comes last, ties by name."""
    text, stream, sort = given["q"].casefold(), given["stream"], given["sort"]
    keyed = []
    for one in tables:
        if stream in ("", one.stream):
            keys = key_of(one, sort).tolist()
            keyed += [
                (keys[row], series.name, Pick(one, row))
                for row, series in enumerate(one.series)
                if not text or text in series.name.casefold()
            ]
    down = given["order"] == "down"
    keyed.sort(key=lambda one: one[1], reverse=down and sort == "name")
    if sort != "name":
        sign = -1 if down else 1
        keyed.sort(key=lambda one: (one[0] != one[0] or abs(one[0]) == np.inf, sign * one[0]))
    return [one[2] for one in keyed]


def key_of(of: Table, sort: str) -> Floats:
    """What a table is sorted by, [n]."""
    keys: dict[str, Floats] = {
        "skill": of.skill[:, 0],
        "width": of.width,
        "surprise": of.surprise,
        "threshold": of.ahead.min(1, initial=np.inf),
        "age": -of.time,
    }
    return keys.get(sort, np.zeros(len(of.series)))


def summary(one: Pick, now: float, past: answers.History | None, forecast: answers.Forecast | None) -> answers.Summary:
    """A line of the list."""
    of, row = one
    series = of.series[row]
    skill = dict(zip(of.references, of.skill[row].tolist(), strict=True))
    nearest = None
    if np.isfinite(of.ahead[row]).any():
        at: Ints = of.ahead[row].argmin()
        nearest = answers.Crossing(*of.thresholds[int(at)], float(of.ahead[row, at]))
    return answers.Summary(
        series.ident,
        of.stream,
        series.name,
        dict(series.labels),
        float(of.time[row]),
        max(0.0, now - float(of.time[row])),
        float(of.value[row]),
        skill,
        better(skill),
        float(of.width[row]),
        float(of.surprise[row]),
        nearest,
        past or answers.History(series.ident, [], [], [], []),
        forecast,
    )
