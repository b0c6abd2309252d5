"""The message of a forecast, as README.md shows it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.publish.digits import DIGITS, compile_all, rounded, written
from streamer.publish.encode import Curves, encode, rfc3339
from streamer.records import Floats
from tests.publish.messages import message_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_10000 = 253402300800
EXACT = 2**32 * 10**6
"""Microseconds up to which seconds in float64 name every one, with room for a product: the year 2106."""

EXACTLY = 2**-51
"""Relative difference that two doubles have which mean the same."""

numbers = st.floats(-1e30, 1e30)
compile_all()  # which takes longer than a test of one example may


def test_one_element() -> None:
    """For d = 1 the message has the documented keys in their order, its mean a flat list of k·p numbers."""
    payload = message_of("plant/press-3/temperature", 1772366400.25, 1.0, "memoryless", 7, np.array([[21.4], [21.5]]))
    assert payload == (
        b'{"series":"plant/press-3/temperature","time":"2026-03-01T12:00:00.250Z","interval":1.0,'
        b'"model":"memoryless","version":7,"mean":[21.4,21.5]}'
    )


def test_many_elements() -> None:
    """For d = 2 the mean is a list of k·p lists of d numbers."""
    document: dict[str, Any] = orjson.loads(
        message_of("a", 0.0, 0.1, "persistence", 0, np.array([[1.0, -2], [3, 4.5]]))
    )
    assert list(document) == ["series", "time", "interval", "model", "version", "mean"]
    assert document["mean"] == [[1.0, -2.0], [3.0, 4.5]]


def test_any_slice() -> None:
    """One element of several, not contiguous in memory, is written with its own numbers."""
    mean = np.arange(12.0).reshape(2, 3, 2)[:, 1].T[:, :1]
    assert orjson.loads(message_of("a", 0.0, 1.0, "m", 0, mean))["mean"] == mean[:, 0].tolist()


def test_topic_of_any_text() -> None:
    """Quotes, line ends and other alphabets in a topic come back from the message."""
    series = 'plant/"ä"\n/温度'
    assert orjson.loads(message_of(series, 0.0, 1.0, "m", 0, np.zeros((1, 1))))["series"] == series


@pytest.mark.parametrize("series", [["a\x7fb", "c"], ["\x7f", ""], ["", ""], ['","', "\\"]])
def test_topics_of_a_batch(series: list[str]) -> None:
    """Topics that hold what separates them while a batch is encoded come back from it too."""
    curves = Curves(np.zeros((2, 1, 1, 1)), np.zeros((2, 1)))
    payloads = encode(series, np.zeros(2), np.ones(2), [("m", 0)] * 2, curves)
    assert [orjson.loads(payload)["series"] for payload in payloads] == series


@settings(deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.sampled_from([(), (0.5,), (0.1, 0.9)]))
def test_a_batch(data: st.DataObject, b: int, h: int, d: int, quantiles: tuple[float, ...]) -> None:
    """A batch of forecasts is encoded as each of them, rounded, by the standard library, whatever topic, time, model,
    shape or bounds."""
    texts = st.text(st.characters(codec="utf-8") | st.sampled_from('\x7f",\\%'), max_size=5)
    series = [data.draw(texts) for _ in range(b)]
    time = np.array([data.draw(st.integers(0, EXACT - 1)) / 1e6 for _ in range(b)])
    interval = data.draw(arrays(np.float64, b, elements=st.floats(1e-6, 1e9)))
    spoken = [
        (data.draw(st.sampled_from(["persistence", "memoryless"])), data.draw(st.integers(0, 99))) for _ in series
    ]
    curves = data.draw(arrays(np.float64, (b, 1 + len(quantiles), h, d), elements=numbers))
    x = data.draw(arrays(np.float64, (b, d), elements=numbers))
    payloads = encode(series, time, interval, spoken, Curves(curves, x, quantiles))
    for i, payload in enumerate(payloads):
        document = json.loads(payload)
        keys = ["series", "time", "interval", "model", "version", "mean"]
        assert [*document] == ([*keys, "quantiles"] if quantiles else keys)
        told = document.pop("mean"), *document.pop("quantiles", {}).values()
        assert document == {
            "series": series[i],
            "time": rfc3339(time[i]),
            "interval": interval[i],
            "model": spoken[i][0],
            "version": spoken[i][1],
        }
        short = rounded(curves, x)[i]
        np.testing.assert_allclose(np.array(told).reshape(short.shape), short, rtol=EXACTLY)


decimals = st.integers(-6, 4).flatmap(lambda p: st.integers(-(10**15), 10**15).map(lambda n: n / 10**p))


@given(st.lists(decimals, min_size=1, max_size=4), st.sampled_from([(-np.inf, np.inf), (-3.25, 1e6)]))
def test_numbers_are_written_as_usual(values: list[float], limits: tuple[float, float]) -> None:
    """A rounded number within limits, which have digits of their own, is written as the shortest text that means it."""
    curves, x = np.array(values)[None, None, :, None], np.array([[0.0]])
    (text,) = written(curves, x, limits, [b"", b""])
    wanted = np.clip(rounded(curves, x), *limits)[0, 0, :, 0] + 0.0  # -0.0 is written as 0.0
    assert bytes(text) == orjson.dumps(wanted.tolist()).replace(b"e+", b"e")


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf])
def test_numbers_that_json_has_not(wild: float) -> None:
    """What is no number is null, and what is beside it a number all the same."""
    curves = np.array([[[[wild, 21.5]], [[-1.0, 20.5]], [[1.0, 22.5]]]])
    (text,) = written(curves, curves[:, 0, 0], (-np.inf, np.inf), [b"", b",", b",", b""])
    assert bytes(text).startswith(b"[[null,21.5]],[[")


@given(arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 3)), elements=numbers))
def test_rounding(mean: Floats) -> None:
    """Rounding changes an element by at most half a unit in the tenth digit of its own largest value."""
    short = from_zero(mean)
    peak = np.abs(mean).max(1, keepdims=True)
    assert np.isfinite(short).all()
    assert (np.abs(short - mean) <= 0.5 * 10.0 ** (1 - DIGITS) * peak * (1 + 1e-5) + 1e-298).all()


def from_zero(mean: Floats) -> Floats:
    """Rounded after a newest value of 0, a step from which is all of a value."""
    return alone(mean, np.zeros_like(mean[:, 0]))


def alone(mean: Floats, x: Floats) -> Floats:
    """Rounded forecasts without bounds."""
    return rounded(mean[:, None], x)[:, 0]


@given(
    st.floats(-1e13, 1e13),
    st.floats(-11, 2),
    arrays(np.float64, (1, 4, 1), elements=st.floats(-1, 1, allow_subnormal=False)),
)
def test_steps_keep_their_digits(x: float, size: float, steps: Floats) -> None:
    """However large a value, the largest step from it is written to a part in a thousand, or to what fifteen digits of
    the value show; and a value of few digits is written with these."""
    mean = x + 10.0**size * steps
    short = alone(mean, np.array([[x]]))
    peak, change = np.abs(mean).max(), np.abs(mean - x).max()
    assert np.abs(short - mean).max() <= max(1e-3 * change, 10.0**-13.9 * peak) + 1e-293  # of steps below 1e-290
    assert (np.abs(short - mean) <= 0.5 * 10.0 ** (1 - DIGITS) * peak * (1 + 1e-5) + 1e-298).all()


def test_a_meter_of_thirteen_digits() -> None:
    """Its forecasts are whole numbers as long as it, not rounded to tens of thousands; and a rest stays what it is."""
    x = np.array([[1234567890123.0]])
    assert alone(x[:, None] + np.arange(3.0)[:, None], x)[0, :, 0].tolist() == [x + i for i in range(3)]
    assert alone(np.full((1, 2, 1), 21.4), np.array([[21.4]]))[0, :, 0].tolist() == [21.4, 21.4]


def test_rounding_by_element() -> None:
    """Elements of one forecast in very different units keep ten digits each: 0.95 beside 123456789 stays 0.95."""
    mean = np.array([[[123456789.0, 0.95, 0.0], [123456788.96543, 1 / 3, 1e-12 / 3]]])
    assert from_zero(mean).tolist() == [[[123456789.0, 0.95, 0.0], [123456789.0, 0.3333333333, 3.333333333e-13]]]


@given(arrays(np.float64, (2, 4, 3), elements=numbers))
def test_elements_do_not_mix(mean: Floats) -> None:
    """An element is rounded as if it were alone, whatever is beside it."""
    alone = [from_zero(mean[i : i + 1, :, j : j + 1]) for i in range(2) for j in range(3)]
    assert from_zero(mean).transpose(0, 2, 1).reshape(-1).tolist() == np.concatenate(alone).reshape(-1).tolist()


def test_rounding_shortens() -> None:
    """Digits past the tenth of the largest value go, in each forecast by its own measure."""
    mean = np.array([[[12345.678901234], [0.123456789012]], [[0.0], [0.0]], [[1e-3 / 3], [-1e-9]]])
    assert from_zero(mean)[..., 0].tolist() == [[12345.6789, 0.12346], [0.0, 0.0], [0.0003333333333, -1e-9]]


@pytest.mark.parametrize("tiny", [5e-324, 1e-310, 2e-299, 1e-250])
def test_faded_to_nothing(tiny: float) -> None:
    """A smoothed forecast of a series that fell to 0 long ago, which is almost 0, stays a number."""
    assert from_zero(np.array([[[tiny], [0.0]]]))[0, :, 0].tolist() == pytest.approx([tiny, 0.0], rel=1e-9, abs=1e-298)


@given(st.integers(0, EXACT - 1))
def test_microseconds(micros: int) -> None:
    """A time of whole microseconds is written to the microsecond, in three decimals where those say it."""
    text = rfc3339(micros / 1e6)
    assert datetime.fromisoformat(text) == EPOCH + timedelta(microseconds=micros)
    assert text.endswith("Z")
    assert len(text.removesuffix("Z").partition(".")[2]) == (6 if micros % 1000 else 3)


@given(st.integers(0, EXACT // 1000 - 1))
def test_milliseconds(millis: int) -> None:
    """A time of whole milliseconds has three decimals and comes back as the same number."""
    text = rfc3339(millis / 1e3)
    assert len(text) == len("2026-03-01T12:00:00.250Z")
    assert datetime.fromisoformat(text).timestamp() == millis / 1e3


@given(st.floats(0, YEAR_10000, exclude_max=True))
def test_every_time_of_the_grid(time: float) -> None:
    """Any time of the years 1970 to 9999 comes back to half a microsecond or its own precision."""
    back = datetime.fromisoformat(rfc3339(time)) - EPOCH
    assert abs(back / timedelta(seconds=1) - time) <= 0.5e-6 + 2 * np.spacing(time)


def test_last_moment() -> None:
    """The last float before the year 10000 is still of the year 9999."""
    assert rfc3339(float(np.nextafter(YEAR_10000, 0))).startswith("9999-12-31T23:59:59.9999")


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(1, 6), st.integers(1, 2)),
        elements=numbers,
    )
)
def test_bounds_have_the_digits_of_their_width(curves: Floats) -> None:
    """Rounding moves a bound, and the mean, by at most a two-thousandth of the band's width at its lead, or half a unit
    in the tenth digit of the largest value; and bounds stay in order."""
    curves.sort(1)
    short = rounded(curves, curves[:, 0, 0])
    width, peak = curves[:, -1] - curves[:, 0], np.abs(curves[:, 0]).max(1, keepdims=True)
    most = np.maximum(0.5e-3 * width, 0.5 * 10.0 ** (1 - DIGITS) * peak) * (1 + 1e-5) + 1e-293
    assert (np.abs(short - curves) <= most[:, None]).all()
    assert (np.diff(short, axis=1) >= 0).all()


def test_short_numbers() -> None:
    """A band of half a degree is written to ten-thousandths of one, and its mean as well."""
    curves = np.array([21.123456789, 20.87654321, 21.3987654321]).reshape(1, 3, 1, 1)
    assert rounded(curves, np.array([[21.0]])).ravel().tolist() == [21.1235, 20.8765, 21.3988]
