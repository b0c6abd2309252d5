"""Scores of a whole run: every model, and what was published, by lead."""

import math

import numpy as np

from streamer.forecast.coverage import Coverage, believed_at
from streamer.forecast.skill import Skill
from streamer.part import Column, Rows
from streamer.records import Floats, ForecastBatch, Ints, TickBatch
from streamer.stream.state import StreamState

PUBLISHED = "published"
"""What is judged beside the models: the forecasts that were published, whoever made them."""


class Audit(Rows):
    """Watches a stream, and keeps plain sums of the whole run for every model and for what was published.

    speakers: who is judged, in the order of the axis M + 1. total: [N, 3, M + 1, L], how many forecasts met their
    truth, the sum of their squared errors, and that of persistence on the same truths. skill: of the whole run.
    published: [N, h], the model that was published at each tick, in slot tick mod h, -1 for none. coverage: of the
    bands of the whole run, None where none are published.
    """

    name = "audit"
    total: Floats
    published: Ints

    def __init__(self, stream: StreamState) -> None:
        panel = stream.panel
        self.speakers = (*panel.models, PUBLISHED)
        self.horizon, self.leads = stream.config.sizes.horizon, np.array(panel.leads)
        self.reference = panel.scores.reference
        self.skill = Skill(self.speakers, panel.leads, panel.skill.references, math.inf, np.float64)
        self.coverage = Coverage(panel.bands, panel.shown, math.inf, np.float64) if panel.bands else None
        super().__init__(
            total=Column((3, len(self.speakers), len(self.leads))),
            published=Column((self.horizon,), np.int64, start=-1),
        )

    def scored(self, stream: StreamState, batch: TickBatch) -> None:
        self.grow(stream.room)
        self.skill.grow(stream.room)
        rows = batch.rows
        predicted = stream.panel.scores.matured[rows]
        if self.coverage:
            self.coverage.grow(stream.room)
            doubted = stream.panel.mix.doubted  # by now of this tick too, in the place of that h ticks before
            now = np.array(~doubted[rows, batch.tick % self.horizon].any(1), np.bool_)
            sure = believed_at(now, batch, doubted, self.coverage.leads)
            self.coverage.truth(batch, sure, predicted)
        self.published[rows[batch.fresh]] = -1
        who = self.published[rows[:, None], (batch.tick[:, None] - self.leads) % self.horizon][:, None, :, None]
        published = np.where(who < 0, np.nan, np.take_along_axis(predicted, who.clip(0), 1))
        predicted = np.concatenate([predicted, published], 1)
        self.skill.truth(batch, predicted)
        errors = np.square(predicted - batch.x[:, None, None, :]).mean(3)
        known = ~np.isnan(errors)
        self.total[rows] += np.where(
            known[:, None],
            np.stack([known, errors, np.broadcast_to(errors[:, [self.reference]], errors.shape)], 1),
            0.0,
        )
        self.published[rows, batch.tick % self.horizon] = -1

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        self.published[batch.ticks.rows, batch.ticks.tick % self.horizon] = batch.chosen
