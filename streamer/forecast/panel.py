"""All that forecasts a stream: tick batches in; forecasts of every model, their scores, and who is published, out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from streamer.config import Metrics, Stream
from streamer.forecast.choice import Choice
from streamer.forecast.contract import Forecaster
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.persistence import Persistence
from streamer.forecast.registry import forecasters_of, models_of
from streamer.forecast.score import Scores
from streamer.forecast.trajectory import Trajectories
from streamer.models import Kind
from streamer.part import Part
from streamer.records import Floats, ForecastBatch, Ints, TickBatch


@dataclass(frozen=True, slots=True)
class Panel:
    """The forecasters of a stream by name, and what judges them.

    models: the names on the axis M, those of networks that are not live yet among them. preferred: the network that
    won on the held-out part of the buffer, published until live scores can tell. The panel itself never changes: a swap
    makes another one (`with_networks`), which shares scores and choice.
    """

    config: Stream
    models: tuple[str, ...]
    forecasters: Mapping[str, Forecaster]
    scores: Scores
    trajectories: Trajectories
    choice: Choice
    preferred: Kind | None = None

    @classmethod
    def begin(cls, config: Stream, metrics: Metrics) -> Self:
        """The panel of a stream without series and networks."""
        sizes, forecasters = config.sizes, forecasters_of(config)
        models = models_of(forecasters)
        wanted = {lead for lead in metrics.leads or () if lead <= sizes.horizon}
        leads = sorted(wanted or {1, sizes.k, sizes.horizon})
        scores = Scores(models, leads, sizes.d, metrics.window)
        trajectories = Trajectories(models, sizes.horizon, sizes.d, metrics.window)
        return cls(config, models, forecasters, scores, trajectories, Choice(models))

    def with_networks(self, networks: Mapping[Kind, NetworkForecaster], preferred: Kind | None) -> "Panel":
        """The panel with these networks in place of those of their kind, or as the first of it."""
        self.scores.forget([*networks])
        self.trajectories.forget([*networks])
        live = dict[str, Forecaster](networks.items())
        return replace(self, forecasters={**self.forecasters, **live}, preferred=preferred)

    @property
    def networks(self) -> dict[str, NetworkForecaster]:
        """The live networks by kind."""
        return {name: one for name, one in self.forecasters.items() if isinstance(one, NetworkForecaster)}

    @property
    def newest(self) -> Floats:
        """The newest value of each series, [N, d]."""
        reference = self.forecasters[Persistence.name]
        assert isinstance(reference, Persistence)
        return reference.newest

    def parts(self) -> Iterator[Part]:
        yield self.scores
        yield self.trajectories
        yield self.choice
        yield from self.forecasters.values()

    def begin_rows(self, rows: Ints) -> None:
        """Nothing is predicted yet of these new series, for whoever reads the scores before their first sample."""
        self.scores.restart(rows)
        self.trajectories.restart(rows)

    def step(self, batch: TickBatch) -> None:
        """Score what was predicted for these ticks, then take them in."""
        self.scores.truth(batch)
        self.trajectories.truth(batch)
        for forecaster in self.forecasters.values():
            forecaster.step(batch)

    def forecast(self, batch: TickBatch) -> ForecastBatch:
        """The forecasts of all models after these samples, kept to be scored, and which of them to publish."""
        mean = self.predict(batch)
        self.scores.predicted(batch, mean)
        self.trajectories.predicted(batch, mean)
        return ForecastBatch(batch, mean, self.choose(batch.rows, mean))

    def repeat(self, batch: TickBatch) -> ForecastBatch:
        """The same forecasts as they were made before of the newest samples, of the models published then."""
        return ForecastBatch(batch, self.predict(batch), self.choice.published[batch.rows])

    def predict(self, batch: TickBatch) -> Floats:
        """What every model says after these samples: [b, M, h, d], NaN where it says nothing."""
        sizes = self.config.sizes
        mean = np.full((len(batch.rows), len(self.models), sizes.horizon, sizes.d), np.nan)
        for name, forecaster in self.forecasters.items():
            mean[:, self.models.index(name)] = forecaster.forecast(batch)
        return mean

    def choose(self, rows: Ints, mean: Floats) -> Ints:
        """The model to publish for each row: the configured network where it is live, else the least rolling E_p.

        A network that won at the gate speaks until its first whole forecast has met its truth.
        """
        asked = self.config.publish.model
        wanted = self.preferred if asked == "best" else asked
        at = self.models.index(wanted) if wanted in self.forecasters else None
        return self.choice.choose(rows, mean, self.trajectories.ranking(rows), at, always=asked != "best")

    def speakers(self) -> list[tuple[str, int]]:
        """Name and version of each model, by its index; version 0 where it is not trained, or not live."""
        versions = {name: one.version for name, one in self.forecasters.items()}
        return [(name, versions.get(name, 0)) for name in self.models]
