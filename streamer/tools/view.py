"""A running daemon in, what the terminal of `streamer demo` shows of it out: lines that are whole at 80 columns."""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from streamer.app import Daemon
from streamer.models import KINDS
from streamer.observe import answers
from streamer.observe.views import detail
from streamer.stream.state import StreamState
from streamer.tools.words import NO_CHANGE, called, lasting, multiple

KEPT = 3
"""Lines of news that are shown."""
NAMED, HEARD = 0.05, 0.1
"""Shares of the mixture from which on a forecaster is named, and a network is news."""
GOOD, BAD = "green", "yellow"


class View:
    """What is shown, and what is remembered to tell what is new.

    units: by topic. versions: of the live networks, by stream. heard: by topic, the networks that had weight before.
    """

    def __init__(self, running: Daemon, units: Mapping[str, str]) -> None:
        self.running, self.units = running, units
        self.news: deque[str] = deque(maxlen=KEPT)
        self.versions: dict[str, dict[str, int]] = {}
        self.heard: dict[str, set[str]] = {}

    async def lines(self, width: int) -> list[Text]:
        """A few lines for each series, the news, and what is done now."""
        async with self.running.fast.lock:
            streams = self.running.fast.streams
            known = [(stream, detail(stream, series.row)) for stream in streams for series in stream.series]
        shown = []
        for stream, one in known:
            self.notice(stream, one)
            shown += [*self.about(stream, one, width), Text()]
        return [*shown, *(Text(line, "bold magenta") for line in self.news), Text(f"Now: {self.doing()}", "dim")]

    def about(self, stream: StreamState, one: answers.Detail, width: int) -> Iterator[Text]:
        """One series: values, errors, and who speaks."""
        name, unit, forecast = one.name.removeprefix("demo/"), self.units.get(one.name, ""), one.forecast
        if forecast is None:
            yield Text.assemble((name, "bold"), ": one sample so far")
            return
        ahead = [lasting(lead * (stream.config.interval or 1.0)) for lead in one.shown]
        curves = (forecast.value, forecast.mean, *forecast.quantiles.values())
        value, mean, *band = written([first(curve[-1]) for curve in curves])
        between = f", 8 in 10 times {band[0]} to {band[-1]}" if band else ""
        there = (of_unit(mean, unit) + f" in {ahead[-1]}", "cyan")
        yield Text.assemble((name, "bold"), f": {of_unit(value, unit)} now, ", there, between)
        (near, style), *_, (far, other) = said(one)
        yield Text.assemble(
            "  error ",
            (near, style),
            f" times that of {NO_CHANGE} {ahead[0]} ahead, ",
            (far, other),
            f" times {ahead[-1]} ahead",
        )
        yield Text(self.speakers(one, f"  who speaks {ahead[-1]} ahead: ", width), "dim")

    def speakers(self, one: answers.Detail, title: str, width: int) -> str:
        """The loudest forecasters at the last lead, as many as a line holds."""
        loudest = [(weight, name) for weight, name in at_the_end(one) if weight >= NAMED]
        text = title
        for weight, name in loudest:
            more = f"{', ' if text != title else ''}{called(name)} {weight:.0%}"
            if len(text + more) > width:
                break
            text += more
        return text

    def notice(self, stream: StreamState, one: answers.Detail) -> None:
        """Networks that went live, and those that a series is forecast by for the first time."""
        clock = time.strftime("%H:%M:%S")
        if one.networks != self.versions.get(stream.name, {}):
            self.versions[stream.name] = one.networks
            version = max(one.networks.values())
            kinds = " and ".join(kind for kind, of in one.networks.items() if of == version)
            self.news.append(f"{clock} new in {stream.name}: {kinds} network, version {version}")
        heard = self.heard.setdefault(one.name, set())
        for name in KINDS:
            weight, lead = max((weight_at(one, name, at), at) for at in one.shown)
            if weight >= HEARD and name not in heard:
                heard.add(name)
                place = f"{one.name.removeprefix('demo/')} {lasting(lead * (stream.config.interval or 1.0))} ahead"
                self.news.append(f"{clock} the {called(name)} takes over {weight:.0%} of {place}")

    def doing(self) -> str:
        """What the slow lane is doing."""
        busy, streams = self.running.slow.activity, self.running.fast.streams
        if busy.stream:
            epoch = f"{called(busy.kind)}, epoch {busy.epoch} of {busy.epochs}" if busy.kind else "starting"
            return f"training {busy.stream}: {epoch}"
        samples = any(stream.series for stream in streams)
        return "collecting samples until a training is due" if samples else "waiting for samples"


def weight_at(one: answers.Detail, name: str, lead: int) -> float:
    """The weight of a forecaster at a lead."""
    return one.weights[name][one.leads.index(lead)] or 0.0 if name in one.weights else 0.0


def at_the_end(one: answers.Detail) -> list[tuple[float, str]]:
    """Weights at the last lead shown with who has them, the loudest first."""
    return sorted(((weight_at(one, name, one.shown[-1]), name) for name in one.weights), reverse=True)


def said(one: answers.Detail) -> list[tuple[str, str]]:
    """Errors of the mixture as multiples of those of persistence, at each lead shown, each with its colour."""
    nothing: list[float | None] = [None] * len(one.leads)
    mixture, reference = (one.errors.get(name, nothing) for name in ("mix", "persistence"))
    found = []
    for at in map(one.leads.index, one.shown):
        error, of_reference = (
            math.nan if curve[at] is None else float(curve[at] or 0) for curve in (mixture, reference)
        )
        found.append((multiple(error, of_reference), GOOD if error < of_reference else BAD))
    return found


def first(value: Any) -> float:
    """A value, or the first element of one."""
    return float(value[0] if isinstance(value, list) else value)


def written(values: Sequence[float]) -> list[str]:
    """Values of one line, with the same decimals."""
    decimals = 1 if max(map(abs, values)) >= 10 else 2
    return [f"{value:.{decimals}f}" for value in values]


def of_unit(value: str, unit: str) -> str:
    """The same with its unit."""
    return f"{value} {unit}".rstrip()
