"""A finished backtest in, its table out: by stream and series who would have been how good, and what was learnt."""

from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from streamer.forecast.contract import REFERENCE
from streamer.records import Floats
from streamer.stream.state import StreamState
from streamer.tools.backtest.audit import PUBLISHED, Audit
from streamer.tools.backtest.run import Backtest


def result(done: Backtest) -> dict[str, Any]:
    """Everything as JSON values; errors are RMSE in units of the series, skill is 1 - RMSE over that of persistence."""
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
        "trainings": {f"{model} {what}": count for (model, what), count in sorted(counts.retrainings.items())},
        "series": [{"series": one.name, "models": models(audit, [one.row])} for one in state.series],
        "models": models(audit, [one.row for one in state.series]),
    }


def models(audit: Audit, rows: list[int]) -> dict[str, dict[str, list[float | None]]]:
    """RMSE and skill by lead of everyone who spoke for these rows; skill is that of the mean over series."""
    count, squares = audit.total[rows, 0], audit.total[rows, 1]
    reference = audit.speakers.index(REFERENCE)
    with np.errstate(invalid="ignore", divide="ignore"):
        rmse = np.sqrt(squares.sum(0) / count.sum(0))
        each = squares / count
        ratios = np.sqrt(each / each[:, reference, None])
    skill = np.full(rmse.shape, np.nan)
    for i, j in np.ndindex(*rmse.shape):
        known = ratios[:, i, j][np.isfinite(ratios[:, i, j])]
        skill[i, j] = 1 - known.mean() if len(known) else np.nan
    return {
        who: {"rmse": numbers(rmse[i]), "skill": numbers(skill[i])}
        for i, who in enumerate(audit.speakers)
        if np.isfinite(rmse[i]).any()
    }


def numbers(values: Floats) -> list[float | None]:
    """Not a number is null in JSON."""
    return [float(value) if np.isfinite(value) else None for value in values]


def show(found: dict[str, Any], most: int) -> None:
    """The table, at most so many series of a stream, those whose published forecasts have the least skill first."""
    console = Console()
    for one in found["streams"]:
        table = Table(
            title=f"stream {one['stream']}: {one['samples']} samples",
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        for column in ("series", "model", *(f"RMSE, skill {lead} ahead" for lead in one["leads"])):
            table.add_column(column, justify="left" if column in ("series", "model") else "right")
        rank = sorted(one["series"], key=worst_first)
        for name, by_model in [("all", one["models"]), *((s["series"], s["models"]) for s in rank[:most])]:
            for i, (who, errors) in enumerate(by_model.items()):
                pairs = zip(errors["rmse"], errors["skill"], strict=True)
                table.add_row(
                    "" if i else name,
                    who,
                    *(cell(rmse, skill) for rmse, skill in pairs),
                    end_section=who == PUBLISHED,
                )
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


def cell(rmse: float | None, skill: float | None) -> str:
    """An error and a skill; without persistence to compare with there is none."""
    return "" if rmse is None else f"{rmse:.4g} {'' if skill is None else f'{skill:+.2f}'}"


def counts(some: dict[str, int]) -> str:
    """Counts in words."""
    return ", ".join(f"{what} {count}" for what, count in some.items()) or "none"
