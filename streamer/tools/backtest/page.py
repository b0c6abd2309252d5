"""A finished backtest in, a page about it out: one file with charts, that needs no other and no network."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from streamer.errors import StartError
from streamer.observe.words import compared
from streamer.tools.backtest.audit import PUBLISHED
from streamer.tools.backtest.chart import chart
from streamer.tools.backtest.report import counts, worst_first
from streamer.tools.words import NO_CHANGE

WORST = 2.0
"""The largest error over that of persistence that the chart tells from larger ones."""
HELD = "values in the band"
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
svg text { font-size: 11px; fill: currentColor; } polyline { fill: none; }
.grid { stroke: currentColor; opacity: .15; } .level { stroke: currentColor; stroke-dasharray: 4 3; opacity: .6; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; font-size: 13px; }
.legend i { display: inline-block; width: .9rem; height: .25rem; margin-right: .35rem; vertical-align: middle; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
"""


def write(path: Path, text: str) -> None:
    """Write the page. Raises StartError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror or error})") from error


def page(found: dict[str, Any], most: int) -> str:
    """The page of a result, at most `most` series of each stream, those that are forecast worst first."""
    unrouted = f"<p>{found['unrouted']:,} messages were on topics that no stream selects.</p>" * bool(found["unrouted"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Backtest</title>'
        f"<style>{STYLE}</style></head><body><h1>Backtest of {found['messages']:,} messages</h1>{unrouted}"
        f"{''.join(stream(one, most) for one in found['streams'])}</body></html>\n"
    )


def stream(one: dict[str, Any], most: int) -> str:
    """One stream: what came in, charts, and its series."""
    leads, total = one["leads"], len(one["series"])
    about = f"{one['samples']:,} samples of {total:,} series. Trainings: {counts(one['trainings'])}."
    errors = {
        who: [None if skill is None else 1 - skill for skill in errors["skill"]]
        for who, errors in one["models"].items()
        if any(skill is not None for skill in errors["skill"])
    }
    coverage = one["bands"].get("coverage", {})
    charts = chart(f"Error over that of {NO_CHANGE}: below 1 is better", leads, errors, WORST, 1.0, PUBLISHED)
    for level, shares in coverage.items():
        title = f"Share of values in the band that is to hold {float(level):.0%}"
        charts += chart(title, leads, {HELD: shares}, 1.0, float(level), HELD)
    rank = sorted(one["series"], key=worst_first)
    left = f"<p>{total - most:,} more series were forecast better than these.</p>" if total > most else ""
    sentences = "".join(f"<li>{escape(said(each, leads))}</li>" for each in rank[:most])
    return (
        f"<section><h2>Stream {escape(one['stream'])}</h2><p>{escape(about)} Messages rejected:"
        f' {escape(counts(one["rejected"]))}.</p><div class="charts">{charts}</div>{table(one)}'
        f"<h3>Series, the worst first</h3><ol>{sentences}</ol>{left}</section>"
    )


def said(series: dict[str, Any], leads: list[int]) -> str:
    """How well one series was forecast, in words."""
    return f"{series['series']}: {', '.join(sentences(series, leads)) or 'too few forecasts met their truth'}."


def sentences(series: dict[str, Any], leads: list[int]) -> Iterator[str]:
    """Skill at the leads where it is least and greatest, and what the band held."""
    skills = series["models"].get(PUBLISHED, {"skill": []})["skill"]
    known = sorted((skill, lead) for skill, lead in zip(skills, leads, strict=False) if skill is not None)
    for skill, lead in {known[0]: None, known[-1]: None} if known else ():
        yield f"{compared(skill, NO_CHANGE)} {lead} ahead"
    for level, shares in series["bands"].get("coverage", {}).items():
        there = [share for share in shares if share is not None]
        if there:
            yield f"the band of {float(level):.0%} held {min(there):.0%} to {max(there):.0%}"


def table(one: dict[str, Any]) -> str:
    """Skill by model and lead: what the first chart shows, as numbers."""
    head = "".join(f"<th>{lead} ahead</th>" for lead in one["leads"])
    rows = "".join(
        f"<tr><td>{escape(who)}</td>{''.join(map(cell, errors['skill']))}</tr>" for who, errors in one["models"].items()
    )
    return (
        f"<details><summary>Error over that of {NO_CHANGE}, as numbers</summary>"
        f"<table><tr><th>forecaster</th>{head}</tr>{rows}</table></details>"
    )


def cell(skill: float | None) -> str:
    """One number."""
    return f"<td>{'–' if skill is None else f'{1 - skill:.3f}'}</td>"
