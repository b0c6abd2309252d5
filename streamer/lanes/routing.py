"""A topic in, the stream and the series that it belongs to out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from streamer.errors import Rejected
from streamer.ingest.grid import Series
from streamer.ingest.intake import Intake
from streamer.records import UNREADABLE
from streamer.stream.state import StreamState


class Taking(Protocol):
    """Whoever takes topics."""

    @property
    def intake(self) -> Intake:
        """What it takes."""
        ...


T = TypeVar("T", bound=Taking)


@dataclass(frozen=True, slots=True)
class Route:
    """Where the messages of a topic go; `series` where each is one sample of it, None where they are multiseries."""

    stream: StreamState
    series: Series | None


class Routing:
    """All streams, in the order of the configuration, and the routes of the topics that gave a sample.

    claimed: hashes of the topics that series publish on. informed: the streams with covariates.
    """

    def __init__(self, streams: Sequence[StreamState]) -> None:
        self.take_over(streams)

    def take_over(self, streams: Sequence[StreamState]) -> None:
        """From now on these streams, with the series they hold."""
        self.streams = streams
        self.informed = [stream for stream in streams if stream.intake.covariates]
        held = [(stream, one) for stream in streams if not stream.intake.multiseries for one in stream.series]
        self.routes = {one.topic: Route(stream, one) for stream, one in held if select(one.topic, streams) is stream}
        self.claimed = {
            hash(topic) for stream in streams for one in stream.series for topic in stream.outlet.targets(one)
        }

    def select(self, topic: str) -> StreamState | None:
        """The stream that the topic belongs to."""
        return select(topic, self.streams)

    def check(self, topic: str) -> None:
        """Raises Rejected (own_forecast) for a topic that one of the streams publishes on."""
        if any(stream.outlet.owns(topic) for stream in self.streams):
            raise Rejected("own_forecast", "a forecast is not forecast again")

    def check_free(self, targets: Sequence[str]) -> None:
        """Raises Rejected (name) where another series publishes on one of these topics."""
        for topic in targets:
            if hash(topic) in self.claimed:
                raise Rejected("name", f"another series publishes on {topic}; publish.topic must tell them apart")

    def claim(self, targets: Sequence[str]) -> None:
        """A new series publishes on these topics."""
        self.claimed.update(map(hash, targets))

    def learn(self, topic: str, stream: StreamState, series: Series | None) -> None:
        """This topic has given a sample."""
        self.routes[topic] = Route(stream, series)


def select(topic: str, streams: Sequence[T]) -> T | None:
    """The first stream whose filters select the topic; none for one that is unreadable."""
    return next((stream for stream in streams if topic != UNREADABLE and stream.intake.takes(topic)), None)


def holds(stream: T, topic: str, part: str, streams: Sequence[T]) -> bool:
    """Whether a series of the journal is a stream's, as far as these streams leave its topics to it."""
    return stream.intake.asks_for(part) and select(stream.intake.address(topic), streams) is stream
