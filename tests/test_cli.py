"""What users type, as they type it: exit codes, one-line errors, help that holds what it promises."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command
from typer.testing import CliRunner

from streamer.cli import app
from streamer.config.loader import reference

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]

SECRET = "streams: [{name: a, topics: [a]}]\nmqtt: {url: mqtt://h, password: s3cret}\n"


def streamer(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m streamer` with these arguments, on a wide terminal, with no override but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    return subprocess.run(
        [sys.executable, "-m", "streamer", *map(str, arguments)],
        cwd=ROOT,
        env={**kept, "COLUMNS": "200", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def shown(*arguments: str) -> str:
    """The help of a command, its boxes and line ends taken away."""
    done = CliRunner().invoke(
        app, [*arguments, "--help"], prog_name="streamer", env={"COLUMNS": "200", "NO_COLOR": "1"}
    )
    assert (done.exit_code, done.stderr) == (0, "")
    return " ".join(re.sub(r"[─│╭╮╰╯]", " ", done.stdout).split())


def failed(code: int, *arguments: str | Path, **environment: str) -> str:
    """What a failing command writes on standard error: no traceback, nothing on standard output."""
    done = streamer(*arguments, **environment)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_check_good() -> None:
    """A good configuration is printed whole, as JSON with its defaults, and ends with 0."""
    done = streamer("check", "configs/minimal.yaml")
    good, plant = done.stderr.splitlines()
    assert (done.returncode, good) == (0, "configs/minimal.yaml: good")
    assert plant.startswith("plant: horizon 40 samples; seasons: day, week; first network after 1,000 samples")
    printed = json.loads(done.stdout)
    assert printed["mqtt"]["url"] == "mqtt://localhost:1883"
    assert printed["streams"][0]["model"]["m"] == 70


@pytest.mark.parametrize("keys", ["publish: {model: holt}", "forecasters: [linear, holt]"])
def test_check_of_forecasters(tmp_path: Path, keys: str) -> None:
    """A forecaster that there is not is named, beside those that there are, and ends with 78."""
    path = tmp_path / "c.yaml"
    path.write_text(f"mqtt: {{url: 'mqtt://localhost'}}\nstreams: [{{name: s, topics: [t], {keys}}}]\n")
    done = streamer("check", str(path))
    assert done.returncode == 78
    assert f"streams: s: {keys.split(':')[0]}" in done.stderr
    assert "there is no holt; there are" in done.stderr
    assert "linear-week, memoryless, traditional" in done.stderr


def test_check_of_files(tmp_path: Path) -> None:
    """Files that the configuration names and this machine does not have are told: they may be on another one."""
    (tmp_path / "ca.crt").touch()
    path = tmp_path / "c.yaml"
    path.write_text(
        f"mqtt: {{url: 'mqtts://localhost', username: u, password_file: {tmp_path}/none,"
        f" tls: {{ca_file: {tmp_path}/ca.crt}}}}\nstreams: [{{name: s, topics: [t]}}]\n"
        f"metrics: {{token_file: {tmp_path}/gone}}\n"
    )
    done = streamer("check", str(path))
    keys = {"mqtt.password_file": "none", "metrics.token_file": "gone"}
    told = [
        f"{path}: {key}: there is no {tmp_path}/{name} on this machine; run needs it\n" for key, name in keys.items()
    ]
    assert done.returncode == 0
    assert done.stderr.startswith(f"{path}: good\n")
    assert done.stderr.endswith("".join(told))


def test_check_masks(tmp_path: Path) -> None:
    """The password, from the file or the environment, is not in what is printed."""
    path = tmp_path / "c.yaml"
    path.write_text(SECRET)
    done = streamer("check", path, STREAMER_MQTT__CLIENT_ID="other")
    assert done.returncode == 0
    assert "s3cret" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["mqtt"]["password"].strip("*") == ""
    assert json.loads(done.stdout)["mqtt"]["client_id"] == "other"


def test_check_bad(tmp_path: Path) -> None:
    """A bad configuration ends with 78 and every problem on standard error."""
    path = tmp_path / "c.yaml"
    path.write_text(SECRET.replace("url", "ulr"))
    assert failed(78, "check", path) == (
        f"streamer: {path}: 2 problems\n  mqtt.ulr: unknown key; did you mean url?\n  mqtt.url: required; add it\n"
    )


@pytest.mark.parametrize("command", ["check", "run"])
def test_missing_file(command: str) -> None:
    """A configuration that is not there ends with 78 and one line that names it."""
    error = failed(78, command, "/no/such.yaml")
    assert error.startswith("streamer: /no/such.yaml: cannot be read (No such file or directory)")
    assert error.count("\n") == 1


def test_malformed_environment() -> None:
    """A malformed override ends with 78 and one line."""
    error = failed(78, "check", "configs/minimal.yaml", STREAMER_MQTT="x")
    assert error.startswith("streamer: the environment: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "run"])
def test_unknown_environment(command: str) -> None:
    """A variable that overrides nothing, as one with a single underscore, ends with 78 and one line that names it."""
    error = failed(78, command, "configs/minimal.yaml", STREAMER_MQTT_PASSWORD="s3cret")
    assert error.startswith("streamer: the environment: STREAMER_MQTT_PASSWORD: overrides no key")
    assert error.count("\n") == 1
    assert "s3cret" not in error


def test_number_from_the_environment() -> None:
    """A number overridden by the environment is printed as the number it is."""
    done = streamer("check", "configs/minimal.yaml", STREAMER_MQTT__QOS="0")
    assert (done.returncode, json.loads(done.stdout)["mqtt"]["qos"]) == (0, 0)


def test_bad_as_a_whole(tmp_path: Path) -> None:
    """What is wrong only with several keys together is listed as any other problem."""
    path = tmp_path / "c.yaml"
    path.write_text(SECRET + "metrics: {leads: [41]}\n")
    assert failed(78, "check", path) == (
        f"streamer: {path}: 1 problem\n  metrics.leads: no stream forecasts further than 40 ticks ahead\n"
    )


def test_schema() -> None:
    """The schema printed is JSON Schema."""
    done = streamer("schema")
    assert (done.returncode, done.stderr) == (0, "")
    Draft202012Validator.check_schema(json.loads(done.stdout))


def test_schema_reference() -> None:
    """With --reference it prints the reference file, to the last line end."""
    done = streamer("schema", "--reference")
    assert (done.returncode, done.stdout) == (0, reference())


def test_unknown_source() -> None:
    """A replay of what is no source ends with 66 and one line that lists what there is."""
    error = failed(66, "replay", "nosuch")
    assert error.startswith("streamer: 'nosuch' is no source: there are sine, ")
    assert error.count("\n") == 1


def test_unknown_broker() -> None:
    """A replay to what is no broker ends with 78."""
    assert failed(78, "replay", "sine", "--topic", "t", "--broker", "localhost").startswith("streamer: the broker: ")


def test_usage() -> None:
    """An unknown command, or none, ends with 2 and says so."""
    assert "No such command 'ruin'" in failed(2, "ruin")
    assert "'loud' is not one of" in failed(2, "run", "configs/minimal.yaml", "--log-level", "loud")
    done = streamer()
    assert done.returncode == 2
    assert "Usage: " in done.stdout


def test_an_unknown_cell_is_named_with_those_there_are() -> None:
    """`streamer bench` takes the cells of `model.cell`, whatever they are."""
    done = streamer("bench", "--cell", "elman")
    assert done.returncode == 2
    assert "'elman' is no cell: choose one of rnn, gru, lstm" in done.stderr
    assert "slstm" in done.stderr


def test_version() -> None:
    """--version prints the version that pip knows, and ends."""
    done = streamer("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"streamer {version('streamer')}\n", "")


@pytest.mark.parametrize(
    ("typed", "offered"), [("streamer rep", {"replay", "reproduce"}), ("streamer demo --o", {"--open"})]
)
def test_completion(typed: str, offered: set[str]) -> None:
    """A shell that asks what may stand where the cursor is gets the commands or options that begin so."""
    words = typed.split()
    asked = {"_STREAMER_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    program = "import sys; from streamer.cli import main; sys.argv = ['streamer']; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == offered, done.stderr


def test_help() -> None:
    """The help of the program names every command, and where to start."""
    text = shown()
    assert "streamer demo" in text
    assert all(f" {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str) -> None:
    """Every command explains itself; every example in it names a command there is."""
    text = shown(command)
    assert "Usage: " in text
    assert set(re.findall(r"streamer (\w+)", text)) - {"data"} <= {*COMMANDS, command}


@pytest.mark.parametrize(
    ("command", "promise"),
    [
        ("run", "Exit codes: 0 stopped, 78 bad configuration"),
        ("run", "Any key outside streams can be overridden by the environment: STREAMER_MQTT__PASSWORD"),
        ("check", "exit code 78"),
        ("schema", "streamer schema > streamer.schema.json"),
        ("replay", "Examples: streamer replay waterflow"),
        ("replay", "streamer replay data.csv --column OT"),
        ("demo", "forecast/#"),
        ("reproduce", "pip install 'streamer[paper]'"),
    ],
)
def test_help_holds(command: str, promise: str) -> None:
    """Exit codes and examples stand in the help where a user looks for them."""
    assert promise in shown(command)
