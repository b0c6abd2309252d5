"""The forecasters that a stream begins with. To add one, write its file and add a line here."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from streamer.config import Stream
from streamer.errors import ConfigError
from streamer.forecast.contract import REFERENCE, Forecaster
from streamer.forecast.guard import Guard
from streamer.forecast.linear import Linear, LinearExperts
from streamer.forecast.pace import Pace
from streamer.forecast.persistence import Persistence
from streamer.forecast.seasonal import Seasonal, Seasons
from streamer.models import KINDS
from streamer.part import Part
from streamer.records import Ints, TickBatch

LAST = {"day": "yesterday", "week": "last-week"}
"""What the value of one cycle before is called; for other cycles it is last-TICKS."""


class Shared:
    """State that several forecasters of a stream read.

    But for guard and pace, only what one of them reads is kept and stepped. The experts are stepped before the seasons,
    whose usual values they compare the new ones with.
    """

    def __init__(self, config: Stream) -> None:
        self.guard = Guard(config.sizes.d, config.interval, config.limits)
        self.pace = Pace(config)
        self.seasons = Seasons(config, self.pace, self.guard)
        self.experts = LinearExperts(config, self.seasons)
        self.always: list[Pace] = [] if config.interval is not None else [self.pace]
        self.used: list[Seasons | LinearExperts] = []

    def keep(self, forecasters: Iterable[Forecaster]) -> None:
        """Only these forecasters read it."""
        kinds = {type(one) for one in forecasters}
        if Linear in kinds:
            self.used = [self.experts, self.seasons]
        elif Seasonal in kinds:
            self.used = [self.seasons]

    def coming(self, batch: TickBatch) -> Ints:
        """The slots of the shortest cycle that the k·p ticks after these samples lie in, [b, h]; 0 without a cycle."""
        if not self.seasons.calendar.cycles:
            return np.zeros((len(batch.rows), len(self.seasons.ahead)), np.int64)
        return self.seasons.coming(batch)[0]

    def parts(self) -> Iterator[Part]:
        yield self.guard
        yield from self.always
        yield from self.used
        if self.experts in self.used and self.experts.covariates.names:
            yield self.experts.covariates

    def step(self, believed: TickBatch) -> None:
        """Take in one tick of each row: what the guard believes of it.

        Seasons wait until a series has settled. The origin that least squares keep differences from moves to the newest
        value once it is far away from it.
        """
        for pace in self.always:
            pace.take_in(believed)
        for one in self.used:
            one.take_in(believed if one is self.experts else self.guard.settled(believed))
        if self.experts in self.used:
            origin = self.experts.origin[believed.rows]
            far = self.guard.far(believed, origin)
            if far.any():
                some = far.any(1)
                self.experts.move_origin(believed.rows[some], np.where(far, believed.x, origin)[some])


def seasonal(shared: Shared) -> Iterator[Forecaster]:
    """The last and the usual value of each cycle."""
    for i, cycle in enumerate(shared.seasons.calendar.cycles):
        yield Seasonal(LAST.get(cycle.name, f"last-{cycle.name}"), shared.seasons, i, last=True)
        yield Seasonal(f"profile-{cycle.name}", shared.seasons, i, last=False)


def linear(shared: Shared) -> Iterator[Forecaster]:
    """One without a cycle and one for each, and one with covariates."""
    names = ["linear", *(f"linear-{cycle.name}" for cycle in shared.seasons.calendar.cycles)]
    for i, name in enumerate(names):
        yield Linear(name, shared.experts, i)
    if (with_covariates := shared.experts.covariates).names:
        yield Linear("linear-covariates", shared.experts, with_covariates.expert, covariates=True)


FORECASTERS: dict[str, Callable[[Stream, Shared], Forecaster | Iterator[Forecaster]]] = {
    REFERENCE: lambda config, _: Persistence(config),
    "seasonal": lambda _, shared: seasonal(shared),
    "linear": lambda _, shared: linear(shared),
}
"""What makes a forecaster of a stream, or several.

Networks are not made here: a stream has none until a training outcome brings some.
"""


def forecasters_of(config: Stream, shared: Shared) -> dict[str, Forecaster]:
    """The forecasters that a stream begins with, by name, the reference first. Raises ConfigError."""
    found: dict[str, Forecaster] = {}
    for make in FORECASTERS.values():
        made = make(config, shared)
        for one in made if isinstance(made, Iterator) else [made]:
            found[one.name] = one
    if config.forecasters == "auto":
        shared.keep(found.values())
        return found
    wanted = [REFERENCE, *config.forecasters]
    unknown = sorted({*wanted} - {*found, *KINDS})
    if unknown:
        where = f"streams: {config.name}: forecasters"
        raise ConfigError(f"{where}: there is no {', '.join(unknown)}; there are {', '.join([*found, *KINDS])}")
    kept = {name: one for name, one in found.items() if name in wanted}
    shared.keep(kept.values())
    return kept


def references_of(forecasters: dict[str, Forecaster]) -> list[str]:
    """The obvious forecasts that all are compared with: the newest value, and that of one cycle before where kept.

    Of several cycles it is the first: of the day and the week the day.
    """
    before = [name for name, one in forecasters.items() if isinstance(one, Seasonal) and one.is_last]
    return [REFERENCE, *before[:1]]


def models_of(config: Stream, forecasters: dict[str, Forecaster]) -> tuple[str, ...]:
    """The models that are mixed: these forecasters, then the kinds of networks that are asked for, live or not yet."""
    kinds = [kind for kind in KINDS if config.forecasters == "auto" or kind in config.forecasters]
    return (*forecasters, *kinds)
