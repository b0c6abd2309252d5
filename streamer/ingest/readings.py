"""What a multiseries message holds: readings of its series, each a value or the reason why it is no sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from streamer.errors import Rejected
from streamer.records import Outgoing


class Reading(NamedTuple):
    """One value, or the reason why it is no sample: `part` names the series, `time` is in seconds since 1970."""

    part: str
    value: float | Rejected
    time: float | None


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a message: readings of series of the source `topic`, in order.

    faults: of the message besides its readings, each counted once; command: a message to publish in response.
    """

    topic: str
    readings: list[Reading]
    faults: Sequence[Rejected] = ()
    command: Outgoing | None = None


def attempt(read: Callable[..., float], *given: Any) -> float | Rejected:
    """The value that `read` returns, or the rejection that it raises."""
    try:
        return read(*given)
    except Rejected as why:
        return why
