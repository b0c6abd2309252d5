"""A configuration in, what follows from it for each stream, in words, out."""

from collections.abc import Iterator, Sequence

from streamer.config import Metrics, Stream
from streamer.config.base import label_names
from streamer.config.covariate import Covariate
from streamer.config.cycles import Cycle, cycles_of
from streamer.forecast.panel import Panel
from streamer.ingest.topics import covers


def consequences(streams: Sequence[Stream], metrics: Metrics) -> Iterator[str]:
    """A line for each stream, one for each of its keys that does nothing, or more than is meant, beside others, and one
    for each of its filters that no message can reach it by.

    Raises ConfigError for a name that no forecaster has.
    """
    for i, stream in enumerate(streams):
        wanted = Panel.begin(stream, metrics).wants_networks
        told = [covariate(stream, one) for one in stream.covariates]
        parts = [*quantity(stream), horizon(stream), seasons(stream), *told, networks(stream, wanted)]
        yield f"{stream.name}: {'; '.join(parts)}"
        yield from (f"{stream.name}: {line}" for line in surprising(stream, wanted))
        hidden = list(shadowed(stream, streams[:i]))
        if len(hidden) == len(stream.filters):
            yield f"{stream.name}: this stream can never match: shadowed by {', '.join(dict(hidden).values())}"
        else:
            yield from (f"{stream.name}: {topic} never matches here: shadowed by {name}" for topic, name in hidden)


def quantity(stream: Stream) -> Iterator[str]:
    """What is forecast, and when a tick closes, where a sample is not a reading as it came."""
    if stream.difference is not None:
        per = stream.difference.per or ("message" if stream.interval is None else "tick")
        yield f"forecasts what was counted per {per}"
    elif stream.aggregate is not None:
        yield f"forecasts the {stream.aggregate} of the readings of a tick"
    if stream.aggregation is not None:
        yield f"a tick without a later reading closes {duration(stream.grace)} after its end"


def horizon(stream: Stream) -> str:
    """How far it forecasts."""
    return f"horizon {span(stream.sizes.horizon, stream.interval)}"


def seasons(stream: Stream) -> str:
    """Its cycles, with their ticks where these are known."""
    cycles = cycles_of(stream.season, stream.interval)
    return f"seasons: {', '.join(named(cycle, stream.interval) for cycle in cycles)}" if cycles else "no season"


def covariate(stream: Stream, one: Covariate) -> str:
    """Which series it is for, and for how long a message counts."""
    assert stream.interval is not None
    levels = sorted({name for topic in one.topics for name in label_names(topic)})
    whose = f"series of the same {', '.join(levels)}" if levels else "all series"
    age = span(one.ticks(stream.interval, stream.sizes.horizon), stream.interval)
    when = "now and at the ticks to come" if one.kind == "known" else "now"
    return f"{one.name} is told to {whose}, as it is {when}, and counts for {age} after a message"


def named(cycle: Cycle, interval: float | None) -> str:
    """A cycle and its ticks."""
    if not cycle.period:
        return f"{cycle.slots} ticks"
    return f"{cycle.name} ({cycle.period / interval:,.6g} ticks)" if interval else cycle.name


def networks(stream: Stream, wanted: bool) -> str:
    """When its networks are trained."""
    every = stream.retrain.every
    if not wanted:
        return "no network, as forecasters names none"
    if not every:
        return "no network, as retrain.every is 0"
    first, then = span(stream.first_training, stream.interval), span(every, stream.interval)
    newest = span(stream.retrain.window, stream.interval)
    text = f"first network after {first}, then every {then} at this rate, sooner where errors grow"
    return f"{text}, each trained on the newest {newest}"


def surprising(stream: Stream, wanted: bool) -> Iterator[str]:
    """What follows from several keys together, and is hardly meant; wanted: it has networks."""
    lowest, highest = stream.limits
    if stream.clip is not None:
        lowest, highest = max(lowest, stream.clip[0]), min(highest, stream.clip[1])
    if lowest > highest:
        yield "lowest and highest reject every value that clip leaves"
    for i, one in enumerate(stream.thresholds):
        never, always = (highest, lowest) if one.direction == "above" else (-lowest, -highest)
        value = one.value if one.direction == "above" else -one.value
        if value > never:
            yield f"thresholds.{i} is never announced: no value can be {one.direction} {one.value:g}"
        elif value <= always:
            yield f"thresholds.{i} is announced all the time: no value can be other than {one.direction} {one.value:g}"
    for cycle in cycles_of(stream.season, stream.interval):
        if wanted and stream.retrain.every and not cycle.period and cycle.slots > stream.retrain.window:
            yield f"no network is trained on a whole season of {cycle.name}: retrain.window has {stream.retrain.window}"
    if stream.forget_after is not None and stream.forget_after <= (stream.interval or 0):
        yield "forget_after is no longer than interval: a series can be forgotten between two of its samples"


def shadowed(stream: Stream, before: Sequence[Stream]) -> Iterator[tuple[str, str]]:
    """The topics of a stream that belong, all they select, to one of the streams before it, each with its name."""
    for topic, narrow in zip(stream.topics, stream.filters, strict=True):
        owner = next((one.name for one in before if any(covers(wide, narrow) for wide in one.filters)), None)
        if owner is not None:
            yield topic, owner


def span(ticks: int, interval: float | None) -> str:
    """So many ticks as a time, or as samples where no interval is known."""
    return f"{ticks:,} samples" if interval is None else duration(ticks * interval)


def duration(seconds: float) -> str:
    """As people say it, rounded: 1.7 days, 3 h 20 min, 45 s."""
    if seconds >= 86_400:
        days = seconds / 86_400
        return "1 day" if days == 1 else f"{days:,.1f} days" if days < 9.95 else f"{days:,.0f} days"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
