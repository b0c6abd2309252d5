"""A series in; the obvious forecasts out: nothing changes, as yesterday, as last week."""

import numpy as np

from streamer.records import Floats, Ints
from tests.studies.accuracy.datasets import filled


def persistence(x: Floats, origins: Ints, horizon: int) -> Floats:
    """[o, h] the newest known value of the series [n], at every lead."""
    return np.repeat(filled(x)[origins, None], horizon, 1)


def seasonal(x: Floats, origins: Ints, horizon: int, season: int) -> Floats:
    """[o, h] the newest known value of the same place in the season; a missing one is replaced by the one before it."""
    leads = np.arange(1, horizon + 1)
    values: Floats = filled(x)[origins[:, None] + leads - season * -(-leads // season)]
    return values
