"""Recordings of MQTT messages."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceError
from streamer.tools.replay.recording import recorded, recording
from streamer.tools.replay.sample import Sample
from streamer.tools.replay.sources import open_source

topics = st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
messages = st.lists(
    st.tuples(st.integers(0, 2 * 10**15), topics, st.binary(max_size=200), st.integers(0, 1), st.booleans()), max_size=5
)


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_round_trip(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was recorded is read back: topic, payload, qos and retain verbatim, time to the microsecond."""
    path = tmp_path_factory.mktemp("recording") / name

    @given(messages)
    def check(messages: list[tuple[int, str, bytes, int, bool]]) -> None:
        content = b"".join(recorded(message[0] / 1e6, *message[1:]) for message in messages)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        assert list(recording(path)) == [
            Sample(micros / 1e6, (), topic, payload, qos, retain) for micros, topic, payload, qos, retain in messages
        ]

    check()


def test_lines_as_documented(tmp_path: Path) -> None:
    """Time is a number or a text, payload64 binary; qos and retain may be missing, blanks and extras are ignored."""
    path = tmp_path / "r.ndjson"
    path.write_text(
        '{"time": 1767225600, "topic": "a/b", "payload": "21.4"}\n\n'
        '{"time": "2026-01-01T00:00:01.5Z", "topic": "c", "payload64": "/wA=", "qos": 1, "retain": true, "mid": 7}\n'
    )
    assert list(open_source(str(path))) == [
        Sample(1767225600.0, (), "a/b", b"21.4", 0, False),
        Sample(1767225601.5, (), "c", b"\xff\x00", 1, True),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "object"),
        ('{"topic": "a", "payload": "1"}', "time: Field required"),
        ('{"time": "soon", "topic": "a", "payload": "1"}', "soon"),
        ('{"time": 1e300, "topic": "a", "payload": "1"}', "years 1 to 9999"),
        ('{"time": true, "topic": "a", "payload": "1"}', "time: "),
        ('{"time": 1, "topic": "a/#", "payload": "1"}', "topic: "),
        ('{"time": 1, "topic": "a"}', "either payload or payload64"),
        ('{"time": 1, "topic": "a", "payload": "1", "payload64": "MQ=="}', "either payload or payload64"),
        ('{"time": 1, "topic": "a", "payload64": "M"}', "payload64"),
        ('{"time": 1, "topic": "a", "payload": "1", "qos": 2}', "qos: "),
        ('{"time": 1, "topic": "a", "payload": 1}', "payload: "),
    ],
)
def test_malformed(tmp_path: Path, line: str, message: str) -> None:
    """A line that is no message is a SourceError that names file and line; the lines before it are given."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(recorded(1.0, "a", b"1") + line.encode())
    samples = open_source(str(path))
    assert next(samples).payload == b"1"
    with pytest.raises(SourceError) as error:
        next(samples)
    assert str(error.value).startswith(f"{path}:2: ")
    assert message in str(error.value)


def test_cut_short(tmp_path: Path) -> None:
    """A gzip file that is cut short, or none, is a SourceError."""
    path = tmp_path / "r.jsonl.gz"
    for content in (gzip.compress(recorded(1.0, "a", b"1") * 1000)[:-20], b"plain text"):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="no intact gzip file"):
            list(recording(path))
