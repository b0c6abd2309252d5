"""All that forecasts a stream: tick batches in; forecasts of every model, their scores, and the published ones, out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from streamer.config import Metrics, Stream
from streamer.errors import ConfigError
from streamer.forecast.bands import Bands
from streamer.forecast.contract import REFERENCE, Forecaster
from streamer.forecast.coverage import Coverage, believed_at
from streamer.forecast.guard import Guard, believed
from streamer.forecast.leads import LeadGrid, grid_of
from streamer.forecast.mix import MIX, Mix
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.pace import Pace
from streamer.forecast.persistence import Persistence
from streamer.forecast.registry import Shared, forecasters_of, models_of, references_of
from streamer.forecast.score import Scores
from streamer.forecast.skill import Skill
from streamer.models import KINDS, Kind
from streamer.part import Part
from streamer.records import Floats, ForecastBatch, Ints, TickBatch

BEST = "best"
"""The value of publish.model that asks for the mixture."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The forecasters of a stream by name, what they share, what judges them, and what mixes them.

    models: the names on the axis M: forecasters, networks that may not be live yet, and the mixture of them all as the
    last. leads: those shown in metrics. The panel itself never changes: a swap makes another one (`with_networks`),
    which shares all but the networks.
    """

    config: Stream
    leads: tuple[int, ...]
    models: tuple[str, ...]
    forecasters: Mapping[str, Forecaster]
    shared: Shared
    scores: Scores
    skill: Skill
    mix: Mix
    bands: Bands | None
    coverage: Coverage | None

    @classmethod
    def begin(cls, config: Stream, metrics: Metrics) -> Self:
        """The panel of a stream without series and networks. Raises ConfigError for a name that no forecaster has."""
        sizes, shared = config.sizes, Shared(config)
        forecasters = forecasters_of(config, shared)
        mixed = models_of(config, forecasters)
        if config.publish.model not in (BEST, MIX, *mixed):
            where, known = f"streams: {config.name}: publish.model", ", ".join((BEST, *mixed))
            raise ConfigError(f"{where}: there is no {config.publish.model}; there are {known}")
        wanted = {lead for lead in metrics.leads or () if lead <= sizes.horizon}
        leads = tuple(sorted(wanted or {1, sizes.k, sizes.horizon}))
        grid = LeadGrid(grid_of(sizes.horizon, leads), sizes.horizon)
        models = (*mixed, MIX)
        shown = np.searchsorted(grid.leads, leads).tolist()
        scores = Scores(models, grid.leads.tolist(), sizes.d, metrics.window, shown)
        skill = Skill(models, leads, references_of(forecasters), metrics.window)
        single = models.index(config.publish.model) if config.publish.model in mixed else None
        bands = Bands(config, grid, single) if config.publish.quantiles else None
        coverage = Coverage(bands, shown, metrics.window) if bands else None
        judges = scores, skill, Mix(mixed, grid, sizes.d), bands, coverage
        return cls(config, leads, models, forecasters, shared, *judges)

    def with_networks(self, networks: Mapping[Kind, NetworkForecaster]) -> "Panel":
        """The panel with these networks in place of those of their kind, or as the first of it.

        They enter without weight, and earn it. A kind that the stream's configuration leaves out is left out.
        """
        live = {kind: one for kind, one in networks.items() if kind in self.models}
        self.scores.forget([*live])
        self.skill.forget([*live])
        self.mix.forget([*live])
        return replace(self, forecasters={**self.forecasters, **dict[str, Forecaster](live.items())})

    @property
    def networks(self) -> dict[str, NetworkForecaster]:
        """The live networks by kind."""
        return {name: one for name, one in self.forecasters.items() if isinstance(one, NetworkForecaster)}

    @property
    def wants_networks(self) -> bool:
        """Whether the stream's configuration asks for any network."""
        return any(kind in self.models for kind in KINDS)

    @property
    def newest(self) -> Floats:
        """The newest value of each series, [N, d]."""
        reference = self.forecasters[Persistence.name]
        assert isinstance(reference, Persistence)
        return reference.newest

    @property
    def one_ahead(self) -> Floats:
        """What the mixture had predicted, one tick before, for the newest tick of each series, [N, d]; NaN for none."""
        return self.scores.ahead

    @property
    def room(self) -> int:
        """Rows that the parts have room for."""
        return len(self.newest)

    @property
    def shown(self) -> list[int]:
        """The indices, among the scored leads, of those shown in metrics."""
        at: list[int] = self.scores.shown.tolist()
        return at

    def parts(self) -> Iterator[Part]:
        yield self.scores
        yield self.skill
        yield self.mix
        if self.bands and self.coverage:
            yield self.bands
            yield self.coverage
        yield from self.shared.parts()
        yield from self.forecasters.values()

    def begin_rows(self, rows: Ints) -> None:
        """Nothing is predicted yet of these new series, for whoever reads the scores before their first sample."""
        self.scores.restart(rows)

    def renew(self, rows: Ints) -> None:
        """These series begin anew: of what was learned of them, only the guard's remains."""
        for part in self.parts():
            if part.name not in (Guard.name, Pace.name):
                part.renew(rows)

    def move(self, rows: Ints, by: Floats) -> None:
        """What was learned of these series holds from now on where they have jumped to, by [b, d]."""
        for part in (*self.shared.used, *(network.scale for network in self.networks.values())):
            part.move(rows, by)

    def fill(self, batch: TickBatch) -> TickBatch:
        """The same with the last value at filled ticks, which have a time and no value yet."""
        filled = np.isnan(batch.x[:, 0]) & ~np.isnan(batch.time)
        return replace(batch, x=np.where(filled[:, None], self.newest[batch.rows], batch.x))

    def step(self, batch: TickBatch) -> None:
        """Score what was predicted for these ticks and learn whom to trust, then take them in.

        Scores and the reference get values as they came, networks from the guard clipped, all others without those that
        it does not believe. Where it has been wrong about the values before, a series begins anew.
        """
        predicted = self.scores.truth(batch)
        calm = self.shared.guard.calm(batch, self.scores.leads, predicted[:, -1])
        if calm.anew.any():
            self.renew(batch.rows[calm.anew])
            predicted[calm.anew] = np.nan
        shown = predicted[:, :, self.scores.shown]
        self.skill.truth(batch, shown)
        self.mix.doubt(batch, calm)
        if self.bands and self.coverage:  # first: the mixture forgets whether the oldest of its truths was believed
            self.bands.truth(batch, calm, self.intervals(batch.rows), self.mix.doubted, predicted)
            now = (batch.x == calm.ticks.x).all(1)
            self.coverage.truth(batch, believed_at(now, batch, self.mix.doubted, self.coverage.leads), shown)
        self.mix.truth(batch, calm, predicted)
        if calm.moved.any():
            self.move(batch.rows, calm.moved)
        self.shared.step(believed(batch, calm))
        for name, forecaster in self.forecasters.items():
            forecaster.step(batch if name == REFERENCE else calm.ticks)

    def forecast(self, batch: TickBatch) -> ForecastBatch:
        """The forecasts of all models after these samples, kept to be scored, and which of them to publish."""
        made = self.make(batch, keep=True)
        self.scores.predicted(batch, made.mean)
        return made

    def repeat(self, batch: TickBatch) -> ForecastBatch:
        """The same, of newest samples that were forecast before: nothing is kept."""
        return self.make(batch, keep=False)

    def make(self, batch: TickBatch, *, keep: bool) -> ForecastBatch:
        """The forecasts with their bounds, which are kept if they are new."""
        mean = self.predict(batch)
        made = ForecastBatch(batch, mean, self.choose(mean), self.intervals(batch.rows))
        if self.bands is None:
            return made
        slots, own = self.shared.coming(batch), made.chosen != len(self.models) - 1
        return replace(made, bounds=self.bands.bounds(batch, mean, slots, own, keep=keep))

    def predict(self, batch: TickBatch) -> Floats:
        """What every model says after these samples: [b, M, h, d], NaN where it says nothing.

        All but the reference keep to the bounds that the guard has for forecasts, and to those of the configuration.
        Until the guard knows where a series is, the mixture is the reference.
        """
        sizes = self.config.sizes
        mean = np.full((len(batch.rows), len(self.models), sizes.horizon, sizes.d), np.nan)
        for name, forecaster in self.forecasters.items():
            mean[:, self.models.index(name)] = forecaster.forecast(batch)
        self.shared.guard.bound(batch.rows, mean[:, 1:-1])
        self.mix.mixture(batch.rows, mean)
        guessing = self.shared.guard.guessing(batch.rows)
        if guessing.any():
            mean[guessing, -1] = mean[guessing, self.scores.reference]
        return mean

    def choose(self, mean: Floats) -> Ints:
        """The model to publish for each row: the configured one where it speaks, else the mixture."""
        asked, mixture = self.config.publish.model, len(self.models) - 1
        if asked not in self.models:
            return np.full(len(mean), mixture)
        wanted = self.models.index(asked)
        return np.where(np.isfinite(mean[:, wanted].sum((1, 2))), wanted, mixture)

    def intervals(self, rows: Ints) -> Floats:
        """Seconds between two ticks of each of these series, [b]; 0 where that is not known yet."""
        return self.shared.pace.intervals(rows)

    def surprise(self, rows: Ints) -> Floats:
        """Where the newest values of these series lay in their bands (`Bands.surprise`); NaN where there are none."""
        return np.full(len(rows), np.nan) if self.bands is None else self.bands.surprise(rows)

    def weights(self) -> Floats:
        """The weight of each mixed model at the scored leads, [K, L]: mean over series and elements, NaN for none."""
        rows = np.flatnonzero(self.mix.met.any((1, 2)))
        speaks = np.array([name in self.forecasters for name in self.mix.models])
        if not len(rows):
            return np.full((len(self.mix.models), len(self.scores.leads)), np.nan)
        mean: Floats = self.mix.weights(rows, np.broadcast_to(speaks, (len(rows), len(speaks)))).mean((0, 3))
        return mean

    def speakers(self) -> list[tuple[str, int]]:
        """Name and version of each model, by its index; the mixture has that of its newest network, 0 for none."""
        versions = {name: one.version for name, one in self.forecasters.items()}
        versions[MIX] = max(versions.values())
        return [(name, versions.get(name, 0)) for name in self.models]


def compile_all() -> None:
    """Have all compiled functions ready: the first time on a machine that takes seconds, and no sample should wait."""
    panel = Panel.begin(Stream(name="compiled", topics=["#"]), Metrics())
    for part in panel.parts():
        part.grow(1)
    one, time = np.zeros(1, np.int64), np.zeros(1)
    for tick in range(2):
        batch = TickBatch(one, np.zeros((1, 1)), one + tick, time, np.array([tick == 0]), time)
        panel.step(batch)
        panel.forecast(batch)
    panel.weights()
