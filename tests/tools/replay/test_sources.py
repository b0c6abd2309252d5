"""Sources by name, and endless repetition of those that end."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceError
from streamer.tools.replay.recording import recorded
from streamer.tools.replay.sample import START, Sample
from streamer.tools.replay.signals import WAVES, Signal
from streamer.tools.replay.sources import SourceOptions, each_on_its_own, open_source, repeat, waterflow


def times(samples: Iterator[Sample], count: int) -> list[float]:
    return [sample.time for sample in islice(samples, count)]


@pytest.mark.parametrize("name", WAVES)
def test_wave(name: str) -> None:
    """A wave is the signal of the seed, an interval apart, and does not end; loop changes nothing."""
    for loop in (False, True):
        options = SourceOptions(seed=5, interval=0.5, start_time=100.0, loop=loop)
        samples = list(islice(open_source(name, options), 1500))
        assert [value for sample in samples for value in sample.values] == Signal(name).noisy(1500, seed=5).tolist()
        assert [sample.time for sample in samples] == [100.0 + 0.5 * i for i in range(1500)]
    assert next(open_source(name)).time == START


def test_building() -> None:
    """The building is warm in working hours, cool at night and at the weekend; another seed is another building."""
    monday, hours = 1_767_571_200.0, 14 * 24
    options = SourceOptions(seed=5, interval=3600.0, start_time=monday)
    samples = list(islice(open_source("building", options), hours))
    assert [sample.time for sample in samples] == [monday + 3600.0 * i for i in range(hours)]
    day = np.array([sample.values[0] for sample in samples]).reshape(14, 24)
    workdays = np.arange(14) % 7 < 5
    assert (day[workdays, 10:18] > 20).all()
    assert (day[workdays, 2:6] < 18).all()
    assert (day[~workdays, 6:] < 18).all()
    other = islice(open_source("building", replace(options, seed=6)), hours)
    assert all(a.values != b.values for a, b in zip(samples, other, strict=True))


def test_waterflow() -> None:
    """WaterFlow has 1,268 samples of 2022 at its own times, with gaps of whole hours."""
    samples = list(waterflow())
    assert samples[0] == Sample(1647770400.0, (100.59,))
    assert samples[-1] == Sample(1652731200.0, (104.1,))
    assert len(samples) == 1268
    steps = [b.time - a.time for a, b in pairwise(samples)]
    assert min(steps) == 3600.0
    assert sum(step > 3600 for step in steps) == 10
    assert all(step % 3600 == 0 for step in steps)


def test_waterflow_loop() -> None:
    """Each pass of a loop starts one typical interval after the end of the last, gaps in the data or not."""
    looped = times(open_source("waterflow", SourceOptions(loop=True)), 2 * 1268 + 1)
    assert looped[1268] - looped[1267] == looped[2536] - looped[2535] == 3600.0
    assert looped[1268:2536] == [time + 1652731200.0 - 1647770400.0 + 3600.0 for time in looped[:1268]]


@given(
    st.integers(0, 2 * 10**15),
    st.lists(st.integers(1, 10**12), max_size=20),
    st.integers(1, 60),
)
def test_loop_is_strictly_increasing(start: int, steps: list[int], count: int) -> None:
    """Where the times of a source increase (by a microsecond or more), those of its loop do, for ever."""
    micros = [start]
    for step in steps:
        micros.append(micros[-1] + step)
    source = [Sample(time / 1e6, (1.0,)) for time in micros]
    looped = [round(time * 1e6) for time in times(repeat(iter(source), lambda: iter(source)), count)]
    assert all(a < b for a, b in pairwise(looped))
    assert looped[: len(micros)] == micros[:count]


def test_typical_interval() -> None:
    """One short or long step does not change the interval between two passes."""
    source = [Sample(time, (1.0,)) for time in (0.0, 10.0, 10.5, 20.5, 30.5, 95.0)]
    assert times(repeat(iter(source), lambda: iter(source)), 8)[5:] == [95.0, 105.0, 115.0]


def test_loop_of_many_topics(tmp_path: Path) -> None:
    """The typical interval of a recording is that of one topic, not the moment between two topics."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(
        b"".join(recorded(10.0 * i + topic / 100, f"t/{topic}", b"1") for i in range(3) for topic in range(5))
    )
    looped = times(open_source(str(path), SourceOptions(loop=True)), 30)
    assert looped[15] == pytest.approx(20.04 + 10.0)


def test_loop_of_a_file_that_went_away(tmp_path: Path) -> None:
    """A file that is emptied or removed while it is looped over ends the loop with a SourceError."""
    path = tmp_path / "r.jsonl"
    for remove in (lambda: path.write_bytes(b""), path.unlink):
        path.write_bytes(recorded(1.0, "a", b"1"))
        samples = open_source(str(path), SourceOptions(loop=True))
        assert times(samples, 2) == [1.0, 2.0]
        remove()
        with pytest.raises(SourceError):
            next(samples)


def test_loop_counts_gaps_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rows left out are told after the first pass only."""
    path = tmp_path / "x.csv"
    path.write_text("x\n1\nNaN\n2\n")
    caplog.set_level("INFO")
    assert times(open_source(str(path), SourceOptions(columns=("x",), start_time=0.0, loop=True)), 6) == [
        0,
        2,
        4,
        6,
        8,
        10,
    ]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cosine", "'cosine' is no source: there are sine, trapezoid, building, waterflow, and files that end in .csv"),
        ("data.parquet", "no source"),
        ("missing.csv", "missing.csv: No such file or directory"),
        ("missing.jsonl.gz", "missing.jsonl.gz: No such file or directory"),
    ],
)
def test_unknown(source: str, message: str) -> None:
    """A source that is unknown or missing is a SourceError at once, and the unknown lists what there is."""
    with pytest.raises(SourceError, match=message):
        open_source(source)


@pytest.mark.parametrize("options", [{"interval": 0.0}, {"interval": float("nan")}, {"seed": -1}])
def test_options(options: dict[str, float]) -> None:
    """An interval or a seed that cannot be is a SourceError."""
    with pytest.raises(SourceError):
        SourceOptions(**options)  # type: ignore[arg-type]


def test_a_topic_for_each_column() -> None:
    """Of a row of several columns each value is a sample on a topic of its own, at the time of the row."""
    rows = [Sample(1.0, (1.0, 2.0)), Sample(2.0, (3.0, 4.0))]
    found = [(one.time, one.topic, one.values) for one in each_on_its_own(rows, ["a", "b"])]
    assert found == [(1.0, "a", (1.0,)), (1.0, "b", (2.0,)), (2.0, "a", (3.0,)), (2.0, "b", (4.0,))]
    with pytest.raises(SourceError, match="2 columns and 3 topics"):
        next(each_on_its_own(rows, ["a", "b", "c"]))
