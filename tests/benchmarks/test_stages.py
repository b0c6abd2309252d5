"""The benchmark of the stages itself."""

import pytest

from tests.benchmarks.pairs import ratios, table
from tests.benchmarks.stages import report


def test_every_stage_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    """One short round runs every stage on its real part and prints a time for each."""
    report("rnn", 130, [1, 130], 1)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    names = ["decode", "grid", "journal", "step", "forecast", "score", "bands", "plain", "encode", "sum"]
    times = {words[0]: float(words[1]) for words in lines if words and words[0] in names}
    assert list(times) == names
    assert all(time > 0 for time in times.values())


def test_pairs_compare_stage_by_stage() -> None:
    """A stage is compared within a pair, without floors; one that the other checkout lacks has no ratio."""
    before = table("rnn, 9 series, 5 bytes\nstage   batch 1\nscore   2.00 (0.10)\nsum     4.00\n")
    after = table("stage   batch 1\nscore   3.00 (0.10)\nplain   1.00\nsum     5.00\n")
    assert ratios([(before, after)]) == {"score": ["3.00 (1.50)"], "plain": ["1.00"], "sum": ["5.00 (1.25)"]}
