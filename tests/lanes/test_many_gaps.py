"""A sensor whose messages lie a hundred ticks apart, many at once."""

from pathlib import Path

import numpy as np

from streamer.ingest.ticks import MOST_BRIDGED
from streamer.resume.snapshot import capture
from tests.streams import fast_lane, feed, resumed, sample, save, timed

GAP = 101
MANY = 20


def test_one_batch_bridges_so_many_ticks_of_a_series(tmp_path: Path) -> None:
    """Of twenty gaps in one batch as many are bridged as fit; after each other one the series begins anew, at its next
    tick that cannot be bridged. Another series with one gap is bridged, and a replay of the journal ends with the same
    bits."""
    fast = fast_lane(tmp_path, timed())
    (stream,) = fast.streams
    feed(fast, [sample(name, t, np.sin(t)) for t in range(5) for name in ("plant/rogue", "plant/good")])
    save(fast)
    feed(
        fast, [sample("plant/rogue", 4 + GAP * i, np.sin(i)) for i in range(1, MANY + 1)] + [sample("plant/good", 9, 0)]
    )
    rogue, good = stream.series
    bridged = MOST_BRIDGED // (GAP - 1)
    assert stream.counts.bridged == bridged * (GAP - 1) + 4
    assert stream.counts.gaps == MANY - bridged
    assert (good.tick, good.time) == (9, 9.0)
    assert (rogue.tick, rogue.time) == (4 + bridged * GAP + (MANY - bridged) * (GAP + 1), 4.0 + GAP * MANY)
    feed(fast, [sample("plant/rogue", rogue.time + 1, 0.5)])
    assert stream.counts.gaps == MANY - bridged
    fast.journal.close()
    again = resumed(tmp_path, timed())
    one, other = capture(stream).arrays, capture(again.streams[0]).arrays
    assert one.keys() == other.keys()
    for name in one:
        assert np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f"), name
    again.journal.close()
