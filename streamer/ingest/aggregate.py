"""Readings of one tick in, what they make so far out: one function for each name, chosen once per stream."""

from collections.abc import Callable

from streamer.config.quantity import AggregateName
from streamer.ingest.ongoing import Ongoing, Values

Fold = Callable[[Ongoing, Values, float], Values]
"""What the readings make with one more, which is of this time."""


def fold_of(name: AggregateName) -> Fold:
    """The function that takes one more reading in."""
    return {"first": first, "last": last, "mean": total, "sum": total, "min": least, "max": most, "count": any_value}[
        name
    ]


def first(state: Ongoing, values: Values, time: float) -> Values:
    """The one of the earliest time."""
    return values if time < state.oldest else state.values


def last(state: Ongoing, values: Values, time: float) -> Values:
    """The one of the latest time."""
    return values if time >= state.newest else state.values


def total(state: Ongoing, values: Values, time: float) -> Values:
    """Their sum."""
    if len(values) == 1:
        return (state.values[0] + values[0],)
    return tuple([held + one for held, one in zip(state.values, values, strict=True)])


def least(state: Ongoing, values: Values, time: float) -> Values:
    """The least of each element."""
    return tuple([min(held, one) for held, one in zip(state.values, values, strict=True)])


def most(state: Ongoing, values: Values, time: float) -> Values:
    """The greatest of each element."""
    return tuple([max(held, one) for held, one in zip(state.values, values, strict=True)])


def any_value(state: Ongoing, values: Values, time: float) -> Values:
    """Whatever they are: they are counted."""
    return state.values


def outcome(name: AggregateName, state: Ongoing) -> Values:
    """What all readings of a tick make."""
    if name == "mean":
        return tuple([one / state.count for one in state.values])
    return (float(state.count),) * len(state.values) if name == "count" else state.values
