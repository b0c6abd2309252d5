"""The series that the studies of glitches and of a rogue are made of."""

import numpy as np

from tests.studies.accuracy.datasets import Data, Spec
from tests.studies.glitches import FOLLOWED, disturb_long
from tests.studies.rogue import BEGAN, ORDERLY, SAMPLES, SPACED, SPACING, crowd


def test_longer_faults() -> None:
    """A sensor stands for a day and is as its twin after it, a step stays, a counter goes on from 0."""
    x = 20 + np.random.default_rng(0).normal(size=4000)
    x[[1700, 2500]] = np.nan
    spec = Spec(3600.0, stride=1, k=2, p=2, day=24)
    found = disturb_long(
        Data("a", spec, ("a",), np.linspace(BEGAN, BEGAN + 3600.0 * 4000, 4000, endpoint=False), x[:, None])
    )
    columns = dict(zip(found.names, found.x.T, strict=True))
    fault, after = slice(1600, 1624), slice(1624, 1624 + FOLLOWED + 4)
    assert (set(found.after), len(found.x)) == ({1624}, after.stop)
    for name, value in (("stuck at 0", 0.0), ("stuck", x[1600])):
        assert (columns[name][fault] == value).all()
        np.testing.assert_array_equal(columns[name][after], columns["clean"][after])
    assert np.nanstd((columns["step"] - columns["clean"])[after]) < 1e-9
    assert 15 < np.nanmean((columns["step"] - columns["clean"])[after]) < 17
    assert columns["reset"][1624] == 0
    np.testing.assert_allclose(np.diff(columns["reset"][after]), np.diff(columns["counter"][after]), atol=1e-6)


def test_a_rogue_has_four_times_as_many_samples() -> None:
    """The orderly series are the same with and without it; its longest gap is the longest that is bridged."""
    alone, beside = crowd(0, with_rogue=False), crowd(0, with_rogue=True)
    np.testing.assert_array_equal(alone.x, beside.x[beside.begin :, :ORDERLY])
    rogue = np.flatnonzero(~np.isnan(beside.x[:, -1]))
    assert len(rogue) == 4 * SAMPLES
    assert np.bincount(np.diff(rogue))[SPACING] == SPACED
    assert np.isnan(beside.x[: beside.begin, :ORDERLY]).all()
