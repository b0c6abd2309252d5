"""`streamer inspect`: a state directory in, a listing of its contents out; a daemon may be running on it."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from streamer.ingest.topics import joined
from streamer.publish.encode import rfc3339
from streamer.store.database import FILE, SNAPSHOTS, failures
from streamer.store.journal import Journal
from streamer.tools.words import NO_CHANGE, called, multiple

MODELS = (
    "SELECT stream, version, kind AS model, created, errors, models.sizes, length(weights) AS bytes"
    " FROM models JOIN gates USING (stream, version) ORDER BY stream, version, kind"
)

COVARIATES = (
    "SELECT stream, name, count(DISTINCT topic) AS topics, count(*) AS messages FROM covariates"
    " GROUP BY stream, name ORDER BY stream, name"
)


def look(directory: Path, now: float) -> dict[str, Any]:
    """Series, models and files of a state directory, as JSON values. Raises StateError."""
    journal = Journal.read(directory)
    try:
        series = every_series(journal)
        with failures(journal.path):
            models = rows(journal, MODELS)
            tables = {one["name"] for one in rows(journal, "SELECT name FROM sqlite_master")}
            covariates = rows(journal, COVARIATES) if "covariates" in tables else []  # since file format 9
    finally:
        journal.close()
    for model in models:
        model |= {name: json.loads(model[name]) for name in ("errors", "sizes")}
    files = [path for path in sorted([*directory.iterdir(), *(directory / SNAPSHOTS).glob("*")]) if path.is_file()]
    return {
        "state": str(directory),
        "journal_bytes": journal.size_bytes(),
        "files": [described(path, directory, now) for path in files],
        "series": series,
        "models": models,
        "covariates": covariates,
    }


def every_series(journal: Journal) -> list[dict[str, Any]]:
    """Each series of the journal: source, topic, part, number of samples and ticks, oldest and newest time."""
    return [
        {
            **asdict(source),
            "topic": row.topic,
            "part": row.part,
            "samples": journal.count(row.ident),
            "ticks": row.held,
            "oldest": row.oldest,
            "newest": row.time,
        }
        for source in journal.sources()
        for row in sorted(journal.series(source), key=lambda row: (row.topic, row.part))
    ]


def rows(journal: Journal, query: str) -> list[dict[str, Any]]:
    """The rows that a query returns, each a dictionary by column."""
    found = journal.database.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def described(path: Path, directory: Path, now: float) -> dict[str, Any]:
    """A file: its path within the directory, size in bytes and age in seconds."""
    status = path.stat()
    return {
        "name": str(path.relative_to(directory)),
        "bytes": status.st_size,
        "age": max(0.0, now - status.st_mtime),
    }


def show(directory: Path, most: int, as_json: bool) -> None:
    """Print the contents of a state directory, with at most `most` series. Raises StateError."""
    now = time.time()
    found = look(directory, now)
    console = Console(markup=False, emoji=False, highlight=False)  # names come from the wire
    if as_json:
        console.print_json(json.dumps(found))
        return
    console.print(*told(found, directory, most, now), sep="\n", soft_wrap=True)  # a line is one fact, however wide


def told(found: dict[str, Any], directory: Path, most: int, now: float) -> Iterator[str]:
    """What there is, in words: by stream its series and networks, then the files."""
    series, models = found["series"], found["models"]
    yield f"{directory / FILE}: {size(found['journal_bytes'])}, {len(series)} series"
    for name in dict.fromkeys(one["stream"] for one in [*series, *models]):
        own = [one for one in series if one["stream"] == name]
        yield f"\nStream {name}, {len(own)} series:"
        shown = own[: max(most, 0)]
        most -= len(shown)
        yield from (f"  {about(one, now)}" for one in shown)
        if len(own) > len(shown):
            yield f"  … and {len(own) - len(shown)} more series (--series)"
        networks = [one for one in models if one["stream"] == name]
        yield from (f"  {network(one, now)}" for one in networks)
        if not networks:
            yield "  no networks yet"
        told = [one for one in found["covariates"] if one["stream"] == name]
        yield from (f"  covariate {one['name']}: {one['messages']} messages, {one['topics']} topics" for one in told)
    yield "\nFiles:"
    yield from (f"  {one['name']}: {size(one['bytes'])}, written {age(one['age'])} ago" for one in found["files"])


def about(one: dict[str, Any], now: float) -> str:
    """A series."""
    missing = one["ticks"] - one["samples"]
    holes = f", {missing} ticks without one" if missing else ""
    newest = f"newest of {rfc3339(one['newest'])}, silent for {age(now - one['newest'])}"
    return f"{joined(one['topic'], one['part'])}: {one['samples']} samples{holes}, {newest}"


def network(one: dict[str, Any], now: float) -> str:
    """A network."""
    errors = one["errors"]
    if "ratio" in errors:
        error = f"{errors['ratio']:.2f} times the error of {NO_CHANGE} on the median series"
    else:  # of a version that did not keep what the gate compared
        ratio = multiple(errors.get(one["model"], math.nan), errors.get("persistence", math.nan))
        error = f"{ratio} times the error of {NO_CHANGE}"
    kind = f"{called(one['model'])} ({one['sizes']['cell']}), version {one['version']}, {age(now - one['created'])} old"
    return f"{kind}: {error}, on samples it had not seen, {size(one['bytes'])}"


def size(count: float) -> str:
    """A number of bytes as text, in B, KiB, MiB or GiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def age(seconds: float) -> str:
    """Seconds as text, in s, min, h or d; a negative age is 0 s."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
