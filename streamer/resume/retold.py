"""What the journal has of covariates in; out, told again, to each series at the tick that it was told at."""

from collections import defaultdict, deque
from collections.abc import Mapping

from streamer.ingest.grid import Series
from streamer.ingest.outlook import Told
from streamer.store.covariates import read
from streamer.store.journal import Journal
from streamer.store.samples import NEWEST
from streamer.stream.state import StreamState


class Retold:
    """What series are still to be told again.

    waiting: by series id, in the order in which it came: what the stream's outlook has not taken in.
    """

    def __init__(self) -> None:
        self.waiting: dict[int, deque[Told]] = defaultdict(deque)

    @classmethod
    def of(cls, stream: StreamState, journal: Journal, after: Mapping[int, int]) -> "Retold":
        """What was told after the snapshot that the stream goes on from, as far as it says something of ticks after
        these, by series id, or by default those that they stand at; the stream knows again what to tell new series."""
        made, covariates, outlook = cls(), stream.intake.covariates, stream.ticks.outlook
        if covariates is None or outlook is None:
            return made
        held = outlook.until
        since = {one.ident: after.get(one.ident, one.tick) - outlook.ahead for one in stream.series}
        for row in read(journal, stream.name):
            saying = covariates.repeat(row.name, row.topic, row.points, whole=row.whole)
            outlook.noted(row.ident)
            if saying is None or row.ident <= held:
                continue
            for ident, tick, anchor in row.places.tolist():
                if tick >= since.get(ident, NEWEST):
                    made.waiting[ident].append(Told(saying.column, tick, anchor, row.points))
        return made

    def tell(self, stream: StreamState, series: Series, before: int) -> None:
        """All that a series was told at ticks before this one."""
        if not self.waiting:
            return
        waiting = self.waiting[series.ident]
        while waiting and waiting[0].tick < before:
            stream.tell(series, waiting.popleft())
