"""What is known of covariates in, what follows from it for the series out: linear-covariates.

It is the linear expert of the shortest cycle with further features: how far each covariate deviates from what is usual
in its slot, now and, where it is known ahead, at the predicted tick. Their effects are learned for each lead
(effects.py). Both profiles, of the series and of the covariate, have the same slots and follow alike, so that the
effect of a covariate leaves no trace in what is left of the series.
"""

from typing import Any

import numpy as np

from streamer.config import Stream
from streamer.config.cycles import DAY, Cycle
from streamer.forecast.calendar import slot_of
from streamer.forecast.effects import F32, Deviations, Effects, Seen, deviate_all, deviations_ahead
from streamer.forecast.factor import LONG, packed
from streamer.forecast.seasonal import ALPHA_DAY, ALPHA_LONG, Seasons
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

WHOLE = Cycle("whole", 1)
"""The slots where a stream has no cycle: one."""


class Covariates(Rows):
    """The covariates of all series, as deviations from what is usual, and their effects on the series."""

    name = "covariate-effects"
    met: Ints

    def __init__(self, config: Stream, seasons: Seasons, leads: Ints, features: int) -> None:
        self.seasons, self.leads = seasons, leads
        self.names = [one.name for one in config.covariates]
        self.features = features
        self.which = np.array([i for i, one in enumerate(config.covariates) if one.kind == "known"], np.int64)
        self.cycle = min(seasons.calendar.cycles, key=lambda cycle: cycle.slots, default=WHOLE)
        c, d, h, f32 = len(self.names), config.sizes.d, config.sizes.horizon, np.float32
        f, grid = c + len(self.which), len(leads) if c else 0
        super().__init__(
            usual=Column((c, self.cycle.slots), f32, np.nan),
            square=Column((c,), f32),
            met=Column((c,), np.int64),
            fixed=Column((c,), f32),
            unit=Column((d, c), f32),
            here=Column((h, c), f32),
            ahead=Column((h, grid, len(self.which)), f32),
            begun=Column(dtype=np.bool_),
            w=Column((grid, d, 1, features), f32),
            beta=Column((grid, d, f), f32),
            factor=Column((grid, d, packed(f)), f32),
            g=Column((grid, d, f, features), f32),
            size=Column((grid, d), f32),
        )

    @property
    def state(self) -> Effects:
        arrays = self.arrays()
        of = Deviations(**{name: arrays.pop(name) for name in Deviations._fields})
        return Effects(of, **arrays)

    @property
    def expert(self) -> int:
        """The linear expert that gets the features; -1 without covariates."""
        if not self.names:
            return -1
        return 0 if self.cycle is WHOLE else 1 + self.seasons.calendar.cycles.index(self.cycle)

    def fit(self) -> list[Any]:
        return [self.seasons.fit(), self.names, self.which.tolist(), self.leads.tolist(), self.features]

    def take_in(self, batch: TickBatch) -> Seen:
        """The deviations at these ticks, from which the usual values learn, and at the leads after them."""
        if batch.u is None or not self.names:
            return self.seen_as(none(batch, 0), none(batch, 0, 0))
        slots = self.slots(batch, np.concatenate([[0], self.leads]))
        shares = self.shares(batch, slots[:, 0])
        return self.seen_as(*deviate_all(self.state, batch.rows, batch.u, slots, self.leads, self.which, shares))

    def shares(self, batch: TickBatch, slots: Ints) -> Floats:
        """The share of each usual value that a new one replaces, as of those of the series themselves; 0 where the
        series learns nothing."""
        if self.cycle is WHOLE:
            slow: Floats = 1 / np.minimum(1 + self.met[batch.rows].max(1), LONG)
            return slow
        alpha = ALPHA_LONG if self.cycle.period > DAY else ALPHA_DAY
        learns = ~np.isnan(self.seasons.guard.settled(batch).x[:, 0]) & ~np.isnan(batch.time)
        return np.where(learns, np.maximum(alpha, 1 / (1 + self.seasons.seen[batch.rows, slots])), 0.0)

    def coming(self, batch: TickBatch) -> Seen:
        """The deviations at all leads after these ticks, which were taken in."""
        if batch.u is None or not self.names:
            return self.seen_as(none(batch, 0), none(batch, 0, 0))
        if self.cycle is WHOLE:
            slots = np.zeros((len(batch.rows), batch.u.shape[2] - 1), np.int64)
        else:
            cycles, at = self.seasons.calendar.cycles, self.expert - 1
            slots = self.seasons.coming(batch)[at] - sum(cycle.slots for cycle in cycles[:at])
        return self.seen_as(none(batch, 0), deviations_ahead(self.state, batch.rows, batch.u, slots, self.which))

    def slots(self, batch: TickBatch, ahead: Ints) -> Ints:
        """The slots of the ticks so many after these, [b, ..]; a missing tick is one interval after the newest."""
        interval, ticks = self.seasons.interval or 0.0, batch.tick[:, None] + ahead
        time = np.where(np.isnan(batch.time), self.seasons.time[batch.rows] + interval, batch.time)
        dates = time[:, None] + ahead * interval
        return slot_of(self.cycle, ticks, self.seasons.calendar.local(dates) if self.cycle.period else dates)

    def seen_as(self, present: F32, coming: F32) -> Seen:
        """With room for features."""
        room = np.empty((3, len(self.names) + len(self.which)), np.float32)
        return Seen(present, coming, self.which, self.expert, room[0], room[1], room[2])


def none(batch: TickBatch, *shape: int) -> F32:
    """Nothing about each row of a batch."""
    return np.zeros((len(batch.rows), *shape), np.float32)
