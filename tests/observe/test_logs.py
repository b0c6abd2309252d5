"""What an operator greps."""

import json
import logging
import sys

import pytest

from streamer.observe.logs import LONGEST, Lines, LogFormat, configure


def record(*, failed: bool) -> logging.LogRecord:
    trace = None
    if failed:
        try:
            raise ValueError("no\nnumber")
        except ValueError:
            trace = sys.exc_info()
    made = logging.LogRecord("streamer.mqtt", logging.WARNING, __file__, 1, "lost %s", ("it",), trace)
    made.created = 1_767_225_600.25
    return made


def test_a_text_line_holds_time_level_logger_and_message() -> None:
    """A line of text holds time, level, logger and message; the time is RFC 3339 in UTC to the millisecond."""
    assert Lines("text").format(record(failed=False)) == "2026-01-01T00:00:00.250Z WARNING streamer.mqtt: lost it"


def test_json_is_one_object_a_line() -> None:
    """As JSON a line is an object of the same fields, and a traceback is within its message: never a second line."""
    line = Lines("json").format(record(failed=True))
    assert "\n" not in line
    read = json.loads(line)
    assert (read["time"], read["level"], read["logger"]) == ("2026-01-01T00:00:00.250Z", "WARNING", "streamer.mqtt")
    assert read["message"].startswith("lost it\nTraceback")


def test_a_logger_with_a_level_of_its_own_keeps_to_the_one_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    """What is less than asked for is not shown, whatever a library has set."""
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    chatty = logging.getLogger("chatty")
    chatty.setLevel(logging.DEBUG)
    try:
        configure("text", "error")
        chatty.warning("not this")
        chatty.error("but this")
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = handlers, level
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("ERROR chatty: but this")


@pytest.mark.parametrize(("level", "shown"), [("info", ["ours", "a bug"]), ("debug", ["ours", "theirs", "a bug"])])
def test_what_libraries_say(capfd: pytest.CaptureFixture[str], level: str, shown: list[str]) -> None:
    """Lines of libraries, warnings of Python among them, are no lines of the log below an error, but for debugging."""
    root, handlers, before = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure("text", level)
        logging.getLogger("streamer.mqtt").info("ours")
        logging.getLogger("websockets.client").warning("theirs")
        logging.getLogger("asyncio").error("a bug")
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = handlers, before
    assert [line.split(": ")[1] for line in capfd.readouterr().err.splitlines()] == shown


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_line_is_bounded(style: LogFormat) -> None:
    """A message that quotes a payload of 300 KB is cut, and says by how much."""
    made = record(failed=False)
    made.args = ("x" * 300_000,)
    line = Lines(style).format(made)
    assert len(line) < LONGEST + 200
    assert f"{300_000 + len('lost ') - LONGEST} characters more" in line
