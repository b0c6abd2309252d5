"""Simple forecasters on the windows of the networks: persistence, ridge regression on m lags, nearest neighbours."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.neighbors import KNeighborsRegressor  # type: ignore[import-untyped]
from torch import Tensor

from streamer.paper.waves import VALIDATION, Waves, gather

PENALTIES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
NEIGHBOURS = (5, 10, 20, 40, 80)
FIRST_TRIES = ("persistence", "ridge direct", "ridge recursive", "neighbours")

Forecaster = Callable[[Tensor], Tensor]
"""Windows [N, m] in, the next h values out, [N, h]."""


def forecaster(name: str, taught: Waves, row: int, m: int, h: int) -> Forecaster:
    """One of FIRST_TRIES fitted on the windows of a row; the held-out fifth chooses its hyperparameter."""
    origins = taught.origins[row].flatten()[None]
    x = gather(taught.x[row][None], origins, -m, h)[0].T.cpu()
    mixed = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    held, fitted = mixed[: round(VALIDATION * len(x))], mixed[round(VALIDATION * len(x)) :]
    makers: dict[str, list[Forecaster]] = {
        "persistence": [lambda seen: seen[:, -1:].expand(-1, h)],
        "ridge direct": [direct(fitted, m, penalty) for penalty in PENALTIES],
        "ridge recursive": [recursive(fitted, m, h, penalty) for penalty in PENALTIES],
        "neighbours": [neighbours(fitted, m, count) for count in NEIGHBOURS] if name == "neighbours" else [],
    }
    return min(makers[name], key=lambda made: float((made(held[:, :m]) - held[:, m:]).square().mean()))


def ridge(inputs: Tensor, truths: Tensor, penalty: float) -> Tensor:
    """Weights [m + 1, h] of least squares with a penalty on all weights except the constant, in float64."""
    a = torch.cat([inputs, torch.ones(len(inputs), 1)], 1).double()
    weight = penalty * torch.eye(a.shape[1], dtype=torch.float64)
    weight[-1, -1] = 0.0
    solved: Tensor = torch.linalg.solve(a.T @ a + weight, a.T @ truths.double())
    return solved


def apply(weights: Tensor, seen: Tensor) -> Tensor:
    """Linear forecasts from windows [N, m]: [N, h]."""
    return (seen.double() @ weights[:-1] + weights[-1]).float()


def direct(fitted: Tensor, m: int, penalty: float) -> Forecaster:
    """A forecaster with one regression per lead."""
    weights = ridge(fitted[:, :m], fitted[:, m:], penalty)
    return lambda seen: apply(weights, seen)


def recursive(fitted: Tensor, m: int, h: int, penalty: float) -> Forecaster:
    """A forecaster that regresses the next value and feeds its predictions back as inputs."""
    weights = ridge(fitted[:, :m], fitted[:, m : m + 1], penalty)

    def forecast(seen: Tensor) -> Tensor:
        for _ in range(h):
            seen = torch.cat([seen, apply(weights, seen[:, -m:])], 1)
        return seen[:, m:]

    return forecast


def neighbours(fitted: Tensor, m: int, count: int) -> Forecaster:
    """A forecaster of scikit-learn's KNeighborsRegressor: the mean continuation of the most similar windows."""
    model = KNeighborsRegressor(count).fit(fitted[:, :m].numpy(), fitted[:, m:].numpy())
    return lambda seen: torch.from_numpy(np.asarray(model.predict(seen.numpy()), dtype=np.float32))


def tried(name: str, taught: Waves, tests: Waves, m: int, h: int) -> Tensor:
    """Forecasts of one of FIRST_TRIES at every origin of the test data, fitted row by row: [R, 2, h, N]."""
    out = []
    for row in range(len(tests.x)):
        made = forecaster(name, taught, row, m, h)
        seen = gather(tests.x[row][None], tests.origins[row].flatten()[None], -m, 0)[0].T.cpu()
        out.append(made(seen).view(*tests.origins.shape[1:], h).transpose(1, 2))
    return torch.stack(out).to(tests.x.device)
