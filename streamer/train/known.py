"""The journal and ticks of a series in, known inputs of the ticks after them out, as they were known at each."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.config.covariate import Covariate
from streamer.forecast.known import Waves, in_units
from streamer.forecast.scale import running_units
from streamer.ingest.outlook import Outlook, Told, recalled
from streamer.records import Ints
from streamer.store.covariates import by_series
from streamer.store.journal import Journal
from streamer.train.request import Request


class Known:
    """What a network with known inputs is told in training. `told`: by series id, what it was told of covariates."""

    def __init__(self, journal: Journal, request: Request, first: Mapping[int, int]) -> None:
        """first: the first tick of each series, by id, that is asked for."""
        self.waves = Waves(request, request.sizes.horizon)
        self.request = request
        self.of = [Covariate.model_validate(one) for one in request.covariates]
        self.told: dict[int, list[Told]] = {}
        if self.of:
            ahead, names = self.outlook().ahead, [one.name for one in self.of]
            since = {ident: tick - ahead for ident, tick in first.items()}
            self.told = by_series(journal, request.stream, names, since)

    def outlook(self) -> Outlook:
        """One of no series, to which nothing was told."""
        return Outlook(self.of, self.request.interval, self.request.sizes.horizon, aggregated=self.request.aggregated)

    def covariates(self, ident: int, ticks: Ints) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """C covariates of a series as they were known at each of its ticks [T], in running deviations from running
        means: those of the next tick, [T, C], and of the k·p - 1 after it, [T, h - 1, C]."""
        horizon, count = self.request.sizes.horizon, len(self.of)
        following = np.zeros((len(ticks), count), np.float32)
        ahead = np.zeros((len(ticks), horizon - 1, count), np.float16)
        if not count:
            return following, ahead
        u = recalled(self.outlook(), self.told.get(ident, ()), ticks)
        for c in range(count):
            mean, spread = running_units(u[:, c, :1].astype(np.float64))
            met = np.cumsum(~np.isnan(u[:, c, :1]), 0).astype(np.float64)
            z = in_units(u[:, c, 1:], mean, spread, met)
            following[:, c], ahead[:, :, c] = z[:, 0], z[:, 1:]
        return following, ahead
