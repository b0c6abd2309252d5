"""The unit, the image, compose, Kubernetes and CI: checked by their own tools where they are installed, and for what
this project promises everywhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamer.config.loader import load
from tests.deploy.prometheus import DEPLOY

KUBERNETES = DEPLOY / "kubernetes"
UNIT = DEPLOY / "systemd" / "streamer.service"
ROOT = DEPLOY.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yaml"
GENERATED = {"ca.crt", "server.crt", "server.key", "passwords", "streamer_password", "grafana_password"}
WORST = 5.0
"""Exposure from which on `systemd-analyze security` no longer says OK."""


def optional(name: str) -> str:
    """A program that only some machines have; the test is skipped on the others."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; deploy/README.md says where it comes from")
    return found


def said(*command: str | Path) -> str:
    """What the program says, on either channel; it must end with 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documents(text: str) -> list[Any]:
    return list(YAML(typ="safe").load_all(text))


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about the unit, but for the program that is not installed here."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(encoding="utf-8"), flags=re.M))
    assert said(optional("systemd-analyze"), "verify", "--man=no", unit) == ""


def test_the_unit_is_closed_to_what_it_does_not_need() -> None:
    """`systemd-analyze security` scores the unit OK."""
    told = said(optional("systemd-analyze"), "security", "--offline=true", "--no-pager", UNIT)
    score = re.search(r"Overall exposure level for streamer.service: ([\d.]+) (\w+)", told)
    assert score, told
    assert float(score.group(1)) < WORST, told


def test_the_image_is_built_as_its_linter_wants() -> None:
    """hadolint finds nothing in the Dockerfile."""
    assert said(optional("hadolint"), DEPLOY / "Dockerfile") == ""


def test_the_image_runs_as_nobody_and_knows_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last stage has a numeric user, and the variables it sets override keys that exist."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)
    for name, value in re.findall(r"(STREAMER_\w+)=(\S+)", text):
        monkeypatch.setenv(name, value)
    config = load(DEPLOY / "streamer.yaml")
    assert (config.metrics.host, str(config.state.path)) == ("0.0.0.0", "/var/lib/streamer")
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    for path in " ".join(copied).split():
        assert (DEPLOY.parent / path).exists(), path
        assert f"!{path}\n" in ignored, path


def test_machine_code_is_kept_where_the_daemon_may_write() -> None:
    """Unit, image, compose and pod name the same directory for numba's cache, and the daemon may write it."""
    image, unit = (path.read_text(encoding="utf-8") for path in (DEPLOY / "Dockerfile", UNIT))
    (folder,) = {found for text in (image, unit) for found in re.findall(r"NUMBA_CACHE_DIR=(\S+)", text)}
    assert f"CacheDirectory={Path(folder).name}\nCacheDirectoryMode=0700\n" in unit
    assert Path(folder).parent == Path("/var/cache")
    assert re.search(rf"install -d -o 10001 -g 10001 -m 0700 .*{folder}$", image, re.MULTILINE)
    assert f"cache:{folder}" in YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["streamer"]["volumes"]
    (workload,) = documents((KUBERNETES / "statefulset.yaml").read_text(encoding="utf-8"))
    pod = workload["spec"]["template"]["spec"]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["mountPath"] == folder]
    assert "emptyDir" in next(one for one in pod["volumes"] if one["name"] == mount["name"])


def test_compose_is_what_its_schema_wants() -> None:
    """check-jsonschema accepts compose.yaml."""
    said(optional("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_alertmanager_takes_its_configuration() -> None:
    """`amtool check-config` accepts the file, and compose mounts it where its command says."""
    folder = DEPLOY / "alertmanager"
    service = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["alertmanager"]
    (told,) = [one.partition("=")[2] for one in service["command"] if one.startswith("--config.file")]
    (mounted,) = [one.split(":")[1] for one in service["volumes"] if one.startswith("./alertmanager")]
    assert (folder / Path(told).relative_to(mounted)).exists()
    assert "SUCCESS" in said(optional("amtool"), "check-config", folder / Path(told).name)


def test_compose_closes_its_containers_and_mounts_what_exists() -> None:
    """No service may write its root, gain privileges or keep a capability; every file mounted is here or generated."""
    compose = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in compose["volumes"] if source[0] != "." else (DEPLOY / source).exists(), volume
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
    files = {secret["file"].removeprefix("./secrets/") for secret in compose["secrets"].values()}
    assert files == GENERATED


def test_the_pod_is_closed_and_probed() -> None:
    """The container runs as a user of its own, on a root it cannot write, without capabilities; its probes are those of
    the daemon, and its volumes are defined."""
    (workload,) = documents((KUBERNETES / "statefulset.yaml").read_text(encoding="utf-8"))
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert workload["spec"]["replicas"] == 1
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    claims = [claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]]
    defined = {volume["name"] for volume in pod["volumes"]} | set(claims)
    assert {mount["name"] for mount in container["volumeMounts"]} == defined
    assert load(KUBERNETES / "streamer.yaml").mqtt.password_file == Path("/run/secrets/mqtt/password")


@pytest.mark.parametrize("operator", [False, True])
def test_kustomize_puts_the_manifests_together(tmp_path: Path, operator: bool) -> None:
    """`kubectl kustomize` gives every object once, in the namespace, and a PodMonitor that selects the pod if asked."""
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    file = tmp_path / "kubernetes" / "kustomization.yaml"
    if operator:
        file.write_text(file.read_text(encoding="utf-8").replace("# - podmonitor", "- podmonitor"), encoding="utf-8")
    made = documents(said(optional("kubectl"), "kustomize", file.parent))
    kinds = sorted(document["kind"] for document in made)
    others = ["PodMonitor"] if operator else []
    assert kinds == ["ConfigMap", "Namespace", "NetworkPolicy", *others, "Service", "StatefulSet"]
    by_kind = {document["kind"]: document for document in made}
    assert all(one["metadata"]["namespace"] == "streamer" for kind, one in by_kind.items() if kind != "Namespace")
    labels = by_kind["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    if operator:
        assert by_kind["PodMonitor"]["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_workflow_is_what_its_schema_wants() -> None:
    """check-jsonschema accepts the workflow of GitHub Actions."""
    said(optional("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", WORKFLOW)


def test_the_workflow_may_read_only_and_runs_everything() -> None:
    """Every job runs .ci/run with no right but to read, within a time limit, from the oldest Python supported on."""
    workflow = YAML(typ="safe").load(WORKFLOW)
    oldest = re.search(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert oldest
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 60
        assert job["strategy"]["matrix"]["python"][0] == oldest.group(1)
        assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_hooks_check_what_the_test_command_checks() -> None:
    """The hooks of pre-commit are the checks of tests/run before pytest, from the environment that README.md makes."""
    (hooks,) = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    told = (ROOT / "tests" / "run").read_text(encoding="utf-8")
    checks = re.findall(r'^"\$python" -m (ruff \w+|mypy)|/(lint-imports)"', told, re.MULTILINE)
    entries = [re.match(r"\.venv/bin/(ruff \w+|[\w-]+)", hook["entry"]) for hook in hooks["hooks"]]
    assert hooks["repo"] == "local"
    assert [entry and entry.group(1) for entry in entries] == [one or other for one, other in checks]
    assert {hook["language"] for hook in hooks["hooks"]} == {"system"}
