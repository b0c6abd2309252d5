"""A changed configuration in, the running daemon changed: streams added, removed and replaced between two batches."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from streamer.config import Config, Stream
from streamer.config.loader import load
from streamer.errors import ConfigError, StreamerError
from streamer.ingest.grid import Series
from streamer.ingest.topics import widest
from streamer.lanes import unused
from streamer.lanes.fast import FastLane
from streamer.lanes.slow import SlowLane
from streamer.mqtt.link import Link
from streamer.records import Outgoing
from streamer.resume.fold import resumed
from streamer.resume.snapshot import capture
from streamer.store.forget import forget
from streamer.store.snapshots import write
from streamer.stream.state import StreamState

log = logging.getLogger("streamer")

FIXED = ("mqtt", "state", "metrics")
"""What only a restart changes."""


def filters_of(config: Config) -> list[str]:
    """The topic filters to subscribe to."""
    return widest(topic for stream in config.streams for topic in stream.subscriptions)


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
        before = {stream.name: stream for stream in self.fast.streams}
        async with self.fast.lock:
            after = [
                before[one.name] if one.name in before and before[one.name].config == one else self.begin(one)
                for one in new.streams
            ]
            gone = [stream for stream in before.values() if stream not in after]
            unused.warn(self.fast.journal, new.streams)
            self.save(gone)
            self.fast.journal.add_filters(new.mqtt.client_id, filters_of(new))
            await self.replace(after)
        self.config = new
        self.slow.configure(new)
        self.link.refilter(filters_of(new))
        kept = {stream.name for stream in after}
        added = [name for name in kept if name not in before]
        return (
            f"added={names(sorted(added))} removed={names(name for name in before if name not in kept)} "
            f"changed={names(stream.name for stream in gone if stream.name in kept)}"
        )

    async def forget(self, some: Collection[Series], publish: Callable[[Sequence[Outgoing]], None]) -> None:
        """Go on without these series: their streams are resumed from a journal that holds them no longer.

        `publish` takes back what the broker keeps of them. Messages wait meanwhile. Raises StateError; nothing has
        changed after a StateBlocked.
        """
        idents = {one.ident for one in some}
        async with self.fast.lock:
            lost = {s: gone for s in self.fast.streams if (gone := [one for one in s.series if one.ident in idents])}
            self.save(lost)
            forget(self.fast.journal, idents)
            for stream, gone in lost.items():
                stream.counts.forget(len(gone))
                publish(stream.outlet.clear(gone))
            await self.replace([self.begin(s.config) if s in lost else s for s in self.fast.streams])

    def begin(self, config: Stream) -> StreamState:
        """A stream that has nothing yet."""
        return StreamState(config, self.config.metrics, self.config.mqtt.availability)

    def save(self, streams: Iterable[StreamState]) -> None:
        """Write these streams down as they stand, for those that take their places. Raises StateError."""
        for stream in streams:
            write(self.config.state.path, stream.name, capture(stream))

    async def replace(self, after: Sequence[StreamState]) -> None:
        """These streams go on in the places of today's; new ones from snapshots and journal. Raises StateError."""
        fast, before = self.fast, {stream.name: stream for stream in self.fast.streams}
        for stream in after:
            if stream not in fast.streams:
                await resumed(stream, fast.known(stream, after), fast.journal)
                if stream.name in before:
                    stream.go_on_counting(before[stream.name].counts)
        for stream in before.values():
            if stream not in after:
                stream.retire()
        fast.take_over(after)
        for stream in fast.take_due():
            self.slow.request(stream)

    async def run(self, file: Path, asked: asyncio.Event) -> None:
        """Read the configuration file again whenever asked, for ever; what cannot be used changes nothing."""
        while True:
            await asked.wait()
            asked.clear()
            try:
                log.info("reloaded %s", await self.reload_file(file))
            except StreamerError as refused:
                log.error("not reloaded, nothing has changed: %s", " ".join(str(refused).split()))


def names(some: Iterable[str]) -> str:
    """For a log line."""
    return ",".join(some) or "none"
