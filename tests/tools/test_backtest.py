"""`streamer backtest` against the live daemon, against itself, and against errors counted by hand."""

import asyncio
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner

from streamer.cli import app
from streamer.config.loader import load, parse
from streamer.errors import SourceError, StateError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.backtest.audit import PUBLISHED
from streamer.tools.backtest.chart import rounds
from streamer.tools.backtest.page import page
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
    assert first.fast.streams[0].counts.trainings.ended["memoryless", "swapped"] == 1


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


@pytest.mark.parametrize("shape", ["curve", "slots"])
def test_forecasts_have_times_of_their_own(tmp_path: Path, shape: str) -> None:
    """A forecast is recorded at the time of the sample that it was made by, in whatever shape, and compressed where the
    file's name says so, to the same bytes each time."""
    source = write(tmp_path / "waves.jsonl", waves(40))
    config = document(tmp_path, publish={"shape": shape}, retrain={"every": 0, "minimum": 300, "window": 3000})
    files = [tmp_path / "out.jsonl", tmp_path / "out.jsonl.gz", tmp_path / "again.jsonl.gz"]
    for file in files:
        backtest(parse(config, "test"), messages(recording(source), ()), None, file, quiet)
    plain, packed = (list(recording(file)) for file in files[:2])
    assert plain == packed
    assert files[1].read_bytes() == files[2].read_bytes()
    sine = [one.time for one in plain if one.topic == "forecast/waves/sine"]
    assert sine == [START + t for t in range(1, 40)]


def test_trainings_are_not_idle(tmp_path: Path) -> None:
    """A backtest asks for trainings at normal priority: nothing waits beside them."""
    config = parse(document(tmp_path), "test")
    made = Backtest(config, tmp_path / "state", None)
    assert not made.slow.request_of(made.fast.streams[0]).idle
    made.journal.close()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A path for forecasts that cannot be is told before the run."""
    source = write(tmp_path / "waves.jsonl", waves(3))
    config, out = parse(document(tmp_path), "test"), tmp_path / "none" / "out"
    with pytest.raises(StateError, match="none/out: cannot be written"):
        backtest(config, messages(recording(source), ()), None, out, quiet)


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text; every element that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.opened: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.opened == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag != "meta":
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page_with_charts(tmp_path: Path) -> None:
    """--html writes one file that refers to no other: charts of errors and coverage by lead, and series in words."""
    config = document(tmp_path, retrain={"every": 0, "minimum": 300, "window": 3000})
    YAML().dump(config, tmp_path / "config.yaml")
    source = write(tmp_path / "a.jsonl", waves(300))
    command = ["backtest", str(tmp_path / "config.yaml"), str(source), "--html", str(tmp_path / "report.html")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, "")
    text = (tmp_path / "report.html").read_text("utf-8")
    read = Page(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in read.found}
    assert not re.search(r"https?://|url\(", text)
    assert [tag for tag, _ in read.found].count("svg") == 2
    curves = [one for tag, one in read.found if tag == "polyline"]
    assert all(0 <= float(number) <= 640 for one in curves for number in re.findall(r"[\d.-]+", one["points"] or ""))
    assert {"persistence", "published", "linear"} <= set(re.findall(r"</i>([a-z-]+)", text))
    assert re.search(r"waves/sine: \d+ % (better|worse) than 'no change' \d+ ahead.*the band of 80% held", read.words)


def test_a_page_about_names_that_look_like_markup() -> None:
    """Names from the wire are text on the page."""
    errors = {"rmse": [1.0], "of_persistence": [1.0], "skill": [0.1]}
    series = {"series": "<script>x</script>", "models": {PUBLISHED: errors}, "bands": {"coverage": {"0.8": [None]}}}
    one = {"stream": "s", "samples": 1, "leads": [1], "models": {PUBLISHED: errors}, "bands": {}, "series": [series]}
    text = page({"streams": [{**one, "trainings": {}, "rejected": {}}], "unrouted": 1, "messages": 2}, 10)
    assert "<script" not in text
    assert "<script>x</script>: 10 % better than 'no change' 1 ahead." in Page(text).words


@given(st.floats(1e-6, 1e9))
def test_axes_hold_what_they_show(most: float) -> None:
    """The numbers at an axis begin at 0 and end at or above the greatest value, a handful of them."""
    ticks = rounds(most)
    assert (ticks[0], ticks[-1] >= most * (1 - 1e-6)) == (0, True)
    assert 2 <= len(ticks) <= 8


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
