"""A finished backtest in, its table out: by stream and series who would have been how good, and what was learnt."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from streamer.records import Floats
from streamer.stream.state import StreamState
from streamer.tools.backtest.audit import PUBLISHED, Audit
from streamer.tools.backtest.run import Backtest

LEGEND = """
RMSE/of persistence, skill against it in absolute error, × absolute error of the day (or cycle) before;
each on the truths that both had predicted. Band between two quantiles: share of the truths in it, width and
Winkler score / absolute error of persistence (the smaller the better, at the share that the band promises)"""


def result(done: Backtest) -> dict[str, Any]:
    """Everything as JSON values, with errors as `models` has them."""
    return {
        "messages": done.messages,
        "unrouted": done.fast.unrouted,
        "streams": [stream(one, done.audits[one.name]) for one in done.fast.streams],
    }


def stream(state: StreamState, audit: Audit) -> dict[str, Any]:
    """One stream: its series, and what came of messages and trainings."""
    counts = state.counts
    return {
        "stream": state.name,
        "leads": audit.leads.tolist(),
        "samples": counts.samples,
        "rejected": dict(counts.rejected),
        "trainings": {f"{model} {what}": count for (model, what), count in sorted(counts.trainings.ended.items())},
        "series": [{"series": one.name, **about(audit, slice(one.row, one.row + 1))} for one in state.series],
        **about(audit, slice(len(state.series))),
    }


def about(audit: Audit, rows: slice) -> dict[str, Any]:
    """Everyone's errors and the bands of these rows."""
    return {"models": models(audit, rows), "bands": bands(audit, rows)}


def bands(audit: Audit, rows: slice) -> dict[str, dict[str, list[float | None]]]:
    """By lead, for each level of a band, or quantile of a bound: all relative to persistence but coverage."""
    if audit.coverage is None:
        return {}
    found = audit.coverage.promise(rows)
    tables = {"coverage": found.coverage, "width": found.width, "winkler": found.winkler, "pinball": found.pinball}
    return {
        name: {which: numbers(values) for which, values in table.items() if np.isfinite(values).any()}
        for name, table in tables.items()
    }


def models(audit: Audit, rows: slice) -> dict[str, dict[str, list[float | None]]]:
    """Errors by lead of everyone who spoke for these rows.

    rmse: of the forecasts that met their truth, in the unit of the series, and of_persistence on the same truths. skill
    and mase: from absolute errors on common truths, by `Skill`, means over series; mase where a stream has a cycle.
    """
    count, squares, naive = audit.total[rows].sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        tables = {"rmse": np.sqrt(squares / count), "of_persistence": np.sqrt(naive / count)}
    ratios = [audit.skill.ratio(reference, rows) for reference in audit.skill.references]
    tables |= dict(zip(("skill", "mase"), (1 - ratios[0], *ratios[1:]), strict=False))
    return {
        who: {name: numbers(table[i]) for name, table in tables.items()}
        for i, who in enumerate(audit.speakers)
        if count[i].any()
    }


def numbers(values: Floats) -> list[float | None]:
    """Not a number is null in JSON."""
    return [float(value) if np.isfinite(value) else None for value in values]


def show(found: dict[str, Any], most: int) -> None:
    """The table, at most so many series of a stream, those whose published forecasts have the least skill first.

    Over all series there are no errors in units, which may be different ones.
    """
    console = Console(markup=False, emoji=False)  # names come from the wire
    for one in found["streams"]:
        table = Table(
            title=f"stream {one['stream']}: {one['samples']} samples{LEGEND}",
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        for column in ("series", "model", *(f"{lead} ahead" for lead in one["leads"])):
            table.add_column(column, justify="left" if column in ("series", "model") else "right")
        rank = sorted(one["series"], key=worst_first)
        no_unit = {who: {**errors, "rmse": [None] * len(one["leads"])} for who, errors in one["models"].items()}
        shown = [("all", no_unit, one["bands"]), *((s["series"], s["models"], s["bands"]) for s in rank[:most])]
        for name, by_model, of_bands in shown:
            for i, (who, errors) in enumerate(by_model.items()):
                table.add_row("" if i else name, who, *cells(errors))
            for level in of_bands.get("coverage", {}):
                table.add_row("", f"band of {float(level):.0%}", *band_cells(of_bands, level))
            table.add_section()
        console.print(table)
        if len(rank) > most:
            console.print(f"… and {len(rank) - most} more series that did better (--series)")
        console.print(f"trainings: {counts(one['trainings'])}; rejected: {counts(one['rejected'])}\n")
    if found["unrouted"]:
        console.print(f"{found['unrouted']} messages were on topics that no stream selects")


def worst_first(series: dict[str, Any]) -> float:
    """The least skill of what was published, over the leads."""
    skills = [skill for skill in series["models"].get(PUBLISHED, {"skill": []})["skill"] if skill is not None]
    return min(skills, default=0.0)


def cells(errors: dict[str, list[float | None]]) -> Iterator[str]:
    """By lead: RMSE and that of persistence, skill, MASE; each where it is known."""
    nothing = [None] * len(errors["skill"])
    by_lead = zip(errors["rmse"], errors["of_persistence"], errors["skill"], errors.get("mase", nothing), strict=True)
    for rmse, naive, skill, mase in by_lead:
        parts = (
            None if rmse is None else f"{rmse:.3g}/{naive:.3g}",
            None if skill is None else f"{skill:+.2f}",
            None if mase is None else f"×{mase:.2f}",
        )
        yield " ".join(part for part in parts if part)


def band_cells(of_bands: dict[str, dict[str, list[float | None]]], level: str) -> Iterator[str]:
    """By lead: the share of truths in a band, its width and its Winkler score, each where it is known."""
    nothing = [None] * len(of_bands["coverage"][level])
    relative = (of_bands[name].get(level, nothing) for name in ("width", "winkler"))
    for share, width, winkler in zip(of_bands["coverage"][level], *relative, strict=True):
        parts = [None if share is None else f"{share:.1%}"]
        parts += [None if one is None else f"{one:.2f}" for one in (width, winkler)]
        yield " ".join(part for part in parts if part)


def counts(some: dict[str, int]) -> str:
    """Counts in words."""
    return ", ".join(f"{what} {count}" for what, count in some.items()) or "none"
