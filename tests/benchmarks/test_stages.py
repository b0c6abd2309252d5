"""The benchmark of the stages itself."""

import pytest

from tests.benchmarks.stages import report


def test_every_stage_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    """One short round runs every stage on its real part and prints a time for each."""
    report("rnn", 130, [1, 130], 1)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    names = ["decode", "grid", "journal", "step", "forecast", "score", "bands", "plain", "encode", "sum"]
    times = {words[0]: float(words[1]) for words in lines if words and words[0] in names}
    assert list(times) == names
    assert all(time > 0 for time in times.values())
