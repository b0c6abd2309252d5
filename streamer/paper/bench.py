"""What all parts of the study share: the data of all seeds, the store, and the measurement of networks."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from streamer.models import build
from streamer.paper.grid import KP, Group, Study
from streamer.paper.limit import clean_forecasts, limit_forecasts
from streamer.paper.linear import FIRST_TRIES, tried
from streamer.paper.stacked import Stack
from streamer.paper.store import Store
from streamer.paper.training import Member, e_p, forecasts, train
from streamer.paper.waves import Waves, waves
from streamer.tools.replay.signals import WAVES

Notify = Callable[[float], None]
"""Called with the finished share of a part, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The study, its store, and its data for training and tests; row i of the data belongs to seed i of the study."""

    study: Study
    store: Store
    taught: Waves
    tests: Waves

    @classmethod
    def of(cls, study: Study, store: Store, device: torch.device) -> "Bench":
        """The bench of a study: data of its seeds to train on and, with fresh noise, to test on."""
        common = (study.points, study.noise, device)
        return cls(
            study,
            store,
            waves(study.seeds, False, study.windows, *common),
            waves(study.seeds, True, study.tests, *common),
        )

    def rows(self, members: tuple[Member, ...]) -> list[int]:
        """The row of the data that belongs to each network."""
        return [self.study.seeds.index(member.seed) for member in members]

    def errors(self, forecast: Tensor, rows: list[int]) -> list[dict[str, float]]:
        """E_p of the forecasts [S, 2, h, N]: for each network a dictionary by "signal kp"."""
        by_h = {h: e_p(forecast, self.tests, rows, h).tolist() for h in KP}
        return [{f"{w} {h}": by_h[h][i][j] for j, w in enumerate(WAVES) for h in KP} for i in range(len(rows))]

    def judge(self, stack: Stack, members: tuple[Member, ...]) -> list[dict[str, Any]]:
        """One record per network: its settings, and its errors on windows from zero and with its state carried."""
        rows, first = self.rows(members), members[0]
        both = {
            name: self.errors(forecasts(stack, self.tests, rows, first.m, first.k, max(KP), name == "carried"), rows)
            for name in ("windowed", "carried")
        }
        return [
            {**asdict(member), **{name: errors[i] for name, errors in both.items()}} for i, member in enumerate(members)
        ]

    def stack(self, group: Group) -> Stack:
        """The networks of a finished group, with their trained weights."""
        stack = Stack([build(member.kind, member.sizes) for member in group.members])
        stack.weights = {
            name: weight.to(self.tests.x.device) for name, weight in self.store.weights(group.name).items()
        }
        return stack

    def learn(self, group: Group, notify: Notify) -> dict[str, Any]:
        """Train a group, store its weights, and measure it."""
        begun = time.perf_counter()
        members = list(group.members)
        rows = self.rows(group.members)
        stack = train(members, self.taught, rows, group.plan, lambda epoch: notify(epoch / group.plan.epochs))
        seconds = time.perf_counter() - begun
        self.store.keep_weights(group.name, stack.weights)
        return {"seconds": seconds, "plan": asdict(group.plan), "networks": self.judge(stack, group.members)}

    def bounds(self, _: Notify) -> dict[str, Any]:
        """The errors of the limit for every m of the study, and of the noise floor, per seed."""
        rows = list(range(len(self.study.seeds)))
        found = {"floor": self.errors(clean_forecasts(self.tests, max(KP)), rows)}
        for m in sorted({70, *self.study.m}):
            found[f"m {m}"] = self.errors(limit_forecasts(self.tests, m, max(KP), self.study.noise), rows)
        return found

    def first_tries(self, notify: Notify) -> dict[str, Any]:
        """The errors of the simple forecasters of `linear`, per seed, with m = 70."""
        rows, found = list(range(len(self.study.seeds))), {}
        for done, name in enumerate(FIRST_TRIES):
            found[name] = self.errors(tried(name, self.taught, self.tests, 70, max(KP)), rows)
            notify((done + 1) / len(FIRST_TRIES))
        return found
