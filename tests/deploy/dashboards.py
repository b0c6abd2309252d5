"""The dashboards as Grafana reads them, and the expressions in them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.prometheus import DEPLOY

FOLDER = DEPLOY / "grafana" / "dashboards"
FUTURE = FOLDER / "future.json"
"""The one that asks the daemon's API."""
FILES = sorted(file for file in FOLDER.glob("*.json") if file != FUTURE)
"""Those that ask Prometheus."""
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


def load(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def expressions(dashboard: Any) -> Iterator[tuple[str, str]]:
    """Title and expression of every query, and of what fills every variable."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = LABEL_VALUES.fullmatch(variable["definition"])
            assert found, variable["definition"]
            selector, label = found.groups()
            yield (
                variable["name"],
                f'count by ({label}) ({{__name__="{selector}"}})'
                if "{" not in selector
                else (f"count by ({label}) ({selector})"),
            )


def filled(expression: str, choices: Mapping[str, str]) -> str:
    """The expression with the choices of a viewer in it; raises KeyError for a variable that is none of them."""
    return re.sub(r"\$(\w+)", lambda found: choices[found.group(1)], expression)
