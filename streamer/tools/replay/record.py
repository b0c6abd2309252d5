"""Batches of received messages in, a recording out: a file that is whole whatever ends it."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from streamer.errors import StreamerError
from streamer.records import MessageBatch
from streamer.tools.replay.recording import recorded
from streamer.tools.replay.sources import RECORDING

FLUSH_SECONDS = 1.0
"""What is older than this when a message arrives is with the system: a killed recorder loses no more."""
COMPRESSION = 6  # of gzip: 9 takes twice the time for a hundredth of the size


class RecordingError(StreamerError):
    """The recording cannot be written; the message names the file."""

    exit_code = 73


class Source(Protocol):
    """Where messages come from: the link to the broker."""

    def batches(self) -> AsyncGenerator[MessageBatch, None]:
        """What waits, again and again; ends after `stop`."""

    def ack(self, batch: MessageBatch) -> None:
        """The batch is written."""

    def stop(self) -> None:
        """Receives no more."""


class Writer:
    """`with` opens a new recording, packed where its name ends in .gz; leaving makes it whole.

    Raises RecordingError where the name is none of a recording, where the file is there already and `force` is not
    given, and where it cannot be written.
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
        """Hands what was written to the system, readable but for the end of a packed file."""
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
    """Messages and seconds after which a recording ends; None: neither does."""

    count: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Messages written and the seconds it took."""

    messages: int
    seconds: float


async def record(
    source: Source, out: Writer, limit: Limit | None = None, progress: Callable[[Recorded], None] | None = None
) -> Recorded:
    """Writes every message until the source stops or the limit is reached; acknowledges what is written.

    `progress` is called at the start, once a second, and at the end, however it comes. Raises
    RecordingError, or what the source raises.
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
    """Where a recording stands: messages written, when it was last flushed, and the clock of its progress."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, out: Writer, progress: Callable[[Recorded], None] | None
    ) -> None:
        self.messages = 0
        self._loop, self._out, self._progress = loop, out, progress
        self._begun = self._flushed = loop.time()
        self._tick()

    def write(self, batch: MessageBatch, most: int | None) -> None:
        """At most `most` messages of the batch."""
        chosen = batch.messages[:most]
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
