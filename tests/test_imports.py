"""What is imported late: libraries that take seconds to import, or that few users need."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HELP = """
import sys
from streamer.cli import main
sys.argv = ["streamer", "--help"]
try:
    main()
except SystemExit:
    pass
"""
BROKER = """
import asyncio
from streamer.mqtt.broker import embedded_broker
async def main():
    async with embedded_broker("127.0.0.1", 0):
        pass
asyncio.run(main())
"""


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after this code."""
    report = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_what_parsing_needs() -> None:
    """`streamer --help` loads typer and this package, and none of the libraries that do the work."""
    modules = loaded(HELP)
    assert {"streamer", "typer"} <= modules
    assert not modules & {"amqtt", "numpy", "pydantic", "river", "ruamel", "torch"}


@pytest.mark.parametrize("module", ["streamer.app", "streamer.tools.demo", "streamer.tools.backtest.run"])
def test_the_daemon_loads_no_broker_and_no_data_sets(module: str) -> None:
    """Neither amqtt nor river is loaded before an embedded broker starts or the waterflow source is opened."""
    modules = loaded(f"import {module}")
    assert {"streamer", "torch"} <= modules
    assert not modules & {"amqtt", "river"}


@pytest.mark.parametrize(
    ("library", "code"),
    [
        ("river", "from streamer.tools.replay.sources import open_source; open_source('waterflow')"),
        ("amqtt", BROKER),
    ],
)
def test_what_needs_them_loads_them(library: str, code: str) -> None:
    """The waterflow source loads river, an embedded broker amqtt: the names looked for above are the right ones."""
    assert library in loaded(code)
