"""Shows results as tables of 80 columns, writes them as JSON, and compares them with an earlier file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streamer.errors import SourceError
from streamer.tools.bench.machine import warning
from streamer.tools.bench.section import Row, Section

FORMAT = 1
"""Version of the file format; raise it when names or meanings of figures change."""
WIDTH = 80

Results = dict[str, Any]
"""Keys: format, machine, settings, and sections, which holds the rows by name of the section."""


def show(results: Results, sections: Mapping[str, Section], console: Console) -> None:
    """Print the machine and settings, then every table."""
    machine, settings = results["machine"], results["settings"]
    console.print(f"{machine['cores']} × {machine['cpu']}, {machine['system']}", highlight=False)
    console.print(
        f"streamer {machine['streamer']}, Python {machine['python']}, torch {machine['torch']}, "
        f"load {machine['load']}; {settings['cell']}, {settings['series']} series",
        highlight=False,
    )
    if busy := warning(machine):
        console.print(busy, style="yellow", highlight=False)
    for broker in sorted({row["broker"] for rows in results["parts"].values() for row in rows if "broker" in row}):
        console.print(f"broker: {broker}", highlight=False)
    for name, rows in results["parts"].items():
        console.print(table(sections[name], rows, number))


def compare(results: Results, before: Results, sections: Mapping[str, Section], console: Console) -> None:
    """Print every figure as a multiple of the earlier one with the same keys."""
    for side, one in (("before", before), ("now", results)):
        if busy := warning(one["machine"]):
            console.print(f"{side}: {busy}", style="yellow", highlight=False)
    different = [
        name for name in ("cpu", "cores", "python", "torch") if before["machine"][name] != results["machine"][name]
    ]
    different += [name for name, value in results["settings"].items() if before["settings"][name] != value]
    if different:
        console.print(f"Different in the two runs: {', '.join(different)}", style="yellow", highlight=False)
    for name, rows in results["parts"].items():
        found = ratios(sections[name], rows, before["parts"].get(name, []))
        if found:
            console.print(table(sections[name], found, times, "now / before: "))


def ratios(section: Section, rows: list[Row], before: list[Row]) -> list[Row]:
    """Rows that both results have, each figure divided by the earlier one; None if either is missing or that is 0."""
    earlier = {tuple(row[key] for key in section.keys): row for row in before}
    found = []
    for row in rows:
        old = earlier.get(tuple(row[key] for key in section.keys))
        if old is not None:
            figures = {name: ratio(row.get(name), old.get(name)) for name in section.figures}
            found.append({**{key: row[key] for key in section.keys}, **figures})
    return found


def ratio(now: float | None, before: float | None) -> float | None:
    """The quotient, or None where a figure is missing or the earlier one is 0."""
    return now / before if now is not None and before else None


def table(section: Section, rows: list[Row], written: Any, prefix: str = "") -> Table:
    """A table with a line per row, keys on the left and figures on the right."""
    made = Table(
        title=escape(f"{prefix}{section.title}"),
        caption=escape(section.note),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in section.keys.values():
        made.add_column(heading, no_wrap=True)
    for heading in section.figures.values():
        made.add_column(heading, justify="right")
    for row in rows:
        made.add_row(*(str(row[key]) for key in section.keys), *(written(row.get(name)) for name in section.figures))
    return made


def number(value: float | None) -> str:
    """A figure as text with three significant digits, or as a whole number from 100 on."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def times(value: float | None) -> str:
    """A ratio as text."""
    return "–" if value is None else f"{value:.2f}×"


def write(results: Results, file: Path) -> None:
    """Write results as JSON. Raises SourceError."""
    try:
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{file}: cannot be written ({error.strerror})") from error


def read(file: Path) -> Results:
    """Read results that `write` wrote. Raises SourceError."""
    try:
        found: Results = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SourceError(f"{file}: is no result of streamer bench --json") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise SourceError(f"{file}: is no result of this version's streamer bench --json; measure it anew")
    return found
