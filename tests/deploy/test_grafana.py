"""The dashboards' files: what the script writes, with all that a reader who has never seen the project needs."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.dashboards import FILES, FOLDER, FUTURE, expressions, load
from tests.deploy.prometheus import DEPLOY

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PLUGINS = "GF_PLUGINS_PREINSTALL"
ALERTS = re.findall(r"alert: (\w+)", (DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))


def test_the_files_are_what_the_script_writes(tmp_path: Path) -> None:
    """`deploy/grafana/generate.py` writes the dashboards as they are, and no other."""
    subprocess.run([sys.executable, "-B", DEPLOY / "grafana" / "generate.py", tmp_path], check=True, timeout=60)
    written = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    assert set(written) == {"forecasts.json", "future.json", "operations.json"}


@pytest.fixture(params=[*FILES, FUTURE], ids=lambda file: file.stem)
def any_dashboard(request: pytest.FixtureRequest) -> Any:
    return load(request.param)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def dashboard(request: pytest.FixtureRequest) -> Any:
    return load(request.param)


def test_panels_ask_and_advise(any_dashboard: Any) -> None:
    """Every panel's title is a question, its description says something longer, and its numbers have a unit."""
    for panel in any_dashboard["panels"]:
        assert panel["title"].endswith("?"), panel["title"]
        assert len(panel["description"]) > 80, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


def test_panels_have_their_own_id_and_place(any_dashboard: Any) -> None:
    """Ids are unique, and no two panels lie on one another or beyond the grid."""
    panels = any_dashboard["panels"]
    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_source_is_a_choice(dashboard: Any) -> None:
    """Every query takes its data source from the variable, and no expression names a job or an instance."""
    assert dashboard["templating"]["list"][0] | {"current": {}} == dashboard["templating"]["list"][0]
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in dashboard["panels"]:
        assert panel["datasource"] == SOURCE
        assert [target["datasource"] for target in panel["targets"]] == [SOURCE] * len(panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for title, expression in expressions(dashboard):
        assert not re.search(r'(job|instance)\s*(=|!=|=~|!~)\s*"(?!\$instance")', expression), title
        assert set(re.findall(r"\$(\w+)", expression)) <= variables | {"__rate_interval"}, title


def test_descriptions_name_alerts_that_exist(any_dashboard: Any) -> None:
    """An alert that a description sends the reader to is one of the rules."""
    for panel in any_dashboard["panels"]:
        assert set(re.findall(r"Streamer[A-Z]\w+", panel["description"])) <= set(ALERTS), panel["title"]


def test_coverage_is_never_shown_alone(dashboard: Any) -> None:
    """Beside the coverage of bands there is what they promise, and their Winkler score: alone it says little."""
    shown = " ".join(expression for _, expression in expressions(dashboard))
    if "streamer_band_coverage_ratio" in shown:
        assert "streamer_band_level_ratio" in shown
        assert "streamer_band_winkler_ratio" in shown


def test_uids_are_stable_and_provisioned() -> None:
    """The dashboards keep their addresses, and Grafana finds them and their source where compose.yaml mounts them."""
    uids = {"streamer-forecasts", "streamer-future", "streamer-operations"}
    assert {load(file)["uid"] for file in [*FILES, FUTURE]} == uids
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = YAML(typ="safe").load(provisioning / "dashboards" / "streamer.yaml")["providers"]
    (source,) = YAML(typ="safe").load(provisioning / "datasources" / "prometheus.yaml")["datasources"]
    (infinity,) = YAML(typ="safe").load(provisioning / "datasources" / "infinity.yaml")["datasources"]
    assert source["type"] == "prometheus"
    grafana = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["grafana"]
    assert infinity["type"] == load(FUTURE)["templating"]["list"][0]["query"] == grafana["environment"][PLUGINS]
    assert infinity["jsonData"]["allowedHosts"] == [infinity["url"]]
    mounts = grafana["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in mounts
