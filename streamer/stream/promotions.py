"""What a promotion that is under way needs of its stream, and what later snapshots need to know of it."""

from collections import deque
from collections.abc import Iterator, Mapping

from streamer.records import TickBatch


class Promotions:
    """The outcomes of trainings that count in a stream.

    version: that of the newest one. swaps: those that no snapshot to go back to holds yet, each with its version and
    the first tick that each series, by id, was warmed on. While a promotion is under way, `backlog` collects the tick
    batches that its networks must catch up with.
    """

    def __init__(self) -> None:
        self.version = 0
        self.swaps: list[tuple[int, Mapping[int, int]]] = []
        self.backlog: deque[TickBatch] | None = None

    @property
    def under_way(self) -> bool:
        return self.backlog is not None

    @property
    def waiting(self) -> int:
        """Tick batches to catch up with."""
        return len(self.backlog or ())

    def begin(self) -> None:
        self.backlog = deque()

    def end(self) -> None:
        self.backlog = None

    def record(self, batch: TickBatch) -> None:
        """Keep a tick batch that the live networks have taken in, if a promotion is under way."""
        if self.backlog is not None:
            self.backlog.append(batch)

    def take(self, count: int) -> Iterator[TickBatch]:
        """The oldest tick batches to catch up with, so many."""
        for _ in range(count):
            assert self.backlog is not None
            yield self.backlog.popleft()

    def concluded(self, version: int) -> None:
        """The outcome of this version counts from now on."""
        self.version = version

    def swapped(self, version: int, firsts: Mapping[int, int]) -> None:
        """The journal has the swap of this version, whose networks were warmed from these ticks on, by series id."""
        self.swaps.append((version, firsts))

    def saved(self, version: int) -> None:
        """The oldest snapshot to go back to holds the swaps up to this version."""
        self.swaps = [swap for swap in self.swaps if swap[0] > version]

    def needed(self, ident: int, tick: int) -> int:
        """The first tick of a series that must stay in the journal, where a snapshot needs those from `tick` on."""
        if self.under_way:
            return 0  # the promotion is reading
        return min([tick, *(firsts[ident] for _, firsts in self.swaps if ident in firsts)])
