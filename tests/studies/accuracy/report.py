"""Results in; a table for each data set and one over all of them, in plain words, out."""

from collections.abc import Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.studies.accuracy.bands import pinball_of
from tests.studies.accuracy.datasets import SPECS
from tests.studies.accuracy.result import Figures, Result, Summary, forecasters, summary
from tests.studies.accuracy.scores import MOST

RELATIVE = "width", "winkler", "pinball"
LEGEND = (
    "Mean absolute error relative to that of a reference, at the origins and truths where both spoke: below 1 is "
    f"better.\n'above' counts the leads, of all series, with more than {MOST}.\n"
    "Bands of 80 %: coverage; width, Winkler score and pinball loss of its bounds relative to the error of persistence."
)
WIDTH = 200


def show(results: Sequence[Result]) -> None:
    """Print everything."""
    console = Console(width=WIDTH, highlight=False)
    console.print(LEGEND)
    for result in results:
        console.print(f"\n[b]{title(result)}[/b]")
        console.print(of_set(result))
        console.print(of_bands(result))
    if len(results) > 1:
        console.print("\n[b]All data sets[/b]: geometric means over those that have the forecaster and the reference")
        console.print(over_sets(results))
        console.print(
            "Pinball loss of the bounds over all leads, and the coverage furthest from 80 % at any lead, by data set"
        )
        console.print(bands_over_sets(results))


def title(result: Result) -> str:
    trained = ", ".join(f"{what} {count}" for what, count in result.trainings.items()) or "none"
    return f"{result.name}: {result.series} series, {result.origins} origins; trainings: {trained}"


def table(references: Sequence[str], extra: str) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("\nforecaster")
    made.add_column(f"\n{extra}", justify="right")
    for reference in references:
        made.add_column(f"{reference}:\nall leads / lead 1", justify="right")
        made.add_column("\nworst lead", justify="right")
        made.add_column("\nabove", justify="right")
    return made


def of_set(result: Result) -> Table:
    """One row for each forecaster."""
    made = table(result.references, "spoke for")
    for who in result.scores:
        cells = [cell for one in result.references for cell in of_figures(result.figures(who, one), result.series > 1)]
        made.add_row(who, f"{result.share(who):.1%}", *cells)
    return made


def of_bands(result: Result) -> Table:
    """One row for each who gave bounds; means over series, at a few leads."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("band of 80 %")
    spec = SPECS.get(result.name)
    leads = (1, spec.k, spec.horizon) if spec else (1,)
    for lead in leads:
        made.add_column(f"{lead} ahead", justify="right")
    made.add_column("pinball, all leads", justify="right")
    made.add_column("coverage off by, worst lead", justify="right")
    for who, by_series in result.bands.items():
        scores = [*by_series.values()]
        cells = [
            f"{np.mean([one.coverage[lead - 1] for one in scores]):.1%} "
            + " ".join(f"{np.mean([getattr(one, name)[lead - 1] for one in scores]):.3g}" for name in RELATIVE)
            for lead in leads
        ]
        made.add_row(who, *cells, f"{pinball_of(by_series):.4f}", f"{max(one.off for one in scores):.1%}")
    return made


def bands_over_sets(results: Sequence[Result]) -> Table:
    """A row for each who gave bounds, a column for each data set."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("bounds")
    for result in results:
        made.add_column(result.name, justify="right")
    for who in dict.fromkeys(who for result in results for who in result.bands):
        cells = []
        for result in results:
            scores = result.bands.get(who)
            worst = max(one.off for one in scores.values()) if scores else 0.0
            cells.append(f"{pinball_of(scores):.4f}, {worst:.1%}" if scores else "")
        made.add_row(who, *cells)
    return made


def of_figures(one: Figures, several: bool) -> tuple[str, str, str]:
    where = f"{one.worst:.3f} at {one.worst_lead}" + (f" {one.worst_series}" if several else "")
    return f"{one.overall:.3f} / {one.first:.3f}", where, f"{one.above} of {one.of}"


def over_sets(results: Sequence[Result]) -> Table:
    """Geometric means over the data sets that have both forecaster and reference."""
    references = [*dict.fromkeys(one for result in results for one in result.references)]
    made = table(references, "data sets")
    for who in forecasters(results):
        found = [summary(results, who, reference) for reference in references]
        counts = "/".join(str(one.sets if one else 0) for one in found)
        made.add_row(who, counts, *(cell for one in found for cell in of_summary(one)))
    return made


def of_summary(one: Summary | None) -> tuple[str, str, str]:
    if one is None:
        return "", "", ""
    return f"{one.overall:.3f} / {one.first:.3f}", f"{one.worst:.3f} {one.worst_set}", f"{one.above} of {one.of}"
