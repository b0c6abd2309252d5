"""A real Prometheus for tests, with the configuration and the rules of deploy/prometheus, and the daemon as target."""

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.broker import free_port, program

DEPLOY = Path(__file__).parents[2] / "deploy"


class Prometheus:
    """Its HTTP API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1/"

    async def get(self, path: str, **query: str) -> Any:
        """What it answers, or the reason it gives for not answering."""
        return await asyncio.to_thread(self._get, f"{path}?{urllib.parse.urlencode(query)}")

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.read().decode()}") from error

    async def query(self, expression: str) -> list[Any]:
        """The instant vector of an expression now."""
        result: list[Any] = (await self.get("query", query=expression))["result"]
        return result


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """A server that scrapes the target and evaluates the rules once a second."""
    command = program("prometheus")
    config = YAML(typ="safe").load(DEPLOY / "prometheus" / "prometheus.yaml")
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    file, port = folder / "prometheus.yaml", free_port()
    YAML().dump(config, file)
    options = (f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}")
    server = (f"--web.listen-address=127.0.0.1:{port}", "--log.level=error")
    process = await asyncio.create_subprocess_exec(command, *options, *server)
    try:
        made = Prometheus(port)
        await until(made, "1")
        yield made
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until(server: Prometheus, expression: str, seconds: float = 20) -> None:
    """Returns when the expression has data; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            with suppress(urllib.error.URLError, AssertionError):  # not up yet
                if await server.query(expression):
                    return
            await asyncio.sleep(0.05)
