"""What a stream takes of its messages: times that can be, and no others."""

from typing import Any

import numpy as np
import pytest

from streamer.config import Stream
from streamer.errors import Rejected
from streamer.ingest.intake import LATEST, Intake
from streamer.records import Message

START = 1_700_000_000.0
JSON: dict[str, Any] = {"name": "s", "topics": ["in"], "payload": {"format": "json", "time": "time"}}


@pytest.mark.parametrize("time", [-1e-9, -1e300, LATEST, 1e300, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("max_ahead", [None, 1e301])
def test_out_of_range(time: float, max_ahead: float | None) -> None:
    """Times before 1970 or after 9999 are refused, whatever may be ahead."""
    intake = Intake(Stream(**JSON, max_ahead=max_ahead))
    intake.decode = lambda _: ((1.0,), time)
    with pytest.raises(Rejected) as caught:
        intake.read(Message("in", b"", 0, False, 1, START))
    assert caught.value.reason == "time"


@pytest.mark.parametrize(
    ("fields", "offset", "reason"),
    [
        ({}, 60.0, None),
        ({}, 60.1, "future"),
        ({}, -START, None),
        ({"max_ahead": 5.0}, 5.1, "future"),
        ({"max_behind": 3600.0}, -3600.0, None),
        ({"max_behind": 3600.0}, -3600.1, "past"),
    ],
)
def test_plausible_dates(fields: dict[str, Any], offset: float, reason: str | None) -> None:
    """A time may be 60 s ahead of the clock, and behind it as far as anyone likes, if the stream does not say else."""
    intake = Intake(Stream(**JSON, **fields))
    message = Message("in", b"", 0, False, 1, START)
    if reason is None:
        intake.date(START + offset, message)
        return
    with pytest.raises(Rejected) as caught:
        intake.date(START + offset, message)
    assert caught.value.reason == reason


@pytest.mark.parametrize("time", [0.0, START, np.nextafter(LATEST, 0)])
def test_in_range(time: float) -> None:
    """Times of the years 1970 to 9999 pass as they are."""
    intake = Intake(Stream(**JSON, max_ahead=None))
    intake.decode = lambda _: ((1.0,), time)
    assert intake.read(Message("in", b"", 0, False, 1, START)) == ((1.0,), time)
