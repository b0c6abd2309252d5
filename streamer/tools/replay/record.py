"""Batches of received messages in, a recording out; the file is complete however the recording ends."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from streamer.errors import StreamerError
from streamer.records import UNREADABLE, MessageBatch
from streamer.tools.replay.recording import recorded
from streamer.tools.replay.sources import RECORDING

FLUSH_SECONDS = 1.0
"""Interval of flushes to the system: a killed recorder loses no more than the messages of this time."""
COMPRESSION = 6  # gzip level; level 9 takes twice the time and makes files 1 % smaller


class RecordingError(StreamerError):
    """Raised if the recording cannot be written; the message names the file."""

    exit_code = 73


class Source(Protocol):
    """The source of messages: the link to the broker."""

    def batches(self) -> AsyncGenerator[MessageBatch, None]:
        """The waiting messages, batch by batch, until `stop` is called."""

    def ack(self, batch: MessageBatch) -> None:
        """Acknowledge a batch that has been written."""

    def stop(self) -> None:
        """Stop receiving."""


class Writer:
    """A new recording, as a context manager that opens and completes the file; a name that ends in .gz is packed.

    Raises RecordingError if the name does not end as a recording's must, if the file exists and `force` is false, or
    if it cannot be written.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        self._mode = "wb" if force else "xb"

    def __enter__(self) -> Self:
        if not self.path.name.lower().endswith(RECORDING):
            raise RecordingError(f"{self.path}: a recording's name ends in {', '.join(RECORDING)}")
        with self._failing():
            if self.path.suffix.lower() == ".gz":
                self._file = cast(BinaryIO, gzip.open(self.path, self._mode, COMPRESSION))
            else:
                self._file = cast(BinaryIO, self.path.open(self._mode))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._failing():
            self._file.close()

    def write(self, line: bytes) -> None:
        with self._failing():
            self._file.write(line)

    def flush(self) -> None:
        """Hand the lines written so far to the system; of a packed file the last ones may not be readable yet."""
        with self._failing():
            self._file.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise RecordingError(f"{self.path}: is there already; give another name, or --force") from None
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Limit:
    """Number of messages and seconds after which a recording ends; None is no limit."""

    count: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Number of messages written, and the seconds taken."""

    messages: int
    seconds: float


async def record(
    source: Source, out: Writer, limit: Limit | None = None, progress: Callable[[Recorded], None] | None = None
) -> Recorded:
    """Write every message until the source stops or the limit is reached, and acknowledge what is written.

    `progress` is called at the start, once a second, and at the end, whether by success or by an error. Raises
    RecordingError, and whatever the source raises.
    """
    limit = limit or Limit()
    loop = asyncio.get_running_loop()
    run = _Run(loop, out, progress)
    timer = None if limit.seconds is None else loop.call_later(limit.seconds, source.stop)
    try:
        async with aclosing(source.batches()) as batches:
            async for batch in batches:
                left = None if limit.count is None else limit.count - run.messages
                run.write(batch, left)
                source.ack(batch)
                if run.messages == limit.count:
                    break
    finally:
        if timer is not None:
            timer.cancel()
        summary = run.end()
    return summary


class _Run:
    """Progress of a recording: messages written, time of the last flush, timer of the reports."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, out: Writer, progress: Callable[[Recorded], None] | None
    ) -> None:
        self.messages = 0
        self._loop, self._out, self._progress = loop, out, progress
        self._begun = self._flushed = loop.time()
        self._tick()

    def write(self, batch: MessageBatch, most: int | None) -> None:
        """Write the messages of a batch, at most the first `most`."""
        chosen = [message for message in batch.messages if message.topic != UNREADABLE][:most]
        for message in chosen:
            self._out.write(recorded(message.arrived, message.topic, message.payload, message.qos, message.retain))
        self.messages += len(chosen)
        if self._loop.time() - self._flushed > FLUSH_SECONDS:
            self._out.flush()
            self._flushed = self._loop.time()

    def end(self) -> Recorded:
        self._timer.cancel()
        return self._report()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(1.0, self._tick)
        self._report()

    def _report(self) -> Recorded:
        summary = Recorded(self.messages, self._loop.time() - self._begun)
        if self._progress is not None:
            self._progress(summary)
        return summary
