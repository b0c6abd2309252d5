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


@pytest.mark.parametrize("time", [0.0, START, np.nextafter(LATEST, 0)])
def test_in_range(time: float) -> None:
    """Times of the years 1970 to 9999 pass as they are."""
    intake = Intake(Stream(**JSON, max_ahead=None))
    intake.decode = lambda _: ((1.0,), time)
    assert intake.read(Message("in", b"", 0, False, 1, START)) == ((1.0,), time)
