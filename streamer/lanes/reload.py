"""A changed configuration in, the running daemon changed: streams added, removed and replaced between two batches."""

from streamer.config import Config
from streamer.errors import ConfigError
from streamer.ingest.topics import widest
from streamer.lanes.fast import FastLane
from streamer.lanes.slow import SlowLane
from streamer.mqtt.link import Link
from streamer.resume.resume import capture, resumed
from streamer.store.snapshots import write
from streamer.stream.state import StreamState

FIXED = ("mqtt", "state", "metrics")
"""What only a restart changes."""


def filters_of(config: Config) -> list[str]:
    """The topic filters to subscribe to."""
    return widest(topic for stream in config.streams for topic in stream.filters)


async def reload(old: Config, new: Config, fast: FastLane, slow: SlowLane, link: Link) -> str:
    """Take over streams and training of `new`; what has changed, in words.

    A stream that is as it was keeps its lane; one that has changed goes on from its own states as far as they fit.
    Messages wait meanwhile. Raises ConfigError, StateError: then nothing has changed.
    """
    fixed = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    if fixed:
        raise ConfigError(f"{', '.join(fixed)}: changed, which takes a restart; streams and training can be reloaded")
    running = {lane.stream.name: lane for lane in fast.lanes}
    async with fast.lock:
        lanes = []
        for stream in new.streams:
            lane = running.get(stream.name)
            lanes.append(
                lane if lane and lane.stream == stream else StreamState(stream, new.metrics, new.mqtt.availability)
            )
        gone = [lane for lane in fast.lanes if lane not in lanes]
        for lane in gone:
            write(new.state.path, lane.stream.name, capture(lane))
        for lane in lanes:
            if lane not in fast.lanes:
                await resumed(lane, fast.known(lane, lanes), fast.journal)
                if lane.stream.name in running:
                    lane.counts = running[lane.stream.name].counts
        fast.journal.add_filters(new.mqtt.client_id, filters_of(new))
        for lane in gone:
            lane.retired = True
        fast.take_over(lanes)
    slow.config = new
    link.refilter(filters_of(new))
    added = [lane.stream.name for lane in lanes if lane.stream.name not in running]
    kept = {lane.stream.name for lane in lanes}
    return (
        f"added={names(added)} removed={names([name for name in running if name not in kept])} "
        f"changed={names([lane.stream.name for lane in gone if lane.stream.name in kept])}"
    )


def names(some: list[str]) -> str:
    """For a log line."""
    return ",".join(some) or "none"
