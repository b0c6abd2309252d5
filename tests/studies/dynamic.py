"""Dynamic evaluation: does a network forecast better whose weights go on learning from the live series?

`python -m tests.studies.dynamic --series watch_accel --rates 0 1e-4 1e-3`

After its training, the memoryless network takes a step down the gradient of its newest k errors every few ticks, each
weight in units of the running size of its gradients, and decays towards the trained weights (Krause et al. 2018). Shown
are the mean absolute errors over those of persistence, over all leads and at lead 1, of the network and of the mixture
that it is part of. Rate 0 is the daemon as it is. All rates share one training.
"""

import argparse
import copy
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamer.forecast.network import NetworkForecaster
from streamer.models import Network
from streamer.records import Candidate, Floats, TickBatch
from streamer.stream.state import StreamState
from streamer.tools.backtest.audit import PUBLISHED
from streamer.train.adam import flat
from tests.studies.accuracy.daemon import Choosy, Plan, Run, run
from tests.studies.accuracy.datasets import SPECS, Data, load
from tests.studies.accuracy.scores import score
from tests.studies.accuracy.yardsticks import references

SIZES = 0.999
"""What is kept, at a step, of the running mean squares of gradients."""
KIND = "memoryless"


@dataclass(frozen=True, slots=True)
class Rule:
    """rate: of a step, in units of a weight; decay: share of the way back to the trained weights that each step goes;
    every: ticks between two steps; window: ticks that gradients go back."""

    rate: float
    decay: float = 1e-3
    every: int = 4
    window: int = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A tick as the network took it in: s [b, S] before it, z [b, d], u [b, c]; x, mean and sd [b, d]."""

    s: Tensor
    z: Tensor
    u: Tensor
    x: Tensor
    mean: Tensor
    sd: Tensor


class Learning:
    """The weights of a network, and where they came from."""

    def __init__(self, network: Network, rule: Rule) -> None:
        self.network, self.rule = network, rule
        self.weights = list(network.parameters())
        self.trained = flat([weight.detach() for weight in self.weights]).clone()
        self.now, self.squares = self.trained.clone(), torch.zeros_like(self.trained)
        self.naive = torch.ones(network.sizes.k)
        self.steps = 0

    def loss(self, past: Sequence[Seen]) -> Tensor:
        """Errors of the newest k values, forecast by the weights of now, in units of persistence's running ones."""
        k = self.network.sizes.k
        before, (origin, *after) = past[:-k], past[-k - 1 :]
        s = self.network.run(
            torch.stack([one.z for one in before], 1), before[0].s, torch.stack([one.u for one in before], 1)
        )
        known = torch.stack([one.u for one in after[:-1]], 1) if k > 1 else origin.u[:, None][:, :0]
        truth = (torch.stack([one.x for one in after], 1) - origin.mean[:, None]) / origin.sd[:, None]
        here = (~truth.isnan()).float()
        size = ((truth - origin.z[:, None]).abs().nan_to_num() * here).mean((0, 2))
        self.naive += (size - self.naive) / min(self.steps + 1, 1000)
        error = (self.network.forecast(s, k, known) - truth.nan_to_num()).abs() * here
        return (error / self.naive.clamp(min=1e-3)[:, None]).mean()

    def learn(self, past: Sequence[Seen]) -> None:
        """One step; none in the first hundred, which measure gradients."""
        gradient = flat(torch.autograd.grad(self.loss(past), self.weights))
        self.steps += 1
        self.squares += (gradient.square() - self.squares) * max(1 - SIZES, 1 / self.steps)
        root = self.squares.sqrt()
        if self.steps > 100:
            self.now -= self.rule.rate * gradient / (root + root.mean())
            self.now += self.rule.decay * (self.trained - self.now)
            parts = torch.split(self.now, [weight.numel() for weight in self.weights])
            with torch.no_grad():
                for weight, part in zip(self.weights, parts, strict=True):
                    weight.copy_(part.view_as(weight))


class Dynamic(NetworkForecaster):
    """A live network that goes on learning; as a forecaster it computes step by step, not frozen."""

    def __init__(self, live: NetworkForecaster, rule: Rule) -> None:
        network = copy.deepcopy(live.network)
        super().__init__(network, live.scale, live.version, live.created, live.known)
        self.grow(len(live.s))
        self.restore({}, {name: array.copy() for name, array in live.arrays().items()})
        self.learning = Learning(network.requires_grad_(True), rule)
        self.past: deque[Seen] = deque(maxlen=rule.window + network.sizes.k + 1)
        self.ticks = 0

    def step(self, batch: TickBatch) -> None:
        rows, rule = batch.rows, self.learning.rule
        if batch.fresh.any() or (self.past and len(self.past[-1].s) != len(rows)):
            self.past.clear()
            self.s[rows[batch.fresh]] = 0.0
        self.scale.learn(rows, batch.x)
        s, z = torch.from_numpy(self.s[rows]), torch.from_numpy(self.scale.to_scaled(rows, batch.x))
        known = self.next_known(batch)
        u = z[:, :0] if known is None else torch.from_numpy(known)
        with torch.no_grad():
            z = torch.where(z.isnan(), self.network.forecast(s, 1, u[:, None][:, :0])[:, 0], z)
            self.s[rows] = self.network.step(z, s, u).numpy()
        units = (torch.from_numpy(part.astype(np.float32)) for part in (self.scale.mean[rows], self.scale.sd(rows)))
        self.past.append(Seen(s, z, u, torch.from_numpy(batch.x.astype(np.float32)), *units))
        self.ticks += 1
        if rule.rate and self.ticks % rule.every == 0 and len(self.past) == self.past.maxlen:
            self.learning.learn(list(self.past))

    @torch.no_grad()
    def forecast(self, batch: TickBatch) -> Floats:
        rows, h = batch.rows, self.network.sizes.horizon
        s = torch.from_numpy(self.s[rows])
        coming = None if self.known is None else torch.from_numpy(self.known.coming(batch))
        u = s.new_zeros(len(s), h - 1, 0) if coming is None else coming
        return self.scale.to_units(rows, self.network.forecast(s, h, u).numpy())


class Lane(Choosy):
    """Trains once for all runs that share `made`, and makes the memoryless network learn on."""

    rule: Rule
    made: list[Candidate]

    async def train(self, stream: StreamState) -> list[Candidate]:
        self.made[:] = self.made or await super().train(stream)
        return self.made

    async def attempt(self, stream: StreamState) -> None:
        await super().attempt(stream)
        live = stream.panel.networks.get(KIND)
        if live is not None:
            learning = {**stream.panel.forecasters, KIND: Dynamic(live, self.rule)}
            stream.panel = replace(stream.panel, forecasters=learning)


class Runs(Run):
    """A run with that lane."""

    def __init__(self, rule: Rule, made: list[Candidate], data: Data, plan: Plan, directory: Path) -> None:
        super().__init__(data, plan, directory)
        lane = Lane(self.config, self.journal, self.fast.lock, lambda: self.time)
        lane.without, lane.rule, lane.made = plan.without, rule, made
        self.slow = lane


def line(data: Data, rule: Rule, seed: int, made: list[Candidate]) -> str:
    """A row of the table."""
    found = run(data, Plan("once", seed=seed), lambda _: None, partial(Runs, rule, made)).by_model
    naive, texts = references(data), list[str]()
    for model in (KIND, PUBLISHED):
        both = []
        for i, truth in enumerate(data.truth):
            ratio = score(truth, found[model][i], {"persistence": naive["persistence"][i]}).ratios
            both.append((ratio["persistence"].overall, ratio["persistence"].by_lead[0]))
        overall, first = np.exp(np.log(np.array(both)).mean(0))
        texts.append(f"{overall:.4f} / {first:.4f}")
    return f"{data.name:14}{seed:5}{rule.rate:9g}{rule.decay:9g}" + "".join(f"{text:>20}" for text in texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the CSV files")
    parser.add_argument("--series", nargs="+", choices=SPECS, default=["watch_accel", "soil_moisture"])
    parser.add_argument("--rates", type=float, nargs="+", default=[0, 1e-4, 1e-3])
    parser.add_argument("--decays", type=float, nargs="+", default=[1e-3])
    parser.add_argument("--every", type=int, default=4, help="ticks between two steps (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the training (%(default)s)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'series':14}{'seed':>5}{'rate':>9}{'decay':>9}{'memoryless':>20}{'published':>20}", flush=True)
    for name in given.series:
        data = load(given.data, name)
        for seed in given.seeds:
            made: list[Candidate] = []
            for rate in given.rates:
                for decay in given.decays if rate else given.decays[:1]:
                    print(line(data, Rule(rate, decay, given.every), seed, made), flush=True)


if __name__ == "__main__":
    main()
