"""Curves over the lead in, an SVG drawing out, which needs nothing but itself."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 34
"""Margins, for the numbers at the axes."""
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"
)  # fmt: skip
STEPS = (1, 2, 2.5, 5, 10)
"""Distances of ticks, times a power of ten."""


def chart(
    title: str, leads: Sequence[int], curves: Mapping[str, Sequence[float | None]], most: float, level: float, bold: str
) -> str:
    """A figure of curves over the leads, on a logarithmic axis, with its legend; the other axis goes from 0 to `most`,
    or less where that is enough, and greater values are drawn at its end.

    level: a value with a line of its own, which all is compared with. bold: the curve that matters.
    """
    known = [value for curve in curves.values() for value in curve if value is not None]
    ticks = rounds(min(max([*known, level]), most))
    high = ticks[-1]
    first, last = math.log(leads[0]), math.log(leads[-1])

    def x(lead: int) -> float:
        share = (math.log(lead) - first) / (last - first) if last > first else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / high * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(at)}" y2="{y(at)}"/>'
        f'<text x="{LEFT - 6}" y="{y(at) + 4}" text-anchor="end">{at:g}</text>'
        for at in ticks
    ]
    parts += [f'<text x="{x(lead)}" y="{HEIGHT - 16}" text-anchor="middle">{lead}</text>' for lead in leads]
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 2}" text-anchor="middle">ticks ahead</text>')
    parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level)}" y2="{y(level)}"/>')
    legend = []
    for i, (name, curve) in enumerate(curves.items()):
        colour, width = COLOURS[i % len(COLOURS)], 3.5 if name == bold else 1.5
        points = [(x(lead), y(min(value, high))) for lead, value in zip(leads, curve, strict=True) if value is not None]
        path = " ".join(f"{one},{other}" for one, other in points)
        parts.append(f'<polyline points="{path}" stroke="{colour}" stroke-width="{width}"/>')
        parts += [f'<circle cx="{one}" cy="{other}" r="{width}" fill="{colour}"/>' for one, other in points]
        legend.append(f'<li><i style="background:{colour}"></i>{escape(name)}</li>')
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg><ul class="legend">{"".join(legend)}</ul></figure>'
    )


def rounds(most: float) -> list[float]:
    """Round numbers, evenly spaced, about five of them, from 0 to at least `most`, which is above 0."""
    power = 10 ** math.floor(math.log10(most / 5))
    step = next(one * power for one in STEPS if one * power >= most / 5)
    return [round(i * step, 12) for i in range(math.ceil(most / step) + 1)]
