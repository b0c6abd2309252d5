"""Scores of a whole run: every model, and what was published, by lead."""

import numpy as np

from streamer.forecast.score import Scores
from streamer.records import MODELS, Floats, TickBatch
from streamer.stream.state import StreamState

SPEAKERS = (*MODELS, "published")
"""Who is judged, in the order of the axis M + 1."""


class Audit(Scores):
    """Scores of a lane that keep plain sums of the whole run beside the rolling ones, and of what was published.

    total: [N, 2, M + 1, L], how many and the sum of squared errors; spoken: [N, h] who was published at each tick.
    """

    def __init__(self, lane: StreamState, window: int) -> None:
        of = lane.scores
        super().__init__(of.leads.tolist(), of.horizon, of.d, window)
        self.lane = lane
        self.total = np.zeros((0, 2, len(SPEAKERS), len(of.leads)))
        self.spoken = np.zeros((0, of.horizon), np.int64)
        self.asked = np.zeros(0, np.int64)

    def grow(self, rows: int) -> None:
        super().grow(rows)
        more = rows - len(self.total)
        if more > 0:
            self.total = np.concatenate([self.total, np.zeros((more, *self.total.shape[1:]))])
            self.spoken = np.concatenate([self.spoken, np.full((more, self.horizon), -1)])
            self.asked = np.concatenate([self.asked, np.full(more, -1)])

    def truth(self, wave: TickBatch) -> None:
        super().truth(wave)
        rows = wave.rows
        spoke = rows[self.asked[rows] >= 0]
        self.spoken[spoke, self.asked[spoke] % self.horizon] = self.lane.published_model[spoke]
        self.asked[rows] = -1
        self.spoken[rows[wave.fresh]] = -1
        errors = np.square(self.matured[rows] - wave.x[:, None, None, :]).mean(3)
        who = self.spoken[rows[:, None], (wave.tick[:, None] - self.leads) % self.horizon]
        published = np.take_along_axis(errors, who[:, None].clip(0), 1)
        errors = np.concatenate([errors, np.where(who[:, None] < 0, np.nan, published)], 1)
        known = ~np.isnan(errors)
        self.total[rows] += np.stack([known, np.where(known, errors, 0.0)], 1)
        self.spoken[rows, wave.tick % self.horizon] = -1

    def predicted(self, wave: TickBatch, mean: Floats) -> None:
        super().predicted(wave, mean)
        self.asked[wave.rows] = wave.tick
