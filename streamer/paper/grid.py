"""The networks to train, for figures 1 to 4 and the further questions, in stacks of similar size."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from streamer.models import Kind
from streamer.paper.training import Member, Plan
from streamer.paper.waves import Noise
from streamer.records import CellName

FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Values of n1/n: they give the ratios r = n1/n2 of the paper's figures, 1/9 to 9."""
KP = (10, 40)
"""Numbers of forecast values for which errors are reported."""
LIKE = 3
"""Neighbouring ratios in one stack; with more, most of the products would be padding."""


@dataclass(frozen=True, slots=True)
class Group:
    """Networks trained in one stack by one plan; `name` is the key of their results."""

    name: str
    members: tuple[Member, ...]
    plan: Plan

    @property
    def cost(self) -> float:
        """Approximate number of products in its training, from which the progress bar estimates the remaining time."""
        widest = max(max(member.sizes.split) if member.kind == "traditional" else member.n for member in self.members)
        return (
            self.plan.epochs * len(self.members) * (widest**2 + 40 * widest) * (self.members[0].m + self.members[0].k)
        )


@dataclass(frozen=True, slots=True)
class Study:
    """The extent of a reproduction: n, fractions n1/n, seeds, and further values of m, k, shares and epochs."""

    n: tuple[int, ...] = (50, 100, 220)
    fractions: tuple[float, ...] = FRACTIONS
    seeds: tuple[int, ...] = (0, 1, 2)
    m: tuple[int, ...] = (20, 40, 60, 80)
    k: tuple[int, ...] = (40,)
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    longer: int = 150
    cells: tuple[CellName, ...] = ("rnn", "gru", "lstm")
    cell_windows: int = 6_400
    plan: Plan = field(default_factory=Plan)
    slow: Plan = field(default_factory=lambda: Plan(batch=16, rate=1e-3, rounds=15))
    windows: int = 4_000
    tests: int = 1_000
    points: int = 20_000
    noise: Noise = "gaussian"

    def groups(self) -> Iterator[Group]:
        """Every group of networks to train, cheap ones first."""
        least = self.n[0]
        for n in self.n:
            shares = self.shares if n == least else (0.0, 1.0)
            yield self.group(f"memoryless {n}", "memoryless", n, shares)
            for share in (0.0, 1.0) if n == least else (0.0,):
                for first in range(0, len(self.fractions), LIKE):
                    name = f"traditional {n} {'carried ' if share else ''}{first // LIKE}"
                    yield self.group(name, "traditional", n, (share,), self.fractions[first : first + LIKE])
            if n == least:
                yield from self.beside(n)

    def beside(self, n: int) -> Iterator[Group]:
        """Memoryless networks with n neurons and other m, other k (1 included), more epochs, or smaller steps."""
        base = self.group("", "memoryless", n, (0.0,))
        for m in self.m:
            yield replace(base, name=f"m {m}", members=tuple(replace(member, m=m) for member in base.members))
        both = self.group("", "memoryless", n, (0.0, 1.0))
        slow = self.group(f"slow {n}", "memoryless", n, self.shares)
        yield replace(slow, plan=self.slow)
        for k in (1, *self.k):
            yield replace(both, name=f"k {k}", members=tuple(replace(member, k=k) for member in both.members))
        yield replace(both, name=f"epochs {self.longer}", plan=replace(self.plan, epochs=self.longer))

    def group(
        self, name: str, kind: Kind, n: int, shares: tuple[float, ...], fractions: tuple[float, ...] = (0.5,)
    ) -> Group:
        """A group with one network for each share, fraction and seed."""
        members = [
            Member(kind, n, seed, fraction / (1 - fraction), share)
            for share, fraction, seed in product(shares, fractions, self.seeds)
        ]
        return Group(name, tuple(members), self.plan)


def quick() -> Study:
    """A study of one n, three ratios and two seeds, which takes minutes on two cores."""
    short = Plan(epochs=20)
    return Study(
        n=(50,), fractions=(0.2, 0.5, 0.8), seeds=(0, 1), m=(20, 40), k=(40,), shares=(0.0, 0.5, 1.0), longer=40,
        cells=("gru",), cell_windows=1_600, plan=short, slow=replace(short, batch=32, rate=1e-3), windows=2_000,
    )  # fmt: skip
