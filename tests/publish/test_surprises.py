"""Values outside their bands: where they lie, what is said of several in a row, and what is taken back."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.publish.surprises import Surprising
from tests.streams import fast_lane, feed, resumed, sample, save, timed

N = 4
STREAM: dict[str, Any] = {"season": None, "surprise": {"in_a_row": N}}


def news(of: Surprising, *values: float) -> list[str]:
    """What is said of one series after each of these places in its bands."""
    of.grow(1)
    said = []
    for value in values:
        of.take_in(np.zeros(1, np.int64), np.array([value]))
        one = of.meet(np.zeros(1, np.int64))
        said.append("begins" if one.begins[0] else "ends" if one.ends[0] else "")
    return said


def test_several_in_a_row() -> None:
    """So many values in a row outside are announced once, as many inside take it back once; a value on the bound is
    inside, one that nothing was forecast for changes nothing, and both sides count alike."""
    of = Surprising(timed(**STREAM), N)
    assert news(of, 2, 2, 2, 1, 2, -2, math.nan, 2) == [""] * 8
    assert news(of, 5, 5) == ["begins", ""]
    assert news(of, 0, 0, 0, 3, 0, 0, 0, 0, 0) == [*[""] * 7, "ends", ""]
    assert of.count() == 0


@given(st.lists(st.sampled_from([0.0, 0.5, -1.5, 3.0, math.nan]), max_size=80), st.integers(1, 5))
def test_messages_are_few(values: list[float], in_a_row: int) -> None:
    """Whatever comes, beginnings and ends alternate, and between any two there are as many values as it takes."""
    said = news(Surprising(timed(**STREAM), in_a_row), *values)
    places = [i for i, one in enumerate(said) if one]
    assert [said[i] for i in places] == (["begins", "ends"] * len(places))[: len(places)]
    assert all(b - a >= in_a_row for a, b in zip([-1, *places], places, strict=False))


def quiet_then(*after: float, seed: int = 0) -> list[Any]:
    """A series about 0, and then these values."""
    before = np.random.default_rng(seed).normal(size=300).tolist()
    return [sample("plant/a", t, x) for t, x in enumerate([*before, *after])]


def said(out: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in out if one["topic"].endswith("/surprise")]


def test_a_series_that_leaves_its_band(tmp_path: Path) -> None:
    """A lane announces, beside the forecast, a series that goes where nothing had been forecast, on a topic below that
    of its forecasts; and takes it back. Its own messages are no samples."""
    fast = fast_lane(tmp_path, timed(topics=["#"], **STREAM))
    feed(fast, quiet_then())
    fast.streams[0].outlet.surprising.said[:] = 0  # type: ignore[union-attr]  # of four in a row by chance
    at, before = 300, fast.streams[0].counts.surprises
    (told,) = said(feed(fast, [sample("plant/a", at + i, 30.0 * (-1) ** i) for i in range(N + 3)]))
    assert told["topic"] == "forecast/plant/a/surprise"
    assert (told["series"], told["in_a_row"], told["level"]) == ("plant/a", N, 0.8)
    assert abs(told["surprise"]) > 3
    over = said(feed(fast, [sample("plant/a", at + N + 3 + i, 0.0) for i in range(3 * N)]))
    assert [(one["surprise"], one["in_a_row"]) for one in over] == [(None, 0)]
    feed(fast, [sample("forecast/plant/a/surprise", 0, 1.0)])
    assert fast.streams[0].counts.rejected == {"own_forecast": 1}
    assert fast.streams[0].counts.surprises == before + 1
    fast.journal.close()


@pytest.mark.parametrize("saved", [True, False])
def test_a_restart_knows_what_was_said(tmp_path: Path, saved: bool) -> None:
    """A stream that is resumed in the middle of an announcement takes it back when it is over, and once."""
    of = timed(**STREAM)
    fast = fast_lane(tmp_path, of)
    assert said(feed(fast, quiet_then(*[30.0 * (-1) ** i for i in range(N + 2)])))[-1]["in_a_row"] == N
    if saved:
        save(fast)
    fast.journal.close()
    again = resumed(tmp_path, of)
    out = [said(feed(again, [sample("plant/a", 310 + i, 0.0)])) for i in range(3 * N)]
    assert [one["surprise"] for some in out for one in some] == [None]
    again.journal.close()
