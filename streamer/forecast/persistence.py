"""The forecast "nothing changes": the newest value of each series, at every lead."""

import numpy as np

from streamer.config import Stream
from streamer.forecast.contract import REFERENCE
from streamer.part import Column, Rows
from streamer.records import Floats, TickBatch


class Persistence(Rows):
    """`newest` [N, d] is the newest measured value of each series."""

    name = REFERENCE
    version = 0
    newest: Floats

    def __init__(self, config: Stream) -> None:
        self.horizon, self.d = config.sizes.horizon, config.sizes.d
        super().__init__(newest=Column((self.d,)))

    def fit(self) -> list[int]:
        return [self.d]

    def step(self, batch: TickBatch) -> None:
        measured = ~np.isnan(batch.x[:, 0])
        self.newest[batch.rows[measured]] = batch.x[measured]

    def forecast(self, batch: TickBatch) -> Floats:
        return np.broadcast_to(self.newest[batch.rows][:, None], (len(batch.rows), self.horizon, self.d))
