"""Published forecasts and what came in, bounds of the forecasts to come out, per series, lead, element and quantile.

A bound is tracked: bound = forecast + θ·s·day·σ. s is the running size of the errors at its lead, `day` how much
larger they are at that time of the day, and σ how much larger under the conditions of the forecast (conditions.py). θ
follows from what the bound *as issued* was worth: θ += rate·(q - [y < bound]). So a share q of the truths lies below
it, whatever errors are distributed like, as far as θ, which moves slowly, has settled.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.forecast.calendar import Calendar
from streamer.forecast.codes import SHORT_NONE
from streamer.forecast.conditions import KNOWN, Conditions
from streamer.forecast.guard import Calm
from streamer.forecast.leads import LeadGrid
from streamer.forecast.tracks import F32, LEAN, TIE, Places, Rule, Tracks, issue_all, learn_all
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

RATE, SLOWER = 0.006, 0.125
"""Standard deviations of [y < bound], by which θ moves at one truth: 0.02 for the quantiles 0.1 and 0.9 at lead 1; and
the power of the lead that this falls with."""
SLOTS = 24
"""Slots of a day, or of the shortest cycle, that errors have sizes of their own in."""
SHARE, SHARE_OF_VISIT = 0.03, 0.12
"""Most that the errors of one tick count for in their slot, and all those of one visit to it."""

MOST_SURPRISE = 1000.0
"""Half widths of a band beyond which it does not matter how far outside a value lay."""


def rule_of(config: Stream, grid: LeadGrid, single: int) -> Rule:
    """The rule of a stream, whose `single` is 0 where the mixture is published."""
    q = np.array(config.publish.quantiles, np.float64)
    mean = np.sqrt(2 / np.pi)  # size of a standard normal error
    normal = np.array([NormalDist().inv_cdf(one) / mean for one in config.publish.quantiles])
    begins = np.cumsum(grid.leads) - grid.leads
    spans = grid.leads, begins, grid.left, grid.right, grid.share
    deviation = np.sqrt(q * (1 - q))
    rates = RATE / deviation[:, None] / grid.leads**SLOWER
    return Rule(q, rates, LEAN / deviation, normal, *spans, *config.limits, single)


class Bands(Rows):
    """Bounds of what is published, at each of Q quantiles.

    ring: [N, Σ leads, Q, d], codes of pending bounds less their forecasts, in slots as those of scores. offset:
    [N, Q, L, d], how far above the newest value the bounds lay that had been issued for it, NaN for none. theta:
    [N, Q, L, 3, d], less that of normal errors, and what it gains with the newest change and the place of the value.
    sizes: [N, 2, L, d], running means of |error| and of day·σ, whose ratio is s; seen: [N, L, d] truths, up to 255.
    day: [N, S, d], after so many truths (met: [N, d]). pace: [N, d]. known: [N, h, 3, d], codes of the conditions at
    the newest ticks, in slot tick mod h. weights: [N, 2, d] of σ. usual: [N, L + 1, d], means of the spread at each
    lead, and of √pace less 1. change: [N, d], mean change between two samples, of so many changes; value: [N, d], the
    newest; level, deviation: [N, d], the mean of the newest ones and of how far they are from it. alone: [N, h]
    whether the configured model was published, in slot tick mod h, where one is configured.
    """

    name = "bands"
    offset: F32
    value: Floats
    level: Floats
    change: F32

    def __init__(self, config: Stream, grid: LeadGrid, single: int | None) -> None:
        """single: the index of the configured model, None where the mixture is published."""
        self.grid, self.d, self.single = grid, config.sizes.d, single
        self.rule, self.calendar = rule_of(config, grid, single or 0), Calendar(config)
        self.cycle = next(iter(self.calendar.cycles), None)
        self.slots = min(SLOTS, self.cycle.slots) if self.cycle else 0
        names = tuple(str(one) for one in config.publish.quantiles)
        by_bound, by_lead, by_slot = (
            (len(names), len(grid.leads), self.d),
            (len(grid.leads), self.d),
            (self.slots, self.d),
        )
        super().__init__(
            ring=Column((int(grid.leads.sum()), len(names), self.d), np.int16, float(SHORT_NONE), axis=2, names=names),
            offset=Column(by_bound, np.float32, np.nan, axis=1, names=names),
            theta=Column((*by_bound[:2], KNOWN, self.d), np.float32, axis=1, names=names),
            sizes=Column((2, *by_lead), np.float32),
            seen=Column(by_lead, np.uint8),
            day=Column(by_slot, np.float32, 1.0),
            met=Column((self.d,), np.float32),
            pace=Column((self.d,), np.float32, 1.0),
            known=Column((int(grid.leads[-1]), KNOWN, self.d), np.int8),
            weights=Column((2, self.d), np.float32),
            usual=Column((len(grid.leads) + 1, self.d), np.float32),
            change=Column((self.d,), np.float32),
            changes=Column((self.d,), np.int16),
            value=Column((self.d,), start=np.nan),
            level=Column((self.d,)),
            deviation=Column((self.d,), np.float32),
            alone=Column((0 if single is None else int(grid.leads[-1]),), np.bool_),
        )

    def fit(self) -> list[Any]:
        calendar = self.calendar.fit() if self.cycle else None
        return [self.grid.leads.tolist(), self.d, calendar, self.single is not None, "conditions"]

    @property
    def state(self) -> Tracks:
        arrays = self.arrays()
        now = Conditions(**{name: arrays[name] for name in Conditions._fields})
        return Tracks(**{name: array for name, array in arrays.items() if name in Tracks._fields}, now=now)

    def coarse(self, slots: Ints) -> Ints:
        """The slots of `day` that slots of the shortest cycle belong to."""
        return slots * self.slots // self.cycle.slots if self.cycle else slots

    def shares(self, intervals: Floats) -> Floats:
        """What one tick counts for in its slot [b], where ticks are so many seconds apart [b]."""
        if self.cycle is None:
            return intervals
        visits = intervals * (self.slots / self.cycle.period) if self.cycle.period else self.slots / self.cycle.slots
        return np.minimum(SHARE, SHARE_OF_VISIT * np.broadcast_to(visits, intervals.shape))

    def truth(
        self, batch: TickBatch, calm: Calm, intervals: Floats, doubted: NDArray[np.bool_], matured: Floats
    ) -> None:
        """Learn from these ticks: matured [b, M, L, d] is what had been predicted for them.

        Where the calm value differs, the guard does not believe this one; `doubted` [N, h, d] says the same of the
        newest h. A jump is no change between two samples.
        """
        self.value[batch.rows] += calm.moved
        self.level[batch.rows] += calm.moved
        slots = np.zeros(len(batch.rows), np.int64)
        if self.cycle:
            measured = ~np.isnan(batch.x[:, 0])
            slots[measured] = self.calendar.slots(batch.tick[measured], batch.time[measured])[0]
        places = Places(batch.rows, batch.tick, batch.fresh, self.coarse(slots), self.shares(intervals))
        learn_all(self.state, self.rule, places, batch.x, calm.ticks.x, doubted, matured)

    def bounds(self, batch: TickBatch, mean: Floats, slots: Ints, own: NDArray[np.bool_], *, keep: bool) -> Floats:
        """Bounds [b, Q, h, d] of what is published of the forecasts mean [b, M, h, d]; slots [b, h] of the shortest
        cycle, of the ticks to come.

        own [b]: the configured model's is. keep: they are issued, and will meet their truths.
        """
        return issue_all(self.state, self.rule, batch.rows, batch.tick, mean, self.coarse(slots), own, keep)

    def surprise(self, rows: Ints) -> Floats:
        """Where the newest values lay in the bands issued for them one tick before: [b], NaN where there was none.

        From -1 at the lowest bound over 0 in the middle to 1 at the highest, and so on outside; of several elements the
        one furthest from the middle. No band is narrower than what decides between above and below (TIE).
        """
        below, above = (self.offset[rows, i, 0].astype(np.float64) for i in (0, -1))
        from_middle, half = -(above + below) / 2, np.maximum((above - below) / 2, TIE * self.change[rows])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.where(from_middle == 0, 0.0, np.clip(from_middle / half, -MOST_SURPRISE, MOST_SURPRISE))
        worst: Floats = found[np.arange(len(rows)), np.abs(found).argmax(1)]
        return worst
