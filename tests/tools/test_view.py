"""What the demo's terminal shows, on a real pseudo-terminal of two sizes, and what it says of networks."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyte
import pytest

from streamer.observe.views import detail
from streamer.tools.view import View
from tests.streams import fast_lane, feed, sample, timed

NUMBER, LENGTH = r"-?[0-9.]+", r"[0-9.]+ (s|min|h)"
ERRORS = rf"  error ([0-9.]+|–) times that of 'no change' {LENGTH} ahead, ([0-9.]+|–) times {LENGTH} ahead"
LINES = (
    r"See the forecasts in a browser:  http://127\.0\.0\.1:\d+/",
    r"or in any MQTT client:           mosquitto_sub -p \d+ -t 'forecast/#'",
    r"Metrics for Prometheus:          http://127\.0\.0\.1:\d+/metrics",
    r"No data repeat\. Ctrl-C stops it\.",
    rf"building/temperature: {NUMBER} °C now, {NUMBER} °C in 10 h, 8 in 10 times {NUMBER} to {NUMBER}",
    rf"waves/(sine|trapezoid): {NUMBER} now, {NUMBER} in 0\.4 s, 8 in 10 times {NUMBER} to {NUMBER}",
    r"(building/temperature|waves/(sine|trapezoid)): one sample so far",
    rf"(building/temperature|waves/(sine|trapezoid)): {NUMBER}( °C)? now, {NUMBER}( °C)? in {LENGTH}",
    ERRORS,
    rf"  who speaks {LENGTH} ahead: ([a-z' ]+ \d+%(, )?)+",
    r"\d\d:\d\d:\d\d new in \w+: [a-z ]+ network, version \d+",
    rf"\d\d:\d\d:\d\d the \w+ network takes over \d+% of [a-z/]+ {LENGTH} ahead",
    r"Now: .+",
)
"""Each is whole on one line; nothing else is shown."""


class Terminal:
    """`streamer demo` on a pseudo-terminal; the screen has room to spare, so that what is too long is seen to be."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = pyte.Screen(300, 100)
        self.stream = pyte.ByteStream(self.screen)
        self.file, other = pty.openpty()
        self.resize(columns, rows)
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.demo = subprocess.Popen(
            [sys.executable, "-m", "streamer", "demo", "--port", "0", "--metrics-port", "0"],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env={**kept, "TERM": "xterm-256color"},
        )
        os.close(other)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shows(self, *texts: str, seconds: float = 120) -> list[str]:
        """The lines of the screen, as soon as it has all of these texts and is complete."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.file], [], [], 0.1)[0]:
                self.stream.feed(os.read(self.file, 1 << 16))
            else:
                lines = [line.rstrip() for line in self.screen.display if line.strip()]
                if all(any(text in line for line in lines) for text in texts):
                    return lines
        raise AssertionError("\n".join(self.screen.display))

    def end(self) -> list[str]:
        """The lines of the screen after Ctrl-C."""
        self.demo.send_signal(signal.SIGINT)
        with suppress(OSError):  # the other end is closed
            while data := os.read(self.file, 1 << 16):
                self.stream.feed(data)
        self.demo.wait()
        os.close(self.file)
        return [line.rstrip() for line in self.screen.display if line.strip()]


def test_the_screen_is_right_at_two_sizes() -> None:
    """At 80x24 and at 120x40 every line is whole and within the terminal, the view with its introduction fits, and
    figures have units and colours; the end fits as well."""
    terminal = Terminal(80, 24)
    try:
        for columns, rows in ((80, 24), (120, 40)):
            terminal.resize(columns, rows)
            lines = terminal.shows("building/temperature", "waves/trapezoid", "8 in 10 times", "Now: ")
            wrong = [line for line in lines if not any(re.fullmatch(one, line) for one in LINES)]
            assert wrong == []
            assert max(map(len, lines)) <= columns
            used = max(i for i, line in enumerate(terminal.screen.display) if line.strip()) + 1
            assert used <= rows
        colours = {cell.fg for row in terminal.screen.buffer.values() for cell in row.values()}
        assert {"cyan", "green"} <= colours or {"cyan", "brown"} <= colours
    finally:
        lines = terminal.end()
    assert max(map(len, lines)) <= 80, lines
    assert lines[-1] == "Next: your own broker, see README.md."


@pytest.mark.parametrize("weight", [0.05, 0.34])
def test_a_network_that_takes_over_is_news_once(tmp_path: Path, weight: float) -> None:
    """A network that went live is told with its version, and again on each series as soon as a tenth of its forecast
    comes from it."""
    fast = fast_lane(tmp_path, timed())
    feed(fast, [sample("plant/a", t, t) for t in range(3)])
    (stream,) = fast.streams
    one = detail(stream, 0)
    curve: list[float | None] = [*[0.0] * (len(one.leads) - 1), weight]
    live = replace(one, networks={"memoryless": 2, "traditional": 1}, weights={**one.weights, "memoryless": curve})
    view = View(cast(Any, None), {})
    for shown in (one, live, live):
        view.notice(stream, shown)
    heard = [f"the memoryless network takes over 34% of plant/a {one.shown[-1]} s ahead"] * (weight > 0.1)
    assert [line[9:] for line in view.news] == [f"new in {stream.name}: memoryless network, version 2", *heard]
    fast.journal.close()
