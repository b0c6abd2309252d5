"""All that the daemon holds of one stream, and the order in which a sample goes through it."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from streamer.config import Metrics, Stream
from streamer.errors import Rejected
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.panel import Panel
from streamer.ingest.gather import Gather
from streamer.ingest.grid import Grid, Series, SeriesIndex
from streamer.ingest.intake import Intake
from streamer.ingest.outlook import Told, outlook_of
from streamer.ingest.ticks import TickBatcher
from streamer.ingest.times import Doubled
from streamer.models import Kind
from streamer.part import Part
from streamer.publish.outlet import Outlet
from streamer.records import ForecastBatch, Ints, Outgoing, TickBatch
from streamer.store.journal import Source
from streamer.stream.counts import Counts
from streamer.stream.observer import Observer
from streamer.stream.promotions import Promotions
from streamer.stream.schedule import Cause, Schedule

log = logging.getLogger("streamer.ingest")


class StreamState:
    """A stream, made of:

    intake      what its messages mean: payload to values and time, and how several readings become a sample
    index       its series, and where each of them stands on the `grid`
    ticks       accepted samples on their way into tick batches
    panel       forecasters, their scores and the choice between them; a swap replaces it by one assignment
    schedule    when the next training is due, and whose errors have drifted
    promotions  what a swap under way needs, and the version of the newest outcome
    outlet      topics, encoding, thresholds, surprises, discovery
    counts      what it has done since the daemon started

    Arrays with a row per series are in panel, schedule and outlet; `parts()` yields all of them.

    A sample is first accepted (`accept`), then committed to the journal by the fast lane, then taken in by the panel
    (`advance`). Between `accept` and `advance` a series is one sample ahead of its forecasters' states: no snapshot may
    be taken, and no network swapped. `retired`: a reload has put another stream in its place.
    """

    def __init__(
        self, config: Stream, metrics: Metrics, availability: str | None = None, observer: Observer | None = None
    ) -> None:
        self.config, self.observer = config, observer
        self.grid = Grid(config.interval, config.max_gap, config.fill is not None)
        self.intake = Intake(config)
        self.index = SeriesIndex(self.intake.multiseries is not None or self.gather is not None)
        self.ticks = TickBatcher(config.sizes.d, self.grid, outlook_of(config))
        self.panel = Panel.begin(config, metrics)
        self.schedule = Schedule(config)
        self.promotions = Promotions()
        self.outlet = Outlet(config, self.intake.labelled, availability)
        self.counts = Counts()
        self.retired = False

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def series(self) -> list[Series]:
        """All series, by row."""
        return self.index.rows

    @property
    def gather(self) -> Gather | None:
        """What readings become samples by, None where each is one."""
        return self.intake.gather

    @property
    def source(self) -> Source:
        """How the journal identifies the stream's series."""
        return Source.of(self.config)

    @property
    def room(self) -> int:
        """Rows that the parts have room for."""
        return self.panel.room

    def parts(self) -> Iterator[Part]:
        """All that is kept per series: what is grown, saved and resumed."""
        yield from self.panel.parts()
        yield self.schedule.drift
        yield from self.outlet.parts()
        if self.ticks.outlook:
            yield self.ticks.outlook

    def targets(self, topic: str, part: str = "") -> list[str]:
        """The topics of a new series' messages. Raises Rejected (name) where brokers would not take them."""
        found = self.outlet.targets(Series(-1, -1, topic, part, self.intake.labels(topic)))
        self.outlet.check(found)
        return found

    def add(self, ident: int, topic: str, part: str = "") -> Series:
        """A new series, at the next row."""
        series = Series(len(self.series), ident, topic, part, self.intake.labels(topic))
        if series.row >= self.room:
            room = max(64, self.room * 9 // 8)
            for one in self.parts():
                one.grow(room)
        self.panel.begin_rows(np.array([series.row]))
        self.index.add(series)  # last: the metrics' threads look up the arrays of every series they see
        return series

    def accept(
        self, series: Series, values: tuple[float, ...], time: float | None, arrived: float, back: bool = False
    ) -> None:
        """The series now stands at the sample's tick, and the sample waits for `advance`; back: even at an earlier one.

        Raises Rejected: late, duplicate.
        """
        dated = self.grid.date(series, arrived) if time is None else time
        if self.grid.fill and series.tick >= 0:
            self.fill_up(series, self.grid.tick(series, dated) - 1)
        try:
            advance = series.place(dated, self.grid)
        except Rejected as rejected:
            advance = self.set_back(series, dated) if back else self.place_late(series, dated, arrived, rejected)
        else:
            self.index.clocks.agree(series.row)
            if 1 < advance <= self.grid.longest and self.ticks.crowded(series.row, advance - 1):
                advance = series.begin_anew(advance, self.grid)
                self.counts.leave_gap()
        self.counts.accept(self.ticks.add(series, values, advance, arrived))
        self.schedule.grow(series.growth)
        if self.grid.fill:
            self.ticks.quiet.expect(series)
            for quiet, ticks in self.ticks.quiet.overdue(series.time):
                self.fill(quiet, ticks)

    def place_late(self, series: Series, time: float, arrived: float, rejected: Rejected) -> int:
        """Ticks to a sample that came too late to be placed: one of the second of two hours of the same name, or one
        whose clock was set back. Raises Rejected.
        """
        if isinstance(time, Doubled) and time.later <= arrived + self.intake.max_ahead:
            return series.place(time.later, self.grid)
        if rejected.reason != "late" or not self.index.clocks.disagree(series.row, time, arrived):
            raise rejected
        return self.set_back(series, time)

    def set_back(self, series: Series, time: float) -> int:
        """The series begins anew at an earlier time: ticks from where it stood to its sample there.

        Its tick is later by more than can be bridged, so that a replay, which knows ticks and times, does the same.
        """
        log.warning("set back stream=%s series=%r seconds=%.0f", self.name, series.name, series.time - time)
        self.index.clocks.set_back()
        tick = series.sampled + self.grid.max_gap + 2
        if self.grid.fill:
            self.fill_up(series, tick - 1)
        advance = series.replay(tick, time, self.grid)
        self.ticks.quiet.restart([one for one in self.series if one.tick >= 0])
        return advance

    def replay_sample(self, series: Series, tick: int, time: float, values: tuple[float, ...]) -> None:
        """A sample that was accepted before, at its tick of then: it waits as if it had just come."""
        if self.grid.fill and series.tick >= 0:
            self.fill_up(series, tick - 1)
        self.ticks.add(series, values, series.replay(tick, time, self.grid), time)
        self.schedule.grow(series.growth)

    def tell(self, series: Series, told: Told) -> None:
        """What a message says of a covariate, for the ticks of a series after that one which it stood at."""
        if self.grid.fill and series.tick >= 0:
            self.fill_up(series, told.tick)
        self.ticks.tell(series.row, told)

    def fill_up(self, series: Series, tick: int) -> None:
        """The last value at every tick up to this one, as far as they may be filled."""
        ticks = min(tick - series.tick, self.grid.max_gap - series.filled)
        if ticks > 0:
            self.fill(series, ticks)

    def fill(self, series: Series, ticks: int) -> None:
        """The last value at so many ticks more."""
        self.ticks.fill(series, ticks)
        self.counts.fill(ticks)
        self.schedule.grow(series.growth)

    def advance(self) -> Iterator[ForecastBatch | None]:
        """Run the waiting samples through scores and forecasters, a tick batch at a time: the forecasts it gives, if
        any. Nothing may be accepted before the last one.
        """
        return map(self.tick, self.ticks.take())

    def tick(self, batch: TickBatch) -> ForecastBatch | None:
        """One tick batch: its truths are scored, the states stepped, and forecasts made where they are due."""
        if self.grid.fill:
            batch = self.panel.fill(batch)
        self.panel.step(batch)
        self.schedule.watch(batch, self.panel.one_ahead)
        self.promotions.record(batch)
        if self.outlet.surprising:
            self.outlet.surprising.take_in(batch.rows, self.panel.surprise(batch.rows))
        if self.observer:
            self.observer.scored(self, batch)
        due = ~np.isnan(batch.x[:, 0]) & (batch.tick > 0) & (batch.tick % self.config.publish.every == 0)
        if not due.any():
            return None
        batch = batch[due]
        if self.ticks.outlook and batch.u is not None:
            self.ticks.outlook.count(batch.u)
        forecasts = self.outlet.meet(self.panel.forecast(batch))
        if self.observer:
            self.observer.forecast(self, forecasts)
        return forecasts

    def encode(self, batch: ForecastBatch, now: float) -> list[Outgoing]:
        """The messages of a batch; `now` is the wall clock that latencies are counted to.

        Of filled ticks only the newest of a series has a forecast published: those before it are past.
        """
        series, ticks = [self.series[row] for row in batch.ticks.rows.tolist()], batch.ticks
        sampled = ~np.isnan(ticks.arrived)
        told = sampled | (ticks.tick == [one.tick for one in series])
        out = self.outlet.encode(batch, series, self.panel.speakers(), told)
        if batch.surprises is not None:
            self.counts.surprise(int(batch.surprises.begins.sum()))
        self.counts.forecast(self.panel.models, batch.chosen[told], np.maximum(now - ticks.arrived[sampled], 0))
        return out

    def encode_again(self, batch: ForecastBatch, now: float) -> list[Outgoing]:
        """The messages of forecasts that were made anew from the journal, which does not know when samples arrived."""
        ticks = batch.ticks
        arrived = np.where(np.isnan(ticks.arrived), np.nan, now)
        return self.encode(replace(batch, ticks=replace(ticks, arrived=arrived)), now)

    def repeat(self, rows: Ints, now: float) -> ForecastBatch | None:
        """The newest forecasts of these rows as they were made, None if none was due at their newest tick."""
        batch = self.standing(rows)
        due = (batch.tick > 0) & (batch.tick % self.config.publish.every == 0)
        if not due.any():
            return None
        batch = replace(batch, arrived=np.full(len(rows), now, np.float64))
        return self.outlet.repeat(self.panel.repeat(batch[due]))

    def standing(self, rows: Ints) -> TickBatch:
        """The ticks that these rows stand at."""
        series = [self.series[row] for row in rows.tolist()]
        tick, time = np.array([one.tick for one in series], np.int64), np.array([self.grid.time(one) for one in series])
        no = np.zeros(len(rows), np.bool_)
        return self.ticks.with_outlook(TickBatch(rows, self.panel.newest[rows], tick, time, no, time))

    def training_due(self) -> Cause | None:
        """Why networks are to be trained now, None where they are not."""
        return self.schedule.due(bool(self.panel.networks), len(self.series)) if self.panel.wants_networks else None

    def begin_training(self, cause: Cause) -> None:
        """A training is asked for, on what the series hold now."""
        self.counts.trainings.due(cause)
        self.schedule.begin(cause)
        for series in self.series:
            series.ask()

    def fail_training(self) -> None:
        """The training that was asked for came to nothing."""
        self.schedule.failed()
        self.settle_training()

    def settle_training(self) -> None:
        """The training that was asked for has ended."""
        for series in self.series:
            series.train_to(series.asked)

    def start_over(self) -> None:
        """No training has counted so far: the first one is due as soon as there are enough samples."""
        self.schedule.start_over()
        for series in self.series:
            series.train_to(0)
        self.recount_growth()

    def recount_growth(self) -> None:
        """Count growth from what the series were last trained on, as `Series.train_to` has it."""
        self.schedule.recount(max((series.growth for series in self.series), default=0))

    def conclude(self, networks: Mapping[Kind, NetworkForecaster], version: int) -> None:
        """A training's outcome counts from now on: its networks, perhaps none, go live by one assignment."""
        self.panel = self.panel.with_networks(networks)
        self.promotions.concluded(version)
        self.schedule.done()
        self.settle_training()

    def retire(self) -> None:
        """Another stream takes this one's place."""
        self.retired = True

    def go_on_counting(self, counts: Counts) -> None:
        """Count on from the counters of the stream whose place this one takes."""
        self.counts = counts
