"""Values as they came in, the quantity that is wanted out: scaled, clipped, and within plausible bounds."""

import math
from collections.abc import Callable

from streamer.config import Stream
from streamer.errors import Rejected

Values = tuple[float, ...]
Measure = Callable[[Values], Values]


def measure(stream: Stream) -> Measure:
    """The function that does it. It raises Rejected (out_of_range)."""
    lowest, highest = stream.limits
    scale, offset = stream.scale, stream.offset
    least, most = (-math.inf, math.inf) if stream.clip is None else stream.clip

    def within(values: Values) -> Values:
        for value in values:
            if not lowest <= value <= highest:
                raise Rejected("out_of_range", f"{value:g} is beyond streams[].lowest or highest")
        return values

    def measured(values: Values) -> Values:
        return within(tuple([min(max(value * scale + offset, least), most) for value in values]))

    return within if (scale, offset, stream.clip) == (1.0, 0.0, None) else measured


def unmeasured(values: Values) -> Values:
    """Readings of which something is counted: what is counted is measured later."""
    return values
