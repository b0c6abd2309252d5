"""A series in; forecasts of linear least squares, learnt recursively from every sample once, out.

One set of weights for each lead. The weights start from ridge regression on the first 40 % of the data. The inputs of
a tick are the same for all leads, and so is the gain of recursive least squares. The weights of lead h learn with the
gain of tick t as soon as the truth of t + h is there. With no sample missing this is the exact solution for each lead.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats, Ints
from tests.studies.accuracy.datasets import ahead, filled
from tests.studies.accuracy.seasons import seasonal

RIDGES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Penalties on squared weights, for values in units of the series' standard deviation; one is chosen for a series."""
CHECKED = 0.2
"""Newest share of the first 40 % on which the penalty is chosen, by squared error over all leads."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is regressed: z[t + h] - base[t] on inputs[t], for all h up to the horizon.

    z: [n] values. known: [n] whether there was a sample. inputs: [n, D], valid from tick `first` on. base: [n].
    """

    z: Floats
    known: NDArray[np.bool_]
    inputs: Floats
    base: Floats
    first: int
    horizon: int

    def targets(self, ticks: Ints) -> tuple[Floats, NDArray[np.bool_]]:
        """[b, h] what is to be predicted from these ticks, and whether its truth is known."""
        at = ahead(ticks, self.horizon)
        return self.z[at] - self.base[ticks, None], self.known[at]

    def ridge(self, ticks: Ints, penalty: float) -> Floats:
        """Weights [h, D] of ridge regression on these ticks."""
        inputs, (target, known) = self.inputs[ticks], self.targets(ticks)
        cost, weights = penalty * np.eye(inputs.shape[1]), []
        for lead in range(self.horizon):
            x = inputs[known[:, lead]]
            weights.append(np.linalg.solve(x.T @ x + cost, x.T @ target[known[:, lead], lead]))
        return np.array(weights)

    def penalty(self, ticks: Ints) -> float:
        """The ridge with the least squared error on the newest of these ticks, trained on truths before them."""
        cut = int(len(ticks) * (1 - CHECKED))
        checked, (target, known) = ticks[cut:], self.targets(ticks[cut:])

        def loss(penalty: float) -> float:
            error = self.inputs[checked] @ self.ridge(ticks[: cut - self.horizon], penalty).T - target
            return float(np.square(error[known]).mean())

        return min(RIDGES, key=loss)

    def run(self, start: int, origins: Ints, penalty: float | None = None) -> Floats:
        """Forecasts [o, h] of z from these origins, the first samples up to `start` being known at the beginning.

        The penalty is chosen on those samples unless it is given.
        """
        begin, h = start - self.horizon, self.horizon
        ticks = np.arange(self.first, begin)
        penalty = self.penalty(ticks) if penalty is None else penalty
        weights, d = self.ridge(ticks, penalty), self.inputs.shape[1]
        covariance = np.linalg.inv(self.inputs[ticks].T @ self.inputs[ticks] + penalty * np.eye(d))
        gains, wanted = np.zeros((h, d)), {int(t): i for i, t in enumerate(origins)}
        out = np.full((len(origins), h), np.nan)
        for t in range(begin, int(origins[-1]) + 1):
            back = np.arange(1, min(h, t - begin) + 1)
            if self.known[t] and len(back):
                past, mine = t - back, weights[: len(back)]
                error = self.z[t] - self.base[past] - (self.inputs[past] * mine).sum(1)
                mine += gains[past % h] * error[:, None]
            x = self.inputs[t]
            spread = covariance @ x
            gains[t % h] = spread / (1 + x @ spread)
            covariance -= np.outer(gains[t % h], spread)
            if t in wanted:
                out[wanted[t]] = self.base[t] + weights @ x
        return out


def lagged(z: Floats, lags: int) -> Floats:
    """[n, lags] the newest values at each tick, the newest first; zero before the series is long enough."""
    windows = np.lib.stride_tricks.sliding_window_view(z, lags)[:, ::-1]
    return np.concatenate([np.zeros((lags - 1, lags)), windows])


def with_constant(inputs: Floats) -> Floats:
    return np.concatenate([inputs, np.ones((len(inputs), 1))], 1)


def plain(x: Floats, lags: int, horizon: int) -> Problem:
    """The step from the last value, by the lags minus the last value and a constant."""
    z = filled(x)
    inputs = with_constant(lagged(z, lags) - z[:, None])
    return Problem(z, ~np.isnan(x), inputs, z, lags - 1, horizon)


def differenced(x: Floats, season: int, lags: int, horizon: int) -> Problem:
    """The difference to a season ago, by its lags and a constant; known where both samples are."""
    values, known = filled(x), ~np.isnan(x)
    z = values[season:] - values[:-season]
    return Problem(z, known[season:] & known[:-season], with_constant(lagged(z, lags)), 0 * z, lags - 1, horizon)


def rls(x: Floats, start: int, origins: Ints, lags: int, horizon: int) -> Floats:
    """Forecasts [o, h] of the series [n]."""
    scale = deviation(x[:start])
    return scale * plain(x / scale, lags, horizon).run(start, origins)


def seasonal_rls(x: Floats, start: int, origins: Ints, lags: int, horizon: int, season: int) -> Floats:
    """Forecasts [o, h] of the series [n]: the value of a season ago, and a forecast of the difference to it."""
    scale = deviation(x[:start])
    problem = differenced(x / scale, season, lags, horizon)
    return seasonal(x, origins, horizon, season) + scale * problem.run(start - season, origins - season)


def deviation(x: Floats) -> float:
    """The standard deviation of a series, 1 where it is zero."""
    return float(np.nanstd(x)) or 1.0
