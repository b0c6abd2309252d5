"""The parts of a stream, whatever they are: what their arrays hold is all that decides their future."""

from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.forecast.network import NetworkForecaster
from streamer.models import KINDS, Kind, build
from streamer.part import Part
from streamer.records import CellName, ForecastBatch, TickBatch
from streamer.stream.state import StreamState
from tests.forecast.ticks import at_random

ROWS, D = 70, 2
ALLOWED = {np.dtype(name) for name in ("float32", "float64", "int64", "int16", "int8", "uint8", "bool")}


def whole_stream(cell: CellName) -> StreamState:
    """Every kind of part there is, with both networks live."""
    config = Stream(
        name="all",
        topics=["#"],
        payload={"format": "array", "d": D},  # type: ignore[arg-type]
        season=(4, 7),
        model={"m": 10, "k": 3, "p": 2, "n": 7, "cell": cell},  # type: ignore[arg-type]
        thresholds=[{"name": "high", "above": 1001.0}, {"name": "low", "below": 999.5, "element": 1, "at": 0.3}],  # type: ignore[arg-type]
        surprise={"in_a_row": 2},  # type: ignore[arg-type]
        publish={"every": 2},  # type: ignore[arg-type]
    )
    stream = StreamState(config, Metrics(window=10))
    for row in range(ROWS):
        stream.add(row, f"series/{row}")
    networks: dict[Kind, NetworkForecaster] = {}
    for seed, kind in enumerate(KINDS):
        torch.manual_seed(seed)
        networks[kind] = NetworkForecaster.of(build(kind, config.sizes).requires_grad_(False), config, 1)
        networks[kind].grow(stream.room)
    stream.conclude(networks, 1)
    return stream


NAMES = [part.name for part in whole_stream("rnn").parts() if part.arrays()]


def part_of(stream: StreamState, name: str) -> Part:
    return next(part for part in stream.parts() if part.name == name)


def arrays_of(stream: StreamState) -> dict[tuple[str, str], Any]:
    return {(part.name, name): array for part in stream.parts() for name, array in part.arrays().items()}


def go(stream: StreamState, batches: Iterable[TickBatch]) -> list[NDArray[Any]]:
    """Everything that the stream says after these ticks, and about its errors."""
    said: list[NDArray[Any]] = []
    for batch in batches:
        forecasts = stream.tick(batch)
        if forecasts is not None:
            assert forecasts.bounds is not None
            said += [forecasts.mean, forecasts.chosen, forecasts.bounds, *news(forecasts)]
        said += stream.panel.scores.by_lead()
    return said


def news(forecasts: ForecastBatch) -> list[NDArray[Any]]:
    """Of thresholds, and of values outside their bands."""
    both = forecasts.crossings, forecasts.surprises
    return [getattr(one, name) for one in both if one for name in one.__slots__]


def same(one: list[NDArray[Any]], other: list[NDArray[Any]]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("cell", get_args(CellName))
@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_a_copy_goes_on_alike(cell: CellName, seed: int, before: int) -> None:
    """A new stream that restores all rows of all parts goes on bit by bit as the old one does, whatever comes."""
    rng, ticks, old, new = np.random.default_rng(seed), np.full(ROWS, -1), whole_stream(cell), whole_stream(cell)
    go(old, at_random(rng, ticks, before, D))
    for part in new.parts():
        saved = part_of(old, part.name)
        assert part.fit() == saved.fit()
        part.restore(saved.labels(), {name: array[:ROWS].copy() for name, array in saved.arrays().items()})
    following = list(at_random(rng, ticks, 12, D))
    assert same(go(old, following), go(new, following))
    for key, array in arrays_of(new).items():
        assert array[:ROWS].tobytes() == arrays_of(old)[key][:ROWS].tobytes(), key


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_needed(name: str) -> None:
    """Without one of its parts the copy does not go on alike: the test above would notice it missing."""
    rng, ticks, old, new = np.random.default_rng(1), np.full(ROWS, -1), whole_stream("rnn"), whole_stream("rnn")
    go(old, at_random(rng, ticks, 30, D))
    for part in new.parts():
        if part.name != name:
            part.restore(part_of(old, part.name).labels(), part_of(old, part.name).arrays())
    following = list(at_random(rng, ticks, 2, D))  # few: some rows of the lacking part stay as they are
    said = same(go(old, following), go(new, following))
    held = all(array.tobytes() == arrays_of(old)[key].tobytes() for key, array in arrays_of(new).items())
    assert not (said and held)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_per_series(name: str) -> None:
    """Every array has one row per series and one of the kinds of numbers that a snapshot can hold; room never shrinks,
    and what is in the rows stays as they are made more."""
    stream = whole_stream("rnn")
    go(stream, at_random(np.random.default_rng(0), np.full(ROWS, -1), 5, D))
    part, before = part_of(stream, name), {}
    for key, array in part.arrays().items():
        before[key] = array.copy()
    assert {len(array) for array in before.values()} <= {stream.room}
    assert {array.dtype for array in before.values()} <= ALLOWED
    part.grow(stream.room + 5)
    part.grow(3)
    for key, array in part.arrays().items():
        assert len(array) == len(before[key]) + 5, key
        np.testing.assert_array_equal(array[: len(before[key])], before[key])


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_restored_by_name(name: str) -> None:
    """Arrays saved with their named columns in another order, some of them gone and one unknown, find their places."""
    old, new = whole_stream("rnn"), whole_stream("rnn")
    go(old, at_random(np.random.default_rng(0), np.full(ROWS, -1), 30, D))
    part, other = part_of(old, name), part_of(new, name)
    labels, saved = part.labels(), dict(part.arrays())
    for key, names in labels.items():
        axis = part.columns[key].axis  # type: ignore[attr-defined]
        saved[key] = np.concatenate([np.flip(saved[key], axis), np.flip(saved[key], axis).take([0], axis)], axis)
        labels[key] = [*names[::-1], "unknown"]
    other.restore(labels, saved)
    for key, array in part.arrays().items():
        np.testing.assert_array_equal(other.arrays()[key], array, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_renewed_rows_are_as_new_ones(name: str) -> None:
    """Of a series that begins anew nothing remains, and of the others everything does; only the scale that a network
    was trained under holds."""
    stream, new, some = whole_stream("rnn"), whole_stream("rnn"), np.array([3, 0, 41])
    go(stream, at_random(np.random.default_rng(0), np.full(ROWS, -1), 30, D))
    part, others = part_of(stream, name), np.setdiff1d(np.arange(ROWS), some)
    if name == "traditional":
        assert isinstance(part, NetworkForecaster)
        part.scale.fix({row: (np.zeros(D), np.ones(D)) for row in range(ROWS)})
    before = {key: array.copy() for key, array in part.arrays().items()}
    part.renew(some)
    for key, array in part.arrays().items():
        scale = name == "traditional" and key in ("count", "mean", "m2")
        held = before if scale else part_of(new, name).arrays()
        np.testing.assert_array_equal(array[some], held[key][some], err_msg=key)
        np.testing.assert_array_equal(array[others], before[key][others], err_msg=key)
