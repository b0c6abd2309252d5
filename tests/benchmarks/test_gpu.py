"""That the script for a GPU works, on the CPU."""

import json
import os
import subprocess
import sys

from tests.benchmarks.gpu import PARTS


def test_every_part_finds_something() -> None:
    """With little data each part of the script gives its findings; the gradients are those of the CPU."""
    command = [sys.executable, "-m", "tests.benchmarks.gpu", "--here", "--tiny", "--device", "cpu", "--part", *PARTS]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert {finding["part"] for finding in findings} == {*PARTS}
    assert all(finding["holds"] for finding in findings if finding["part"] == "correct")
    assert [finding["reason"] for finding in findings if finding["part"] == "trouble"] == ["no_device"] * 2 + [None]
