"""Line protocol in, points or a reason out."""

import gzip
import math
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influxdb_client.client.write import point as official

from streamer.errors import Rejected
from streamer.ingest.influx import Point, Precision, points

REASONS = {"empty", "syntax", "not_finite", "out_of_range", "time"}

# A name that ends in a backslash cannot be written: the separator that follows would be escaped.
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=8).filter(
    lambda name: not name.endswith("\\")
)
measurements = names.filter(lambda name: name[0] not in "# \t")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values = st.floats(-1e300, 1e300) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | texts


def written(measurement: str, tags: dict[str, str], fields: dict[str, Any], time: int | None = None) -> str:
    """The line that InfluxDB's own client makes of a point."""
    point: Any = official.Point
    line = point(measurement)
    for key, value in tags.items():
        line.tag(key, value)
    for key, value in fields.items():
        line.field(key, value)
    return str((line if time is None else line.time(time)).to_line_protocol())


def point(line: bytes, precision: Precision = "ns") -> Point:
    (found,) = all_of(line, precision)
    return found


def all_of(data: bytes, precision: Precision = "ns") -> list[Point]:
    """The points of a payload without a bad line."""
    found, faults = points(data, precision)
    assert not faults
    return found


def reason(data: bytes) -> str:
    """Why this payload holds no points."""
    try:
        found, faults = points(data)
    except Rejected as why:
        return why.reason
    assert not found
    return faults[0].reason


@given(
    measurements,
    st.dictionaries(names, names, max_size=3),
    st.dictionaries(names, values, min_size=1, max_size=4),
    st.none() | st.integers(-(2**63), 2**63 - 1),
)
@example("m,\\ =", {"k ,=": "v\\,", "a\\b": 'c"'}, {"s": 'a "q" \\ b\nc\\', "=": 1e-5}, 0)
def test_against_the_official_client(
    measurement: str, tags: dict[str, str], fields: dict[str, Any], time: int | None
) -> None:
    """What InfluxDB's own client writes is read as it was meant, whatever must be escaped."""
    read = point(written(measurement, tags, fields, time).encode())
    assert (read.measurement, read.tags, read.fields) == (measurement, tags, fields)
    assert {key: type(value) for key, value in read.fields.items()} == {k: type(v) for k, v in fields.items()}
    assert read.time == (None if time is None else time / 10**9)


@given(
    st.lists(st.tuples(measurements, st.dictionaries(names, values, min_size=1, max_size=2)), min_size=1, max_size=4)
)
def test_many_lines(lines: list[tuple[str, dict[str, Any]]]) -> None:
    """Points of one payload come in its order, line ends within texts or not."""
    data = "\n".join(written(measurement, {}, fields) for measurement, fields in lines).encode()
    assert [(one.measurement, one.fields) for one in all_of(data)] == lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("t v=1", Point("t", {}, {"v": 1.0}, None)),
        ("t,a=b,c=d v=1,w=-2.5e3 1500000000", Point("t", {"a": "b", "c": "d"}, {"v": 1.0, "w": -2500.0}, 1.5)),
        ("  t,a=b  v=.5  -1000000000  \r\n", Point("t", {"a": "b"}, {"v": 0.5}, -1.0)),
        ("my\\ t\\,x=y a\\ \\,\\=b=1i", Point("my t,x=y", {}, {"a ,=b": 1}, None)),
        ("t\\=x,a\\b=\\c v=1", Point("t\\=x", {"a\\b": "\\c"}, {"v": 1.0}, None)),
        ('t,"a"="b\\ c" v=2', Point("t", {'"a"': '"b c"'}, {"v": 2.0}, None)),
        ('t v="a, b=c \\" \\\\ \\n",w=T 7', Point("t", {}, {"v": 'a, b=c " \\ \\n', "w": True}, 7e-9)),
        ("t v=9223372036854775807i,w=18446744073709551615u", Point("t", {}, {"v": 2**63 - 1, "w": 2**64 - 1}, None)),
    ],
)
def test_lines_as_documented(line: str, expected: Point) -> None:
    """Escapes, quotes, types and white space are read as InfluxDB documents them."""
    assert point(line.encode()) == expected


@pytest.mark.parametrize(
    ("text", "value"), [("t", True), ("TRUE", True), ("true", True), ("f", False), ("False", False)]
)
def test_booleans(text: str, value: bool) -> None:
    """Every spelling of a boolean is one, and no number."""
    assert point(f"m v={text}".encode()).fields["v"] is value


@pytest.mark.parametrize(("precision", "time"), [("ns", 1.7), ("us", 1.7e3), ("ms", 1.7e6), ("s", 1.7e9)])
def test_precision(precision: Precision, time: float) -> None:
    """A timestamp counts in units of the precision; time is in seconds."""
    assert point(b"t v=1 1700000000", precision).time == time


def test_comments_and_blanks() -> None:
    """Comments and blank lines are no points and do no harm, at the end neither."""
    data = b"\n# one, two=3\r\n\r\n   \nt v=1 5\n  # another\nt v=2\r\n#"
    assert [one.fields["v"] for one in all_of(data)] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\n # nothing\n\n", "empty"),
        (b"21.4", "syntax"),
        (b"t", "syntax"),
        (b"t v", "syntax"),
        (b"t v=", "syntax"),
        (b"t =1", "syntax"),
        (b",a=b v=1", "syntax"),
        (b"t,a= v=1", "syntax"),
        (b"t,a v=1", "syntax"),
        (b"t, v=1", "syntax"),
        (b"t,a=b=c v=1", "syntax"),
        (b"t v=1, w=2", "syntax"),
        (b"t v=1 w=2", "syntax"),
        (b"t v=1 12 13", "syntax"),
        (b"t v=1 1.5", "syntax"),
        (b't v="a', "syntax"),
        (b't v="a"b', "syntax"),
        (b't v=a"b"', "syntax"),
        (b"t v=on", "syntax"),
        (b"t v=1_0", "syntax"),
        (b"t v=1.5i", "syntax"),
        (b"t v=0x10", "syntax"),
        (b"t v=\xd9\xa1", "syntax"),
        (b"t v=1 \xd9\xa1", "syntax"),
        (b"t v=\xff", "syntax"),
        (b"t v=NaN", "not_finite"),
        (b"t v=-Inf", "not_finite"),
        (b"t v=1e400", "out_of_range"),
        (b"t v=9223372036854775808i", "out_of_range"),
        (b"t v=-1u", "out_of_range"),
        (b"t v=" + b"9" * 5000 + b"i", "out_of_range"),
        (b"t v=1 9223372036854775808", "time"),
        (b"t v=1 " + b"9" * 5000, "time"),
    ],
)
def test_rejected(data: bytes, why: str) -> None:
    """What is no line protocol, or no number of its kind, is rejected with its reason."""
    assert reason(data) == why


def test_good_lines_beside_a_bad_one() -> None:
    """A bad line is a fault that names its number; the lines before and after it count."""
    found, faults = points(b't v=1\n# 2\nt v="a"\nt v=on\nt v=2\nt v=\nt v=3')
    assert [one.fields["v"] for one in found] == [1.0, "a", 2.0, 3.0]
    assert [str(why) for why in faults] == [
        "line 4: 'on' is no field value",
        "line 6: not measurement[,tag=…] field=value[,…] [time]",
    ]
    _, faults = points(b't v="\n"\n\nt v')
    assert str(faults[0]).startswith("line 4: not measurement")


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_every_line_counts(good: list[bool]) -> None:
    """Each line is a point or a fault, whatever stands beside it."""
    found, faults = points(b"\n".join(b"t v=%d" % i if fine else b"t v=%d,x" % i for i, fine in enumerate(good)))
    assert [one.fields["v"] for one in found] == [i for i, fine in enumerate(good) if fine]
    assert len(found) + len(faults) == len(good)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_compressed(pack: Callable[[bytes], bytes]) -> None:
    """Points in gzip or zlib are those within; text with a byte order mark is text."""
    assert all_of(pack(b"t v=1")) == all_of(b"\xef\xbb\xbft v=1") == all_of(b"t v=1")


@given(st.binary(max_size=60) | st.text('tv=,\\ "1i#\n', max_size=40).map(str.encode))
def test_anything(data: bytes) -> None:
    """Any payload gives points of finite numbers or a known reason."""
    try:
        found, faults = points(data)
    except Rejected as why:
        found, faults = [], [why]
    assert found or faults
    assert {why.reason for why in faults} <= REASONS
    assert all(one.measurement and one.fields for one in found)
    values = [value for one in found for value in one.fields.values()]
    assert all(math.isfinite(value) for value in values if not isinstance(value, str))
