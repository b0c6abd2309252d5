"""The errors of a model and a reference in, the ratio of their means on common truths out: ten lines of numpy."""

import numpy as np

from streamer.forecast.skill import FALL, LEAST, MOST, RISE, WARM, WILD
from streamer.records import Floats


def by_hand(model: Floats, reference: Floats, window: float) -> float:
    """The ratio of two fading sums over the truths for which both have an error [T], each bounded by what is large."""
    met, large, own, others = 0, np.inf, 0.0, 0.0
    for mine, other in np.abs([model, reference]).T:
        if met >= WARM and np.isfinite(mine + other):
            own = own * np.exp(-1 / window) + min(mine, WILD * large)
            others = others * np.exp(-1 / window) + min(other, WILD * large)
            own, others = (0.0, 0.0) if other == 0 and others < LEAST * large else (own, others)
        if other > 0:
            large = min(large, other) if met < WARM else large * (RISE if other > large else FALL)
            met += 1
    return float(min(own / others, MOST)) if others else np.nan
