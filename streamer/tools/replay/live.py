"""Replay and record with a live broker: samples of a source out, or messages into a file."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Sequence

from streamer.config import Mqtt
from streamer.mqtt.publisher import Publisher
from streamer.mqtt.subscriber import Subscriber
from streamer.tools.replay.play import Form, Pace, Summary, play
from streamer.tools.replay.record import Limit, Recorded, Writer, record
from streamer.tools.replay.sample import Sample

log = logging.getLogger("streamer")


async def replay_to(
    mqtt: Mqtt, samples: Iterable[Sample], pace: Pace, form: Form, progress: Callable[[Summary], None]
) -> Summary:
    """Publish every sample; returns when the broker has them all.

    Raises StartError where the broker cannot be had, SourceError where the source is malformed.
    """
    async with Publisher(mqtt) as publisher:
        summary = await play(samples, publisher.publish, pace, form, progress)
        await publisher.flush()
    return summary


async def record_from(
    mqtt: Mqtt, topics: Sequence[str], writer: Writer, limit: Limit, progress: Callable[[Recorded], None]
) -> Recorded:
    """Write the messages of these topics to a file until SIGINT, SIGTERM or the limit.

    The file is opened once the broker has been reached: a wrong address leaves no empty file.
    Raises StartError where the broker cannot be had, RecordingError where the file cannot be written.
    """
    async with Subscriber(mqtt, topics) as subscriber:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, subscriber.stop)
        with writer:
            summary = await record(subscriber, writer, limit, progress)
        if subscriber.dropped:
            log.warning("%d messages came faster than they could be written and are missing", subscriber.dropped)
    return summary
