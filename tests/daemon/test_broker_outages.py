"""The daemon through outages of its broker: nothing that it accepted is lost, nothing is stepped twice."""

import asyncio
from pathlib import Path

from tests.broker import Mosquitto, until, write_password
from tests.daemon.outages import Sensor, through
from tests.process import configuration, get, running, served


async def test_a_broker_that_is_killed_loses_nothing_accepted(tmp_path: Path) -> None:
    """The broker is killed and returns, twice, and the sensor repeats what was not journaled: every sample is in the
    journal once, in order, and was stepped once."""
    async with Mosquitto(tmp_path, persistence="true") as broker:
        sensor = Sensor(broker.config(client_id="sensor"), [f"waves/{name}" for name in "abc"])
        config = configuration(broker, tmp_path, retrain={"every": 0})
        await through([0, 0], sensor, broker, config, tmp_path, kill=True)


async def test_wrong_credentials_are_mended_without_a_restart(tmp_path: Path) -> None:
    """A broker that refuses the password is told once with the settings to check, /readyz says 503, and when the
    broker's administrator has mended its password file the daemon gets in by itself."""
    passwords = tmp_path / "passwords"
    await asyncio.to_thread(write_password, passwords, "streamer", "another")
    async with Mosquitto(tmp_path, allow_anonymous="false", password_file=str(passwords)) as broker:
        config = configuration(broker, tmp_path)
        config["mqtt"] |= {"username": "streamer", "password": "hunter2"}
        async with running(config, tmp_path) as daemon:
            url = await served(daemon)
            refused = await daemon.logged("refused the connection")
            assert "check mqtt.username" in refused
            status, why = await asyncio.to_thread(get, f"{url}/readyz")
            assert (status, "not connected" in why) == (503, True)
            await asyncio.to_thread(write_password, passwords, "streamer", "hunter2")
            broker.reload()
            await daemon.logged("subscribed to")
            # The line is written a moment before the link calls itself subscribed.
            await until(lambda: get(f"{url}/readyz")[0] == 200)
            assert await daemon.stop() == 0
        assert sum("refused" in line for line in daemon.lines) == 1
        assert "hunter2" not in "".join(daemon.lines)
