"""The dashboard *Future*: what a series is expected to do, and which are forecast worst, from the daemon's own API."""

from typing import Any

from panels import Json, band, dashboard, placed

SOURCE: Json = {"type": "yesoreyeram-infinity-datasource", "uid": "${infinity}"}


def asked(url: str, root: str, columns: dict[str, tuple[str, str]], letter: str = "A", shape: str = "table") -> Json:
    """A query of the Infinity data source: columns by their name as selector and type."""
    return {
        "refId": letter,
        "datasource": SOURCE,
        "type": "json",
        "source": "url",
        "parser": "backend",
        "format": shape,
        "url": f"/api/v1/{url}",
        "url_options": {"method": "GET", "data": ""},
        "root_selector": root,
        "columns": [{"text": name, "selector": selector, "type": kind} for name, (selector, kind) in columns.items()],
        "filters": [],
    }


def variable(name: str, text: str, query: Json) -> Json:
    """A variable with values from the API."""
    return {
        "name": name,
        "label": text,
        "type": "query",
        "datasource": SOURCE,
        "definition": f"Infinity: {query['url']}",
        "query": {"query": "", "queryType": "infinity", "infinityQuery": query},
        "refresh": 2,
        "sort": 0,
        "multi": False,
        "includeAll": False,
        "current": {},
    }


def panel(title: str, text: str, kind: str, targets: list[Json], **rest: Any) -> Json:
    """A panel without its place."""
    return {"type": kind, "title": title, "description": text, "datasource": SOURCE, "targets": targets, **rest}


VARIABLES = [
    {"name": "search", "label": "Part of a name", "type": "textbox", "query": "", "current": {"text": "", "value": ""}},
    variable(
        "series",
        "Series",
        asked("series?limit=100&points=0&q=${search:percentencode}", "series", {
            "__text": ("name", "string"), "__value": ("id", "string")}, "series"),
    ),
]  # fmt: skip

TIME = ("time", "timestamp")
CURVE = panel(
    "What happened, and what is expected?",
    "Samples of the series as they came, and its newest forecast: mean, and the band in which eight values of ten "
    "shall lie (p10 to p90; with other publish.quantiles the columns have other names). The range reaches into the "
    "future, as far as forecasts do: k·p ticks.",
    "timeseries",
    [
        asked("series/${series}/history?format=rows&points=2000", "", {
            "time": TIME, "actual": ("value", "number")}, "A", "timeseries"),
        asked("series/${series}/forecast?format=rows", "", {
            "time": TIME, "mean": ("mean", "number"), "p10": ("p10", "number"), "p90": ("p90", "number")},
            "B", "timeseries"),
    ],
    fieldConfig={
        "defaults": {"unit": "short", "custom": {"lineWidth": 1, "fillOpacity": 0, "spanNulls": False}},
        "overrides": band("p90", "p10"),
    },
    options={"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
)  # fmt: skip
WORST = panel(
    "Which series are forecast worst?",
    "Of all series of all streams the twenty with the least skill: 1 is perfect, 0 is as good as repeating the newest "
    "value, below 0 is worse. Near 0 nothing predicts the series. Below 0 for hours: see StreamerSkillBelowZero in the "
    "runbook. The daemon sorts, so this needs no metrics.per_series.",
    "table",
    [
        asked("series?sort=skill&order=up&limit=20&points=0", "series", {
            "series": ("name", "string"), "stream": ("stream", "string"),
            "skill against no change": ("skill.persistence", "number"), "in words": ("words", "string"),
            "surprise": ("surprise", "number"), "age in s": ("age", "number")}),
    ],
    fieldConfig={"defaults": {"unit": "short", "decimals": 2}, "overrides": []},
    options={"showHeader": True},
)  # fmt: skip
NETWORKS = panel(
    "Which networks went live, and why?",
    "Networks in the journal, newest first, with what the gate compared: the mean absolute error on ticks held out, as "
    "a multiple of that of “nothing will change”, the median over series. They are marked in the picture above, too.",
    "table",
    [
        asked("trainings", "networks", {
            "since": ("created", "timestamp_epoch_s"), "stream": ("stream", "string"), "network": ("model", "string"),
            "version": ("version", "number"), "in words": ("words", "string")}),
    ],
    fieldConfig={"defaults": {"unit": "none"}, "overrides": []},
    options={"showHeader": True},
)  # fmt: skip


def annotation(name: str, colour: str, query: Json) -> Json:
    """Marks in all pictures, from the API."""
    return {"name": name, "enable": True, "iconColor": colour, "datasource": SOURCE, "target": query}


ANNOTATIONS = [
    annotation("Networks that went live", "purple", asked("trainings", "networks", {
        "time": ("created", "timestamp_epoch_s"), "title": ("stream", "string"), "text": ("words", "string"),
        "tags": ("model", "string")}, "Anno")),
    annotation("Trainings", "blue", asked("trainings", "trainings", {
        "time": ("begun", "timestamp_epoch_s"), "title": ("stream", "string"), "text": ("cause", "string")}, "Anno")),
]  # fmt: skip

FUTURE: Json = {
    **dashboard(
        "streamer-future",
        "Streamer: Future",
        "What each series is expected to do, and how sure that is, from the daemon's API (Infinity data source).",
        VARIABLES,
        [],
    ),
    "time": {"from": "now-1h", "to": "now+1h"},
    "annotations": {"list": ANNOTATIONS},
    "panels": placed([[(CURVE, 24, 12)], [(WORST, 14, 10), (NETWORKS, 10, 10)]]),
}
FUTURE["templating"]["list"][0] = {
    "name": "infinity",
    "label": "Data source",
    "type": "datasource",
    "query": SOURCE["type"],
    "current": {},
}
