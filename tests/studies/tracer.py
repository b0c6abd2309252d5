"""Which lines of some files a test runs, in this process and in those it starts; without imports that cost time."""

import json
import os
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

TRACE, TEST = "MUTATION_TRACE", "MUTATION_TEST"
"""Variables of the environment by which a process that a test starts goes on tracing."""
SITE = "from tests.studies.tracer import follow; follow()\n"
"""The text of a sitecustomize.py for such processes."""
NO_TEST = -1
"""The number in place of a test's for lines that run on import, or in a fixture that tests share."""


class Tracer:
    """Appends `test file line` to a file for each line that a test is the first to run, whatever kills the process."""

    def __init__(self, files: Mapping[str, str], out: str, test: int = NO_TEST) -> None:
        self.files, self.test = files, test
        self.seen: set[tuple[int, str, int]] = set()
        self.out = os.open(out, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.environ[TRACE] = json.dumps({"files": files, "out": out})

    def start(self) -> None:
        threading.settrace(self.call)
        sys.settrace(self.call)

    def begin(self, test: int) -> None:
        """The lines from now on are this test's."""
        self.test = test
        os.environ[TEST] = str(test)

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self.line if frame.f_code.co_filename in self.files else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        key = self.test, self.files[frame.f_code.co_filename], frame.f_lineno
        if event == "line" and key not in self.seen:
            self.seen.add(key)
            os.write(self.out, "{} {} {}\n".format(*key).encode())
        return self.line


def follow() -> None:
    """Go on tracing for the test that started this process, if one did."""
    if TRACE in os.environ:
        Tracer(**json.loads(os.environ[TRACE]), test=int(os.environ.get(TEST, NO_TEST))).start()
