"""The daemon is killed again and again during a replay: nothing is lost, nothing is stepped twice, no bit differs."""

import random
from pathlib import Path

from tests.broker import Mosquitto
from tests.daemon import tick_kills
from tests.daemon.kills import after, at_snapshot, survive, two_streams


async def test_a_killed_daemon_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL in mid-stream, right after the start and around a snapshot: every sample that was published is in the
    journal once, also where only its packet identifier tells it from a repeated one, the last states are those of a
    lane that never stopped, to the last bit, and each forecast of that lane was published."""
    rng = random.Random(0)
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config = two_streams(broker, tmp_path, retrain={"every": 0, "minimum": 300, "window": 100_000})
        state = Path(config["state"]["path"])
        some = [after(rng.randrange(1, 200)), at_snapshot(state), after(0), after(rng.randrange(1, 1000))]
        print(await survive(config, tmp_path, broker, some))


async def test_a_daemon_killed_within_ticks(tmp_path: Path) -> None:
    """SIGKILL while ticks are open, of whose readings the daemon makes a mean or a meter's difference: forecasts,
    states and what is known of open ticks are, to the last bit, those of a lane that never stopped."""
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config = tick_kills.two_streams(broker, tmp_path)
        print(await tick_kills.survive(config, tmp_path, broker, [after(20), after(3), after(70)]))
