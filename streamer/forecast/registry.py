"""The forecasters that a stream begins with. To add one, write its file and add a line here."""

from collections.abc import Callable

from streamer.config import Stream
from streamer.forecast.contract import REFERENCE, Forecaster
from streamer.forecast.holt_winters import holt_winters
from streamer.forecast.persistence import Persistence
from streamer.models import KINDS

FORECASTERS: dict[str, Callable[[Stream], Forecaster | None]] = {
    REFERENCE: Persistence,
    "holt-winters": holt_winters,
}
"""By name, what makes the forecaster of a stream, or None where its configuration asks for none.

Networks are not made here: a stream has none until a training outcome brings some.
"""


def forecasters_of(config: Stream) -> dict[str, Forecaster]:
    """The forecasters that a stream begins with, by name, the reference first."""
    made = {name: make(config) for name, make in FORECASTERS.items()}
    return {name: one for name, one in made.items() if one is not None}


def models_of(forecasters: dict[str, Forecaster]) -> tuple[str, ...]:
    """The names on the axis M: these forecasters, then both kinds of network, live or not yet."""
    return (*forecasters, *KINDS)
