"""`streamer run`: the daemon."""

import asyncio
import signal
import sys
from enum import StrEnum
from typing import Annotated

import typer

from streamer.cli.options import ConfigPath


class LogFormat(StrEnum):
    """How a log line looks."""

    text = "text"
    json = "json"


class LogLevel(StrEnum):
    """Lowest level that is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


Format = Annotated[LogFormat, typer.Option(help="text for people, json for log collectors.")]
Level = Annotated[LogLevel, typer.Option(help="Lowest level that is logged.")]


def run(config: ConfigPath, log_format: Format = LogFormat.text, log_level: Level = LogLevel.info) -> None:
    """Forecast until SIGTERM or Ctrl-C; SIGHUP reloads streams and training from CONFIG.

    Any key outside streams can be overridden by the environment: STREAMER_MQTT__PASSWORD sets mqtt.password.
    Exit codes: 0 stopped, 78 bad configuration, 69 port not available, 73 state not writable.
    """
    from streamer.config.loader import load
    from streamer.observe import logs

    # Until the daemon sets its own handlers: its imports take seconds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logs.configure(log_format.value, log_level.value)
    parsed = load(config)
    from streamer.app import run as run_daemon

    asyncio.run(run_daemon(parsed, config))
