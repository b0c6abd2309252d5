"""The states that a daemon saved, against numpy, for tests."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from streamer.models import KINDS
from streamer.records import Sizes
from streamer.store.journal import Journal, Source
from streamer.store.outcomes import Span, newest_network, outcomes_after
from streamer.store.snapshots import newest_first
from streamer.train.weights import network_of
from tests.models.reference import live, traditional
from tests.process import SIZES


def swapped(journal: Journal, version: int, sizes: Sizes) -> Mapping[int, Span]:
    """The spans of the training that gave this version."""
    return outcomes_after(journal, "waves", sizes, version - 1)[0].spans


def check_states(state: Path, samples: int) -> None:
    """The saved states against numpy, from the journal's samples and the newest weights."""
    sizes = Sizes(**SIZES, form="residual", c=8)  # type: ignore[arg-type]
    journal = Journal.read(state)
    try:
        (series,) = journal.series(Source("waves", "value", 1, 1.0))
        assert series.tick == samples - 1
        saved = next(newest_first(state, "waves"))
        assert saved.arrays["series.tick"].tolist() == [series.tick]
        compared = 0
        for kind in KINDS:
            model = newest_network(journal, "waves", kind, sizes)
            assert model is not None
            first = swapped(journal, model.version, sizes)[series.ident].first
            ticks, times, values = journal.dated(series.ident, samples - first, series.tick)
            assert ticks[0] == first
            network = network_of(kind, sizes, model.weights)
            if kind == "memoryless":
                expected, _ = live(network, values[:, 0], times, 1.0, 1)
            else:
                mean, sd = model.scales[series.ident]
                expected, _ = traditional(network, (values - mean) / sd, 1)
            np.testing.assert_allclose(saved.arrays[f"{kind}.s"][0], expected, atol=1e-5)
            compared += 1
        assert compared == 2
    finally:
        journal.close()
