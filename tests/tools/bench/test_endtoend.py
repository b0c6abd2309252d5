"""The daemon measured from outside: what is sent, what is made of what is heard, and one short run of it all."""

import asyncio
import multiprocessing as mp
import time
from ctypes import c_int64
from typing import Any, cast

import numpy as np
import orjson
import pytest

from streamer.mqtt.link import Link
from streamer.records import Outgoing
from streamer.tools.bench.clients import PAUSE, WINDOW, Heard, Sender, Sent, Site
from streamer.tools.bench.endtoend import Load, daemon, figures
from tests.broker import program, until

SITE = Site("mqtt://127.0.0.1:1", "5", 1, 10)


class Wire:
    """Where a link would be: keeps what is published."""

    def __init__(self) -> None:
        self.out: list[Outgoing] = []

    def publish(self, messages: list[Outgoing]) -> None:
        self.out += messages


def sender(heard: int = 0) -> tuple[Sender, Wire]:
    wire = Wire()
    return Sender(cast(Link, wire), SITE, mp.get_context("spawn").Value(c_int64, heard)), wire


def test_percentiles_rate_and_losses() -> None:
    """Latencies are in milliseconds, the rate counts answers up to the last, and what was not answered is lost."""
    latency = np.arange(1, 101) / 1000
    found = figures(Sent(110, 1000.0, np.array([0.0, 0.002])), Heard(latency, 1004.0))
    assert found["p50_ms"] == pytest.approx(50.5)
    assert found["p99_ms"] == pytest.approx(99.01)
    assert found["rate"] == 25.0
    assert found["late_ms"] == pytest.approx(1.98)
    assert found["lost"] == 10


def test_a_subject_that_never_answers() -> None:
    """Without an answer there is no latency, no rate, and everything is lost."""
    found = figures(Sent(7, 1000.0, np.zeros(1)), Heard(np.zeros(0), 0.0))
    assert (found["rate"], found["p50_ms"], found["lost"]) == (0.0, None, 7)


async def test_samples_at_a_rate_bear_the_time_of_their_sending() -> None:
    """All samples of the rate go out, the series in turn, none before its moment, each series' times rising."""
    begun = time.time()
    out, wire = sender()
    sent = await out.at_rate(2000.0, 0.1)
    assert sent.samples == len(wire.out) == 200
    assert {message.qos for message in wire.out} == {1}
    assert sent.late.min() > -1e-9
    documents = [orjson.loads(message.payload) for message in wire.out]
    assert begun - 1e-3 <= documents[0]["time"]
    assert documents[-1]["time"] >= sent.began + 199 / 2000 - 1e-3
    for series in range(SITE.series):
        assert (np.diff([one["time"] for one in documents[series :: SITE.series]]) > 0).all()
        assert len({message.topic for message in wire.out[series :: SITE.series]}) == 1


async def test_saturation_keeps_to_its_window() -> None:
    """Without an answer no more samples go out than the window holds; each answer makes room for one."""
    out, wire = sender()
    sending = asyncio.create_task(out.at_once(60.0))
    for answered in (0, 100):
        out.heard.value = answered
        await until(lambda due=WINDOW + answered: len(wire.out) >= due)  # type: ignore[misc]
        for _ in range(5):
            await asyncio.sleep(PAUSE)
        assert len(wire.out) == WINDOW + answered
    sending.cancel()


@pytest.mark.parametrize("qos", [1])
def test_the_daemon_end_to_end(qos: int) -> None:
    """Through a real broker every sample is answered, at saturation and at each share of it, and everything is
    measured."""
    program("mosquitto")
    told: list[str] = []
    rows = daemon(20, "rnn", qos, Load(0.1, 0.2, 0.2, training=0.5), told.append)
    assert [row["load"] for row in rows] == ["saturation", "10%", "50%", "90%", "50%, training"]
    assert len(told) == 6
    for row in rows:
        checked: dict[str, Any] = {name: row[name] for name in ("rate", "resident_mib")}
        assert min(checked.values()) > 0
        assert row["lost"] == 0
        assert (row["qos"], row["broker"]) == (qos, "mosquitto")
        assert (row["p50_ms"] is None) == (row["load"] == "saturation")
        assert row["p50_ms"] is None or 0 < row["p50_ms"] <= row["p99_ms"]
    assert rows[0]["cpu_us"] > 0
