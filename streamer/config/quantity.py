"""From readings to the quantity that is forecast: keys of a stream about ticks with several readings, and counters."""

from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import Section

AggregateName = Literal["first", "last", "mean", "min", "max", "sum", "count"]
Per = Literal["second", "minute", "hour", "day"]
OF_COUNTERS = ("first", "last", "min", "max")
"""What may be made of the readings of a counter in one tick."""


class Difference(Section):
    """The readings are those of a counter or meter: what it has counted from one tick to the next is forecast."""

    wrap: Annotated[float, Field(gt=0)] | None = None
    """Value at which the counter begins again from 0, such as 65536; null: it never does, and a fall is a reset."""
    per: Per | None = None
    """Turns the difference into a rate: per second, minute, hour or day; null: as it is, per tick."""
