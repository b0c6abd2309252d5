"""Writes SUMMARY.md: the figures of a study, and for each claim of the paper what was measured and whether it held."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from streamer.paper.claims import claims
from streamer.paper.grid import Study
from streamer.paper.store import Store
from streamer.paper.table import Row, estimate, networks
from streamer.tools.replay.signals import WAVES

KEYS = [f"{wave} {kp}" for wave in WAVES for kp in (10, 40)]
HEAD = ["", *KEYS]


def summary(store: Store, study: Study) -> str:
    """The text of SUMMARY.md."""
    results = store.results
    sections = {
        "Claims": claim_table(results, study),
        f"E at n = {study.n[0]}, and its ratio to the limit": error_table(results, study),
        "Closing the ratio": closing_table(results, study),
        "Recursions on one m-to-1 network": recursion_table(results),
        "Tuning F2 to eq. (13)": tuning_table(results),
        "Side by side against one after another": speed_table(results),
    }
    head = (
        "# The paper, reproduced\n\n"
        f"E is the root mean square error against the noisy truth over kp values, {study.tests} windows of each signal"
        f" with fresh {study.noise} noise; mean ± standard error over {len(study.seeds)} seeds (each has its own noise,"
        f" windows and initial weights). Training: {2 * study.windows} windows, {study.plan.epochs} epochs, batches of"
        f" {study.plan.batch}, one cycle to {study.plan.rate:g}, gradient norm at most {study.plan.clip:g}.\n"
    )
    return head + "".join(f"\n## {title}\n\n{text}" for title, text in sections.items())


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def claim_table(results: dict[str, Any], study: Study) -> str:
    """A line per claim."""
    rows = [
        [claim.text, claim.measured, "held" if claim.held else "**did not hold**"] for claim in claims(results, study)
    ]
    return table(["claim", "measured", ""], rows)


def with_ratio(of: Callable[[str, int], float], bound: Callable[[str, int], float], count: int) -> list[str]:
    """Cells "E ± error (ratio)" for every signal and kp; the ratio is a mean of the ratios of the seeds."""
    cells = []
    for key in KEYS:
        values, limits = [of(key, i) for i in range(count)], [bound(key, i) for i in range(count)]
        ratio = estimate(value / limit for value, limit in zip(values, limits, strict=True)).mean
        cells.append(f"{estimate(values)} ({ratio:.2f})")
    return cells


def network_cells(results: dict[str, Any], study: Study, rows: list[Row], way: str) -> list[str]:
    """Cells of networks, one per seed; the ratio is to the limit of their m (windowed) or to the floor (carried)."""
    limit = results["limit"]
    ordered = [row for seed in study.seeds for row in rows if row["seed"] == seed]
    at = [study.seeds.index(row["seed"]) for row in ordered]
    bounds = limit["floor"] if way == "carried" else limit[f"m {ordered[0]['m']}"]
    return with_ratio(lambda key, i: ordered[i][way][key], lambda key, i: bounds[at[i]][key], len(ordered))


def error_table(results: dict[str, Any], study: Study) -> str:
    """Lines of the limits, the simple forecasters, both networks and the gated cells."""
    limit, count, n = results["limit"], len(study.seeds), study.n[0]
    bound, rows = limit["m 70"], []
    for name, found in {"noise floor": limit["floor"], "limit, m = 70": bound, **results["first tries"]}.items():
        rows.append([name, *with_ratio(lambda k, i, f=found: f[i][k], lambda k, i: bound[i][k], count)])  # type: ignore[misc]
    for share, way in ((0.0, "windowed"), (0.5, "windowed"), (0.0, "carried"), (0.5, "carried"), (1.0, "carried")):
        for kind in ("memoryless", "traditional"):
            some = networks(results, f"{kind} {n}", share=share)
            some = [row for row in some if kind == "memoryless" or row["r"] == 1.0]
            if some:
                label = f"{kind}, {share:.0%} carried, tested {way}"
                rows.append([label, *network_cells(results, study, some, way)])
    for cell in study.cells:
        some = [
            {"seed": seed, "m": 70, **results[f"{cell} {seed}"]} for seed in study.seeds if f"{cell} {seed}" in results
        ]
        for way in ("windowed", "carried") if some else ():
            label = f"memoryless, {cell}, tested {way} (streamer.train.fit)"
            rows.append([label, *network_cells(results, study, some, way)])
    return table(HEAD, rows)


def variants(results: dict[str, Any], study: Study) -> Iterator[tuple[str, list[Row]]]:
    """Memoryless networks that differ from the default in one setting: m, k, epochs, steps or n."""
    n = study.n[0]
    for m in sorted({*study.m, 70}):
        yield f"m = {m}", networks(results, f"memoryless {n}" if m == 70 else f"m {m}", share=0.0)
    for name in [f"k {k}" for k in (1, *study.k)] + [f"epochs {study.longer}"]:
        yield name.replace(" ", " = "), networks(results, name) if name in results else []
    slow = f"batches of {study.slow.batch}, rate {study.slow.rate:g}, {study.slow.rounds} epochs on all rounds"
    yield slow, networks(results, f"slow {n}")
    for other in study.n[1:]:
        yield f"n = {other}", networks(results, f"memoryless {other}")


def closing_table(results: dict[str, Any], study: Study) -> str:
    """The effect of m, k, epochs, steps and n: windowed against the limit of that m, carried against the floor."""
    rows = []
    for label, some in variants(results, study):
        for share, way in ((0.0, "windowed"), (0.5, "windowed"), (1.0, "carried")):
            chosen = [row for row in some if row["share"] == share]
            if chosen:
                name = f"{label}, {share:.0%} carried, tested {way}"
                rows.append([name, *network_cells(results, study, chosen, way)])
    return table(HEAD, rows)


def recursion_table(results: dict[str, Any]) -> str:
    """A line per recursion: error and cost."""
    rows = []
    for name, found in results["recursions"].items():
        errors = [str(estimate(row[key] for row in found["errors"])) for key in KEYS]
        rows.append([name, *errors, f"{found['microseconds']:.2f}", f"{found['stored']:g}"])
    return table([*HEAD, "µs per predicted element", "stored elements"], rows)


def tuning_table(results: dict[str, Any]) -> str:
    """A line per way of tuning: mean residuals, and the change in E per network with its standard error."""
    records = results["equation 13"]
    before = {(row["r"], row["seed"]): row for row in records if row["way"] == "as trained"}
    ways, rows = list(dict.fromkeys(row["way"] for row in records)), []
    for way in ways:
        some = [row for row in records if row["way"] == way]
        residuals = [f"{estimate(row[key] for row in some).mean:.2f}" for key in ("residual", "residuals")]
        rows.append(
            [way, *residuals, *[change(some, before, key) for key in [*KEYS, "sine 40 rolled", "trapezoid 40 rolled"]]]
        )
    note = f"\n{len(before)} networks; E as trained, then the mean change per network ± its standard error.\n"
    head = ["", "residual i = 1", "residual i < k", *KEYS, "sine 40, F2 run on", "trapezoid 40, F2 run on"]
    return table(head, rows) + note


def change(some: list[Row], before: dict[tuple[float, int], Row], key: str) -> str:
    """The mean for networks as trained; for others the mean of the paired differences, with sign."""
    if some[0]["way"] == "as trained":
        return f"{estimate(row[key] for row in some).mean:.4f}"
    found = estimate(row[key] - before[row["r"], row["seed"]][key] for row in some)
    return f"{found.mean:+.4f} ± {found.error:.4f}"


def speed_table(results: dict[str, Any]) -> str:
    """Milliseconds per network and training step, stacked and one by one."""
    found = results["speed"]
    rows = [
        [kind, f"{found[kind]['stacked_ms']:.2f}", f"{found[kind]['alone_ms']:.2f}", f"{found[kind]['ratio']:.1f}"]
        for kind in ("memoryless", "traditional")
    ]
    note = f"\n{found['networks']} networks of n = 50, batches of {found['batch']}, {found['threads']} threads.\n"
    return table(["", "stacked, ms", "one by one, ms", "ratio"], rows) + note


def write(store: Store, study: Study) -> Path:
    """Write SUMMARY.md to the folder of the store, and return its path."""
    path = store.folder / "SUMMARY.md"
    path.write_text(summary(store, study), encoding="utf-8")
    return path
