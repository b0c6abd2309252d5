"""The newcomer's command, as a newcomer runs it."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from streamer.config import Mqtt
from streamer.mqtt.link import Link


async def forecasts_with_networks(port: int) -> dict[str, Any]:
    """The last message, once the mixtures of all topics have networks; TimeoutError says what there was so far."""
    spoken: dict[str, tuple[str, int]] = {}
    mqtt = Mqtt(url=f"mqtt://127.0.0.1:{port}", protocol="3.1.1", client_id="newcomer", reconnect_max=0.2)
    try:
        async with asyncio.timeout(300), Link(mqtt, ["forecast/#"]) as link:
            async for batch in link.batches():
                for message in batch.messages:
                    shape: dict[str, Any] = json.loads(message.payload)
                    spoken[message.topic] = shape["model"], shape["version"]
                link.ack(batch)
                if {"forecast/demo/building/temperature", "forecast/demo/waves/sine"} <= spoken.keys() and all(
                    model == "mix" and version > 0 for model, version in spoken.values()
                ):
                    return shape
    except TimeoutError:
        raise TimeoutError(f"by then the last forecasts were {spoken}") from None
    raise AssertionError("the link ended by itself")


async def test_the_demo_ends_up_forecasting_with_networks_of_its_own(tmp_path: Path) -> None:
    """`streamer demo` opens its page and serves a broker on which any client sees forecasts of all series, with
    networks before long, which it says; at the end it says in words how far off they were."""
    command = (sys.executable, "-m", "streamer", "demo", "--port", "0", "--metrics-port", "0", "--open")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    demo = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "BROWSER": f"{browser} %s"},
    )
    assert demo.stdout is not None
    text = ""
    ended = asyncio.Event()

    async def read(until: str | None) -> None:
        nonlocal text
        assert demo.stdout is not None
        while until is None or until not in text:
            line = await demo.stdout.readline()
            if not line:
                ended.set()
                return
            text += line.decode()

    try:
        async with asyncio.timeout(60):
            await read(until="Metrics for")
        ports = re.findall(r"(?:mosquitto_sub -p |Metrics for Prometheus: .*:)(\d+)", text)
        assert len(ports) == 2, text
        reading = asyncio.create_task(read(until=None))
        listening = asyncio.create_task(forecasts_with_networks(int(ports[0])))
        await asyncio.wait([reading, listening], return_when=asyncio.FIRST_COMPLETED)
        assert not ended.is_set(), f"the demo ended by itself:\n{text}"
        try:
            shape = await listening
        except TimeoutError as late:
            raise AssertionError(f"{late}\n{text[-3000:]}") from None
        reader, writer = await asyncio.open_connection("127.0.0.1", int(ports[1]))
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        metrics = (await reader.read()).decode()
        writer.close()
        demo.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            await reading
            await demo.wait()
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
    assert demo.returncode == 0, text
    assert list(shape) == ["series", "time", "interval", "model", "version", "mean", "quantiles"]
    assert [len(shape["mean"]), *map(len, shape["quantiles"].values())] == [40, 40, 40]
    assert 'streamer_forecast_rmse{lead="40",model="persistence",stream="waves"}' in metrics
    assert 'streamer_mix_weight{lead="40",model="memoryless",stream="waves"}' in metrics
    assert "Networks live at the end: building memoryless+traditional" in " ".join(text.split())
    assert re.search(r"new in building: memoryless and traditional network, version 1", text)
    assert (tmp_path / "opened").read_text() == f"http://127.0.0.1:{ports[1]}/\n"
    far = re.search(r"building/temperature: [0-9.]+ times 15 min ahead, ([0-9.]+) times 10 h", text)
    assert far
    assert float(far.group(1)) < 0.5, text[-2000:]
    assert "WARNING" not in text
    assert "Traceback" not in text
