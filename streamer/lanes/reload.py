"""A changed configuration in, the running daemon changed: streams added, removed and replaced between two batches."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from streamer.config import Config
from streamer.config.loader import load
from streamer.errors import ConfigError, StreamerError
from streamer.ingest.topics import widest
from streamer.lanes.fast import FastLane
from streamer.lanes.slow import SlowLane
from streamer.mqtt.link import Link
from streamer.resume.fold import resumed
from streamer.resume.snapshot import capture
from streamer.store.snapshots import write
from streamer.stream.state import StreamState

FIXED = ("mqtt", "state", "metrics")
"""What only a restart changes."""


def filters_of(config: Config) -> list[str]:
    """The topic filters to subscribe to."""
    return widest(topic for stream in config.streams for topic in stream.filters)


class Reloader:
    """Changes both lanes and the subscriptions of a running daemon from one configuration to the next.

    `results` counts reloads that were done and those that were refused.
    """

    def __init__(self, config: Config, fast: FastLane, slow: SlowLane, link: Link) -> None:
        self.config, self.fast, self.slow, self.link = config, fast, slow, link
        self.results: Counter[str] = Counter()

    async def reload_file(self, file: Path) -> str:
        """Read the file again; what has changed, in words. Raises StreamerError: then nothing has changed."""
        try:
            changes = await self.reload(load(file))
        except StreamerError:
            self.results["refused"] += 1
            raise
        self.results["done"] += 1
        return changes

    async def reload(self, new: Config) -> str:
        """Take over streams and training of `new`; what has changed, in words.

        A stream that is as it was keeps its state; one that has changed goes on from its own states as far as they fit.
        Messages wait meanwhile. Raises ConfigError, StateError: then nothing has changed.
        """
        fixed = [name for name in FIXED if getattr(self.config, name) != getattr(new, name)]
        if fixed:
            raise ConfigError(
                f"{', '.join(fixed)}: changed, which takes a restart; streams and training can be reloaded"
            )
        fast, before = self.fast, {stream.name: stream for stream in self.fast.streams}
        async with fast.lock:
            after = [
                before[one.name]
                if one.name in before and before[one.name].config == one
                else StreamState(one, new.metrics, new.mqtt.availability)
                for one in new.streams
            ]
            gone = [stream for stream in before.values() if stream not in after]
            for stream in gone:
                write(new.state.path, stream.name, capture(stream))
            for stream in after:
                if stream not in fast.streams:
                    await resumed(stream, fast.known(stream, after), fast.journal)
                    if stream.name in before:
                        stream.go_on_counting(before[stream.name].counts)
            fast.journal.add_filters(new.mqtt.client_id, filters_of(new))
            for stream in gone:
                stream.retire()
            fast.take_over(after)
            for stream in fast.take_due():
                self.slow.request(stream)
        self.config = new
        self.slow.configure(new)
        self.link.refilter(filters_of(new))
        kept = {stream.name for stream in after}
        added = [name for name in kept if name not in before]
        return (
            f"added={names(sorted(added))} removed={names(name for name in before if name not in kept)} "
            f"changed={names(stream.name for stream in gone if stream.name in kept)}"
        )


def names(some: Iterable[str]) -> str:
    """For a log line."""
    return ",".join(some) or "none"
