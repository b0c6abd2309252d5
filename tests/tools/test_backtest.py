"""`streamer backtest` against the live daemon, against itself, and against errors counted by hand."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from typer.testing import CliRunner

from streamer.cli import app
from streamer.config.loader import load, parse
from streamer.errors import SourceError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.backtest.audit import PUBLISHED
from streamer.tools.backtest.report import result, show
from streamer.tools.backtest.run import Backtest, backtest, messages
from streamer.tools.replay.recording import recorded, recording
from streamer.tools.replay.sample import Sample
from streamer.tools.replay.signals import Signal
from tests.broker import Mosquitto
from tests.forecast.common_truths import by_hand
from tests.process import configuration, running

START = 1_750_000_000.0
SPOKEN = {"model": "memoryless", "qos": 1, "retain": False}
"""What is published wherever it is live, however good."""


def payload(time: float, value: float) -> bytes:
    return json.dumps({"time": time, "value": value}).encode()


def waves(ticks: int) -> list[tuple[str, float, bytes]]:
    """Topic, time and payload of two noisy waves, every eleventh sample of the second missing."""
    streams = {name: Signal(name).stream(3) for name in ("sine", "trapezoid")}
    out = []
    for t in range(ticks):
        for name, values in streams.items():
            x = float(next(values))
            if name == "sine" or t % 11:
                out.append((f"waves/{name}", START + t, payload(START + t, x)))
    return out


def write(path: Path, some: list[tuple[str, float, bytes]]) -> Path:
    path.write_bytes(b"".join(recorded(time, topic, data, 1) for topic, time, data in some))
    return path


def quiet(count: int, training: str) -> None:
    """Nobody watches."""


def quick(broker: Mosquitto, directory: Path, **changes: Any) -> dict[str, Any]:
    """A configuration with trainings that are quick, and no good."""
    whole = configuration(broker, directory, **changes)
    return {**whole, "training": {**whole["training"], "epochs": 2, "windows": 320}}


def document(directory: Path, **changes: Any) -> dict[str, Any]:
    """The same where no broker is needed."""
    return quick(Mosquitto(directory), directory, **changes)


def run(directory: Path, source: Path, config: dict[str, Any], models: Path | None = None) -> tuple[Backtest, bytes]:
    """A backtest and the forecasts it wrote."""
    out = directory / "forecasts.jsonl"
    done = backtest(parse(config, "test"), messages(recording(source), ()), models, out, quiet)
    return done, out.read_bytes()


def test_it_computes_as_the_daemon_does(tmp_path: Path) -> None:
    """A backtest computes on one thread, whatever torch was told: on two its bits may differ from live forecasts."""
    torch.set_num_threads(2)
    run(tmp_path, write(tmp_path / "in.jsonl", waves(3)), document(tmp_path))
    assert torch.get_num_threads() == 1


def test_two_runs_are_the_same(tmp_path: Path) -> None:
    """With trainings in them, two backtests of one recording forecast the same, to the last byte."""
    source = write(tmp_path / "waves.jsonl", waves(450))
    (first, one), (_, two) = (run(tmp_path, source, document(tmp_path, publish=SPOKEN)) for _ in range(2))
    assert one == two
    assert b'\\"model\\":\\"memoryless\\"' in one
    assert first.fast.streams[0].counts.retrainings["memoryless", "swapped"] == 1


async def live(
    mosquitto: Mosquitto, directory: Path, some: list[tuple[str, float, bytes]], series: int = 2, **changes: Any
) -> set[bytes]:
    """The forecasts of a running daemon, with at least one swap in the middle."""
    heard: set[bytes] = set()
    ears = mosquitto.config(client_id="ears", session_expiry=0)
    async with (
        Link(ears, ["forecast/#"]) as link,
        running(quick(mosquitto, directory, publish=SPOKEN, **changes), directory) as daemon,
    ):
        await link.ready()
        await daemon.logged("subscribed to")
        async with Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher:
            for number, (topic, _, data) in enumerate(some):
                await publisher.publish(topic, data, 1)
                if number == len(some) * 3 // 4:
                    await publisher.flush()
                    await daemon.logged("swapped stream=waves")
            await publisher.flush()
        async with asyncio.timeout(30):
            async for batch in link.batches():
                heard |= {message.payload for message in batch.messages}
                link.ack(batch)
                if len(heard) == len(some) * (series // 2) - series:
                    break
        assert await daemon.stop() == 0
    return heard


async def test_the_live_networks_give_the_live_forecasts(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A recorded session, backtested with the networks of its state, gives the very forecasts that were published."""
    some = waves(420)
    heard = await live(mosquitto, tmp_path, some)
    source = write(tmp_path / "waves.jsonl", some)
    config = document(tmp_path, publish=SPOKEN)
    done, _ = await asyncio.to_thread(run, tmp_path, source, config, tmp_path / "state")
    assert {sample.payload for sample in recording(tmp_path / "forecasts.jsonl")} == heard
    assert any(b'"model":"memoryless"' in one for one in heard)
    assert not done.pending


async def test_series_of_one_message(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Where a message is several series, they too go live at the ticks they did, and forecast what they did."""
    joint = [(f"waves/{i // 2 % 2}", START + i // 4, i) for i in range(0, 1680, 2)]
    values = list(itertools.islice(Signal("sine").stream(3), 1680))
    some = [
        (topic, time, json.dumps({"time": time, "a": float(values[i]), "b": float(values[i + 1])}).encode())
        for topic, time, i in joint
    ]
    form = {"format": "json", "fields": "*", "time": "time"}
    heard = await live(mosquitto, tmp_path, some, 4, payload=form)
    source, config = write(tmp_path / "waves.jsonl", some), document(tmp_path, publish=SPOKEN, payload=form)
    done, _ = await asyncio.to_thread(run, tmp_path, source, config, tmp_path / "state")
    assert {sample.payload for sample in recording(tmp_path / "forecasts.jsonl")} == heard
    assert any(b'"model":"memoryless"' in one for one in heard)
    assert not done.pending
    names = {one["series"] for one in result(done)["streams"][0]["series"]}
    assert names == {f"waves/{topic}/{part}" for topic in (0, 1) for part in "ab"}


def test_the_errors_are_those_counted_by_hand(tmp_path: Path) -> None:
    """RMSE by lead over the whole run, of persistence, and of what was published, which without a network and other
    forecasters is persistence: its skill is 0."""
    values = np.random.default_rng(0).normal(size=120).cumsum()
    some = [("waves/a", START + t, payload(START + t, x)) for t, x in enumerate(values.tolist())]
    config = document(tmp_path, forecasters=["memoryless"], retrain={"every": 0, "minimum": 300, "window": 3000})
    done, _ = run(tmp_path, write(tmp_path / "a.jsonl", some), config)
    (stream,) = result(done)["streams"]
    assert stream["leads"] == [1, 5, 10]
    for i, lead in enumerate(stream["leads"]):
        # The first forecast is made at tick 1.
        wanted = np.sqrt(np.mean(np.square(values[1 + lead :] - values[1:-lead])))
        for who in ("persistence", "published"):
            assert stream["models"][who]["rmse"][i] == pytest.approx(wanted, rel=1e-9)
            assert stream["models"][who]["skill"][i] == pytest.approx(0)


def test_bands_are_judged_by_what_was_published(tmp_path: Path) -> None:
    """Of each lead the share of values between the published bounds, and their width and Winkler score over the mean
    error of persistence, are those of plain arithmetic over the whole run."""
    values = np.random.default_rng(0).normal(size=400)
    some = [("waves/a", START + t, payload(START + t, x)) for t, x in enumerate(values.tolist())]
    config = document(tmp_path, forecasters=["linear"], retrain={"every": 0, "minimum": 300, "window": 3000})
    done, out = run(tmp_path, write(tmp_path / "a.jsonl", some), config)
    (stream,) = result(done)["streams"]
    messages = [json.loads(json.loads(line)["payload"]) for line in out.splitlines()]
    bounds = np.array([list(one["quantiles"].values()) for one in messages])  # [T, 2, h], the first of tick 1
    for i, lead in enumerate(stream["leads"]):
        truth, low, high = values[1 + lead :], *bounds[:-lead, :, lead - 1].T
        naive = np.abs(truth - values[1:-lead]).mean()
        outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        found = {name: table["0.8"][i] for name, table in stream["bands"].items() if name != "pinball"}
        assert found["coverage"] == pytest.approx(((low <= truth) & (truth <= high)).mean(), abs=0.006)
        assert found["width"] == pytest.approx((high - low).mean() / naive, rel=2e-3)
        assert found["winkler"] == pytest.approx((high - low + outside / 0.1).mean() / naive, rel=2e-3)


def test_models_are_compared_on_the_same_truths(tmp_path: Path) -> None:
    """A forecaster that is silent for a cycle of 20 ticks, in which persistence errs much, is compared with it on the
    rest alone, and persistence with that one."""
    values = np.random.default_rng(0).normal(size=200) * np.where(np.arange(200) < 20, 3, 1)
    some = [("waves/a", START + t, payload(START + t, x)) for t, x in enumerate(values.tolist())]
    config = document(tmp_path, forecasters=["last-20"], season=[20], retrain={"every": 0})
    done, _ = run(tmp_path, write(tmp_path / "a.jsonl", some), config)
    (stream,) = result(done)["streams"]
    at = np.arange(200)
    for i, lead in enumerate(stream["leads"]):
        naive = np.where(at > lead, values - np.roll(values, lead), np.nan)  # the first forecast is made at tick 1
        last = np.where(at >= 20, values - np.roll(values, 20), np.nan)
        found = {who: {key: one[i] for key, one in errors.items()} for who, errors in stream["models"].items()}
        wanted = np.sqrt(np.square([last[20:], naive[20:]]).mean(1))
        assert [found["last-20"]["rmse"], found["last-20"]["of_persistence"]] == pytest.approx(wanted, rel=1e-4)
        assert found["last-20"]["skill"] == pytest.approx(1 - by_hand(last, naive, np.inf), rel=1e-3)
        assert found["persistence"]["mase"] == pytest.approx(by_hand(naive, last, np.inf), rel=1e-3)  # 16-bit codes
        assert (found["persistence"]["skill"], found["last-20"]["mase"]) == (0, 1)


def test_a_table_becomes_a_series_a_column() -> None:
    """Rows without topics are sent column by column on the topics given; too few topics are an error that counts."""
    rows = [Sample(START, (1.0, 2.0))]
    sent = list(messages(rows, ["a", "b"]))
    assert [(one.topic, json.loads(one.payload)["value"], one.arrived) for one in sent] == [
        ("a", 1.0, START),
        ("b", 2.0, START),
    ]
    with pytest.raises(SourceError, match="2 columns and 1 topics"):
        list(messages(rows, ["a"]))


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    """The table names series, models and errors; --json gives the same to programs."""
    config = document(tmp_path, retrain={"every": 0, "minimum": 300, "window": 3000})
    YAML().dump(config, tmp_path / "config.yaml")
    source = write(tmp_path / "a.jsonl", waves(60))
    command = ["backtest", str(tmp_path / "config.yaml"), str(source)]
    table = CliRunner().invoke(app, command, catch_exceptions=False, env={"COLUMNS": "120"})
    as_json = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert load(tmp_path / "config.yaml").streams[0].name == "waves"
    for word in ("waves/sine", "waves/trapezoid", "persistence", "published", "trainings: none"):
        assert word in table.output
    (stream,) = json.loads(as_json.stdout)["streams"]
    assert stream["samples"] == 60 + 54


def test_names_that_look_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A series whose name rich would take for markup is shown as it is."""
    errors = {"rmse": [1.0], "of_persistence": [1.0], "skill": [0.0]}
    one = {
        "stream": "s",
        "samples": 1,
        "leads": [1],
        "models": {PUBLISHED: errors},
        "bands": {},
        "series": [{"series": "[/b]:cat:", "models": {PUBLISHED: errors}, "bands": {}}],
        "trainings": {},
        "rejected": {},
    }
    show({"streams": [one], "unrouted": 0}, 10)
    assert "[/b]:cat:" in capsys.readouterr().out
