"""Draws the paper's four figures, and E against the share of carried windows, as PNG files."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streamer.paper.bench import Bench
from streamer.paper.grid import KP
from streamer.paper.table import Row, by_ratio, error, networks
from streamer.paper.training import forecasts
from streamer.paper.waves import gather
from streamer.tools.replay.signals import WAVES

mpl.use("Agg")
Draw = Callable[[Axes, str, int], None]
SHOWN = (4.0, 0.25)
"""The ratios r of figure 4."""


def draw(bench: Bench, folder: Path) -> list[Path]:
    """Write figure1.png … figure4.png and shares.png to the folder, and return their paths."""
    results = bench.store.results
    pictures = {
        "figure1": panels(lambda axes, wave, kp: against(axes, bench, f"{wave} {kp}", "ln r")),
        "figure2": panels(lambda axes, wave, kp: against(axes, bench, f"{wave} {kp}", "n1")),
        "figure3": panels(lambda axes, wave, kp: beside(axes, bench, f"{wave} {kp}")),
        "figure4": examples(bench),
        "shares": panels(lambda axes, wave, kp: shares(axes, results, bench.study.n[0], f"{wave} {kp}")),
    }
    paths = []
    for name, figure in pictures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
    return paths


def panels(fill: Draw) -> Figure:
    """A figure with one panel per signal and kp."""
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    axes = figure.subplots(len(WAVES), len(KP))
    for i, wave in enumerate(WAVES):
        for j, kp in enumerate(KP):
            fill(axes[i][j], wave, kp)
            axes[i][j].set_title(f"{wave}, kp = {kp}", fontsize=10)
            axes[i][j].set_ylabel("E")
            axes[i][j].legend(fontsize=8)
    return figure


def curve(axes: Axes, rows: list[Row], way: str, key: str, x: str, label: str, style: str = "o-") -> None:
    """Plot E with its standard error over seeds, against ln r or n1."""
    grouped = by_ratio(rows)
    at = [math.log(r) if x == "ln r" else r / (1 + r) * some[0]["n"] for r, some in grouped.items()]
    found = [error(some, way, key) for some in grouped.values()]
    means, errors = [e.mean for e in found], [e.error for e in found]
    axes.errorbar(at, means, errors, fmt=style, ms=3, lw=1, capsize=2, label=label)
    axes.set_xlabel({"ln r": "ln r", "n1": "$n_1$"}[x])


def trained_n(bench: Bench) -> list[int]:
    """The values of n for which there are traditional networks."""
    return [n for n in bench.study.n if networks(bench.store.results, f"traditional {n} ", share=0.0)]


def against(axes: Axes, bench: Bench, key: str, x: str) -> None:
    """Figures 1 and 2: traditional networks on windows from zero, one curve per n."""
    for n in trained_n(bench):
        rows = networks(bench.store.results, f"traditional {n} ", share=0.0)
        curve(axes, rows, "windowed", key, x, f"n = {n}")


def beside(axes: Axes, bench: Bench, key: str) -> None:
    """Figure 3: memoryless and traditional networks of equal n, from zero and carried."""
    n, results = bench.study.n[0], bench.store.results
    for share, way, color in ((0.0, "windowed", "C0"), (1.0, "carried", "C1")):
        rows = networks(results, f"traditional {n} ", share=share)
        curve(axes, rows, way, key, "ln r", f"traditional, {way}")
        level = error(networks(results, f"memoryless {n}", share=share), way, key)
        axes.axhline(level.mean, color=color, ls="--", lw=1, label=f"memoryless, {way}")
        axes.axhspan(level.mean - level.error, level.mean + level.error, color=color, alpha=0.2, lw=0)
    axes.set_xlabel("ln r")


def shares(axes: Axes, results: dict[str, Any], n: int, key: str) -> None:
    """E of memoryless networks against the share of carried windows in their training."""
    rows = networks(results, f"memoryless {n}")
    at = sorted({float(row["share"]) for row in rows})
    for way in ("windowed", "carried"):
        found = [error([row for row in rows if row["share"] == share], way, key) for share in at]
        axes.errorbar(at, [e.mean for e in found], [e.error for e in found], fmt="o-", capsize=2, label=f"tested {way}")
    axes.set_xlabel("share of carried windows in training")


def examples(bench: Bench) -> Figure:
    """Figure 4: one window of each signal with its truth and the forecasts of both networks, r = 4 and r = 1/4."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(len(WAVES), len(SHOWN))
    h, m = max(KP), 70
    groups = {group.name: group for group in bench.study.groups()}
    for j, r in enumerate(SHOWN):
        said = {kind: single(bench, groups, kind, r) for kind in ("memoryless", "traditional")}
        for i, wave in enumerate(WAVES):
            origin = bench.tests.origins[:1, i, :1]
            seen = gather(bench.tests.x[:1], origin, -m, h)[0, :, 0].cpu()
            axes[i][j].plot(range(-m, 0), seen[:m], "k-", lw=0.8, label="input")
            axes[i][j].plot(range(h), seen[m:], "k:", lw=1, label="truth")
            for kind, forecast in said.items():
                axes[i][j].plot(range(h), forecast[0, i, :, 0].cpu(), lw=1.2, label=kind)
            axes[i][j].set_title(f"{wave}, r = {r:g} (n = {bench.study.n[0]})", fontsize=10)
            axes[i][j].set_xlabel("sample")
            axes[i][j].legend(fontsize=8)
    return figure


def single(bench: Bench, groups: dict[str, Any], kind: str, r: float) -> torch.Tensor:
    """Forecasts of the network of a kind with the first seed and, if traditional, the nearest r: [1, 2, h, N]."""
    chosen = [
        (abs(math.log(member.r / r)) if kind == "traditional" else 0.0, name, i)
        for name, group in groups.items()
        if name.startswith(f"{kind} {bench.study.n[0]}")
        for i, member in enumerate(group.members)
        if member.seed == bench.study.seeds[0] and member.share == 0.0
    ]
    _, name, i = min(chosen)
    group = groups[name]
    stack, rows = bench.stack(group), [bench.study.seeds.index(member.seed) for member in group.members]
    return forecasts(stack, bench.tests, rows, 70, group.members[0].k, max(KP), carried=False)[i : i + 1]
