"""Short descriptions of panels in, Grafana's JSON out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and its legend, which in a table is the name of its column."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A question as title, a description of what to do about the answer, and the queries that give it.

    `unit` is one of Grafana's (`s`, `bytes`, `percentunit`, `cps`, `short`); `steps` are thresholds (value, colour),
    and `base` is the colour below all of them.
    """

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    kind: Literal["timeseries", "stat", "table", "bargauge"] = "timeseries"
    width: int = 12
    height: int = 8
    base: str = "green"
    steps: Sequence[tuple[float, str]] = ()
    overrides: Sequence[Json] = ()
    decimals: int | None = None


def panel(one: Panel, number: int, x: int, y: int) -> Json:
    """The JSON of a panel with its upper left corner at (x, y) of the grid."""
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": one.width, "h": one.height},
        "fieldConfig": {"defaults": defaults(one), "overrides": list(one.overrides)},
        "options": OPTIONS[one.kind],
        "targets": [target(query, chr(ord("A") + i), one.kind) for i, query in enumerate(one.queries)],
        **({"transformations": columns(one.queries)} if one.kind == "table" else {}),
    }


OPTIONS: dict[str, Json] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "area"},
    "bargauge": {"reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal", "displayMode": "basic"},
    "table": {"showHeader": True},
}


def defaults(one: Panel) -> Json:
    """The field defaults of a panel: unit, thresholds, style."""
    steps = [{"value": None, "color": one.base}, *({"value": value, "color": colour} for value, colour in one.steps)]
    made: Json = {"unit": one.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if one.decimals is not None:
        made["decimals"] = one.decimals
    if one.kind == "timeseries":
        style = "line" if one.steps else "off"
        made["custom"] = {"lineWidth": 1, "fillOpacity": 5, "thresholdsStyle": {"mode": style}}
    return made


def target(query: Query, letter: str, kind: str) -> Json:
    """The JSON of a query; tables and bar gauges ask for the newest value only."""
    made: Json = {"refId": letter, "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend}
    if kind in ("table", "bargauge"):
        made |= {"instant": True, "format": "table" if kind == "table" else "time_series"}
    return made


def columns(queries: Sequence[Query]) -> list[Json]:
    """Transformations that give a table a row per set of labels and a column per query."""
    names = {f"Value #{chr(ord('A') + i)}": query.legend for i, query in enumerate(queries)}
    renamed = names if len(queries) > 1 else {"Value": queries[0].legend}
    organize = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": renamed}
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]


def band(upper: str, lower: str) -> list[Json]:
    """Overrides that fill the area between two curves."""

    def custom(name: str, **properties: Any) -> Json:
        wanted = [{"id": f"custom.{key}", "value": value} for key, value in properties.items()]
        return {"matcher": {"id": "byName", "options": name}, "properties": wanted}

    return [custom(upper, lineWidth=0, fillBelowTo=lower, fillOpacity=15), custom(lower, lineWidth=0, fillOpacity=0)]


def stacked() -> list[Json]:
    """Overrides that put the curves of a panel on top of one another, as shares of a whole."""
    style = [
        {"id": "custom.stacking", "value": {"mode": "normal", "group": "A"}},
        {"id": "custom.fillOpacity", "value": 40},
        {"id": "max", "value": 1},
    ]
    return [{"matcher": {"id": "byRegexp", "options": ".*"}, "properties": style}]


def variable(name: str, text: str, query: str, *, several: bool = False, chosen: str | None = None) -> Json:
    """A variable with values from Prometheus, `chosen` at first; with `several`, one can select many or all."""
    first = {} if chosen is None else {"text": chosen, "value": chosen}
    return {
        "name": name,
        "label": text,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 3,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".+", "current": {"text": "All", "value": "$__all"}} if several else {"current": first}),
    }


def placed(rows: Sequence[Sequence[tuple[Json, int, int]]]) -> list[Json]:
    """Panels as JSON, each with its width and height, in rows from top to bottom."""
    panels: list[Json] = []
    y = 0
    for row in rows:
        x = 0
        for one, width, height in row:
            panels.append({"id": len(panels) + 1, **one, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x += width
        y += max(height for _, _, height in row)
    return panels


def dashboard(uid: str, title: str, text: str, variables: Sequence[Json], rows: Sequence[Sequence[Panel]]) -> Json:
    """The JSON of a dashboard with these rows of panels, from top to bottom."""
    panels: list[Json] = []
    y = 0
    for row in rows:
        x = 0
        for one in row:
            panels.append(panel(one, len(panels) + 1, x, y))
            x += one.width
        if x > WIDTH:
            raise ValueError(f"{row[0].title}: its row is {x} columns wide, of {WIDTH}")
        y += max(one.height for one in row)
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}
    link = {"title": "Streamer", "type": "dashboards", "tags": ["streamer"], "asDropdown": False, "keepTime": True}
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": ["streamer"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [link],
        "templating": {"list": [source, *variables]},
        "annotations": {"list": []},
        "panels": panels,
    }
