"""Rows of the journal, for tests."""

import struct

from streamer.store.samples import SampleRow


def sample(series: int, tick: int, *values: float) -> SampleRow:
    """A sample whose time is 1,000 s after its tick, in seconds since 1970."""
    return series, tick, 1000.0 + tick, struct.pack(f"<{len(values)}d", *values)
