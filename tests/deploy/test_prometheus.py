"""Rules and dashboards against Prometheus itself: its checker, its rule tests, and a server that scrapes the daemon."""

import asyncio
import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import signal as wave
from tests.broker import Mosquitto, free_port, program
from tests.deploy.dashboards import FILES, expressions, filled, load
from tests.deploy.prometheus import DEPLOY, Prometheus, prometheus, until
from tests.process import configuration, running

RULES = DEPLOY / "prometheus"
TESTS = Path(__file__).parent
RUNBOOK = (DEPLOY / "README.md").read_text(encoding="utf-8")
SERIES = "waves/a (1)"  # Grafana escapes nothing of a single choice, so this is no regular expression for itself
CHOICES = {
    "__rate_interval": "10s",
    "instance": ".+",
    "stream": ".+",
    "model": "memoryless",
    "lead": "1",
    "series": SERIES,
    "element": "0",
}
NAMES = re.compile(r"\b(?:streamer_\w+|streamer:[\w:]+|process_\w+|up)\b(?!\s*\()")


def rules(file: str) -> list[dict[str, Any]]:
    return [rule for group in YAML(typ="safe").load(RULES / file)["groups"] for rule in group["rules"]]


ALERTS = rules("alerts.yaml")
RECORDS = rules("recording.yaml")


def promtool(*arguments: str | Path, text: str = "") -> None:
    command = [program("promtool", "prometheus"), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules() -> None:
    """`promtool check` finds the configuration, its rule files and every rule in order."""
    promtool("check", "config", RULES / "prometheus.yaml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES / "recording.yaml", RULES / "alerts.yaml")


def test_every_alert_fires_and_resolves() -> None:
    """promtool's rule tests pass, and hold for each alert a moment when it fires and one when it does not."""
    files = [TESTS / "alerts_minutes.yaml", TESTS / "alerts_days.yaml"]
    promtool("test", "rules", *files)
    seen: dict[str, set[bool]] = {}
    for file in files:
        for group in YAML(typ="safe").load(file)["tests"]:
            for moment in group["alert_rule_test"]:
                seen.setdefault(moment["alertname"], set()).add(bool(moment.get("exp_alerts")))
    assert seen == {alert["alert"]: {True, False} for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_has_a_runbook(alert: dict[str, Any]) -> None:
    """deploy/README.md has a section of the alert's name, which the alert points to, and it says what to do."""
    assert alert["annotations"]["runbook_url"] == f"deploy/README.md#{alert['alert'].lower()}"
    section = re.search(rf"^### {alert['alert']}\n(.*?)(?=^#|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert section, alert["alert"]
    assert len(section.group(1)) > 100
    assert alert["labels"]["severity"] in ("critical", "warning")


async def test_every_expression_is_answered_on_a_running_daemon(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Prometheus, scraping a daemon that forecasts, trains and swaps, answers every dashboard query, every variable and
    every recording rule with data, evaluates every alert without error, and knows every metric they name; `promtool
    check metrics` finds nothing in what the daemon shows."""
    config, port = configuration(mosquitto, tmp_path), free_port()
    config["metrics"] = {"port": port, "per_series": 5}
    config["training"] |= {"epochs": 2, "windows": 200}
    config["streams"][0]["season"] = [7]
    config["streams"][0] |= {"thresholds": [{"name": "high", "above": 0.0}], "surprise": {}}
    mouth = mosquitto.config(client_id="mouth", session_expiry=0)
    target = f"127.0.0.1:{port}"
    async with (
        running(config, tmp_path) as daemon,
        Publisher(mouth) as publisher,
        prometheus(tmp_path, target) as server,
    ):
        await daemon.logged("subscribed to")
        await publisher.publish(SERIES, b"?", 1)
        await until(server, "streamer_retrainings_total")  # seen at 0: what comes next is an increase
        samples = play(wave("sine", 0, 1.0), publisher.publish, Pace(rate=300), Form(SERIES, qos=1))
        flow = asyncio.create_task(samples)
        await daemon.logged("swapped stream=waves")
        await answered(server)
        flow.cancel()
        exposed = await asyncio.to_thread(urllib.request.urlopen, f"http://{target}/metrics")
        with exposed:
            promtool("check", "metrics", text=exposed.read().decode())


async def answered(server: Prometheus) -> None:
    """Nothing but alerts may be without data: nothing is wrong with this daemon."""
    asked = [(title, filled(expr, CHOICES)) for file in FILES for title, expr in expressions(load(file))]
    asked += [(rule["record"], rule["record"]) for rule in RECORDS]
    assert len(asked) > 50
    end = time.monotonic() + 20
    missing = asked
    while missing and time.monotonic() < end:
        missing = [(title, expr) for title, expr in missing if not await server.query(expr)]
    assert not missing
    for alert in ALERTS:
        await server.query(alert["expr"])
    known = set(await server.get("label/__name__/values"))
    everything = [expr for _, expr in asked] + [rule["expr"] for rule in ALERTS + RECORDS]
    named = {name for expr in everything for name in NAMES.findall(re.sub(r'"[^"]*"', '""', expr))}
    assert named <= known, named - known
    groups = (await server.get("rules"))["groups"]
    unwell = [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert not unwell, json.dumps(unwell, indent=1)
