"""Scores of a whole run: every model, and what was published, by lead."""

import numpy as np

from streamer.part import Column, Rows
from streamer.records import Floats, ForecastBatch, Ints, TickBatch
from streamer.stream.state import StreamState

PUBLISHED = "published"
"""What is judged beside the models: the forecasts that were published, whoever made them."""


class Audit(Rows):
    """Watches a stream, and keeps plain sums of the whole run for every model and for what was published.

    speakers: who is judged, in the order of the axis M + 1. total: [N, 2, M + 1, L], how many and the sum of squared
    errors. published: [N, h], the model that was published at each tick, in slot tick mod h, -1 for none.
    """

    name = "audit"
    total: Floats
    published: Ints

    def __init__(self, stream: StreamState) -> None:
        panel = stream.panel
        self.speakers = (*panel.models, PUBLISHED)
        self.horizon, self.leads, self.shown = stream.config.sizes.horizon, np.array(panel.leads), panel.shown
        super().__init__(
            total=Column((2, len(self.speakers), len(self.leads))),
            published=Column((self.horizon,), np.int64, start=-1),
        )

    def scored(self, stream: StreamState, batch: TickBatch) -> None:
        self.grow(stream.room)
        rows = batch.rows
        self.published[rows[batch.fresh]] = -1
        errors = np.square(stream.panel.scores.matured[rows][:, :, self.shown] - batch.x[:, None, None, :]).mean(3)
        who = self.published[rows[:, None], (batch.tick[:, None] - self.leads) % self.horizon]
        published = np.take_along_axis(errors, who[:, None].clip(0), 1)
        errors = np.concatenate([errors, np.where(who[:, None] < 0, np.nan, published)], 1)
        known = ~np.isnan(errors)
        self.total[rows] += np.stack([known, np.where(known, errors, 0.0)], 1)
        self.published[rows, batch.tick % self.horizon] = -1

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        self.published[batch.ticks.rows, batch.ticks.tick % self.horizon] = batch.chosen
