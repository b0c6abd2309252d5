"""The values that cross stages; neither they nor the numpy arrays in them are to be written to.

All but the messages are frozen, which costs four times as much to make: too much once per message.

Axes: b samples or rows, d elements per sample, h leads (k·p values), L scored leads, M models.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Kind = Literal["memoryless", "traditional"]
CellName = Literal["rnn", "gru", "lstm", "peephole", "mrnn", "lru", "slstm"]
Form = Literal["paper", "residual"]
InitialState = Literal["carried", "zero", "mixed"]
WeightNoise = float | Literal["adaptive"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The letters of the paper: elements d, inputs m, block k, rounds p, neurons n, and r = n1/n2.

    form: of the memoryless network (streamer/models/residual.py); c: known inputs of that form. layers: of each
    network, n neurons each.
    """

    d: int = 1
    m: int = 70
    k: int = 10
    p: int = 4
    n: int = 50
    r: float = 1.0
    cell: CellName = "lstm"
    form: Form = "paper"
    c: int = 0
    layers: int = 1

    @property
    def horizon(self) -> int:
        """The number of values forecast, k·p."""
        return self.k * self.p

    def fingerprint(self) -> str:
        """The sizes as JSON text: weights fit a network of the very same sizes alone.

        Those of the paper's form, and of one layer, are written as they were before there were others.
        """
        later = {"form", "c"} if self.form == "paper" else set[str]()
        if self.layers == 1:
            later.add("layers")
        names = [name for name in self.__slots__ if name not in later]
        return json.dumps({name: getattr(self, name) for name in names})

    @property
    def split(self) -> tuple[int, int]:
        """Neurons (n1, n2) of the traditional pair: n1 + n2 = n, n1/n2 as near to r as whole numbers allow."""
        n1 = min(self.n - 1, max(1, round(self.n * self.r / (1 + self.r))))
        return n1, self.n - n1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; the values are measured (streamer/train/README.md).

    Epochs, windows sampled per epoch, windows per step; peak learning rate; largest gradient norm; initial states.

    `origins` is the number of forecasts that E_p is measured on; `tune_decoder` is train/tune.py. weight_noise: its
    deviation in a second pass of as many epochs (train/noise.py), 0 for none. warm_epochs: those of a training that
    goes on from the live network, 0 where each begins afresh.
    """

    epochs: int = 50
    windows: int = 6400
    batch: int = 64
    learning_rate: float = 5e-3
    clip: float = 0.5
    initial_state: InitialState = "mixed"
    carried_share: float = 0.8
    origins: int = 1000
    seed: int = 0
    tune_decoder: bool = False
    weight_noise: WeightNoise = 0.0
    warm_epochs: int = 0

    @property
    def passes(self) -> tuple[WeightNoise, ...]:
        """The noise of each pass of `epochs`."""
        return (0.0, self.weight_noise) if self.weight_noise else (0.0,)

    @property
    def warm(self) -> "Recipe":
        """The recipe of a training that goes on from the live network."""
        return replace(self, epochs=self.warm_epochs)

    @property
    def steps(self) -> int:
        """Steps of an epoch: its windows, rounded up to whole batches."""
        return math.ceil(self.windows / self.batch)

    @property
    def share(self) -> float:
        """The share of windows that start from a carried state."""
        return {"carried": 1.0, "zero": 0.0, "mixed": self.carried_share}[self.initial_state]


RECIPES: dict[CellName, Recipe] = {
    **dict.fromkeys(get_args(CellName), Recipe()),
    **dict.fromkeys(("rnn", "mrnn"), Recipe(windows=19200, batch=32, learning_rate=1e-3, clip=0.3)),
}
"""The measured best for each cell; one without gates wants smaller and more steps than a gated one."""
GPU_RECIPES: dict[CellName, Recipe] = {
    **RECIPES,
    "rnn": replace(RECIPES["rnn"], batch=256, learning_rate=3e-3),
    "lstm": replace(RECIPES["lstm"], batch=128, learning_rate=6e-3),
}
"""The same for a GPU, on which a step takes nearly as long with few windows as with many."""


UNREADABLE = ""
"""The topic of a message whose topic is not UTF-8 or holds a NUL, which MQTT forbids: acknowledged, and no sample."""


@dataclass(slots=True)
class Message:
    """One MQTT message received; `arrived` is the wall clock in seconds since 1970.

    mid: the packet identifier, None where there is none, as at QoS 0, or where its session is over. dup: the broker
    says that it has sent this packet before (MQTT 5, section 3.3.1.1).
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    mid: int | None
    arrived: float
    dup: bool = False


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """What was waiting on the link, oldest first; `connection` counts connects and makes old acknowledgements void.

    `session` counts the sessions on the broker since the start, from 0, that of before the start: packet identifiers
    mean something within one alone.
    """

    messages: list[Message]
    connection: int
    session: int = 0


@dataclass(slots=True)
class Outgoing:
    """One MQTT message to publish."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class TickBatch:
    """At most one tick of each series of a stream; the samples of a message batch become a sequence of tick batches.

    rows: [b] rows of the series in the stream's arrays. x: [b, d] values, NaN at a missing tick. tick: [b] its number.
    time: [b] of the sample, seconds since 1970. fresh: [b] the series starts anew here. arrived: [b] wall clock, NaN
    for a tick that is filled with the last value. u: [b, C, 1 + h] what is known of C covariates at the tick and at the
    h after it, NaN where nothing is; None for a stream without covariates.
    """

    rows: Ints
    x: Floats
    tick: Ints
    time: Floats
    fresh: NDArray[np.bool_]
    arrived: Floats
    u: NDArray[np.float32] | None = None

    def __getitem__(self, mask: NDArray[np.bool_]) -> "TickBatch":
        x, tick, time, fresh = self.x[mask], self.tick[mask], self.time[mask], self.fresh[mask]
        u = None if self.u is None else self.u[mask]
        return TickBatch(self.rows[mask], x, tick, time, fresh, self.arrived[mask], u)


@dataclass(frozen=True, slots=True)
class Crossings:
    """What forecasts say of the T thresholds of a stream, [b, T] each.

    lead: ticks until the forecast itself crosses, inf where it does not, NaN where there is nothing to say. earliest,
    latest: the same of the outermost bounds. probability: at the lead where it is greatest, that the value is beyond
    the threshold. crosses: whether a crossing is announced; where it is not, one that was is over.
    """

    lead: Floats
    earliest: Floats
    latest: Floats
    probability: Floats
    crosses: NDArray[np.bool_]

    def __getitem__(self, mask: NDArray[np.bool_] | Ints | slice) -> "Crossings":
        return Crossings(*(getattr(self, name)[mask] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Surprises:
    """Where newest values lay in the bands that had been issued for them, and whether that is news, [b] each.

    value: half widths of the band from its middle, NaN for none. outside: so many values in a row were outside; of
    those inside, negative. begins, ends: an announcement is to be made, or taken back.
    """

    value: Floats
    outside: Ints
    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]

    def __getitem__(self, mask: NDArray[np.bool_]) -> "Surprises":
        return Surprises(*(getattr(self, name)[mask] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class ForecastBatch:
    """Forecasts of every model for the samples of a tick batch.

    ticks: the samples, without missing ticks. mean: [b, M, h, d] in the units of the series, NaN where a model has
    none. chosen: [b] index of the model that is published. interval: [b] seconds between two ticks, 0 where that is not
    known yet. crossings, surprises: what is new about the stream's thresholds, and about values outside their bands.
    bounds: [b, Q, h, d] of the published forecasts, in the order of the stream's quantiles; None where it has none.
    """

    ticks: TickBatch
    mean: Floats
    chosen: Ints
    interval: Floats
    crossings: Crossings | None = None
    surprises: Surprises | None = None
    bounds: Floats | None = None

    def __getitem__(self, mask: NDArray[np.bool_]) -> "ForecastBatch":
        rows = {name: getattr(self, name) for name in self.__slots__}
        return replace(self, **{name: one[mask] for name, one in rows.items() if one is not None})

    @property
    def published(self) -> Floats:
        """The forecasts of the chosen models, [b, h, d]."""
        return self.mean[np.arange(len(self.chosen)), self.chosen]

    @property
    def curves(self) -> Floats:
        """The forecasts of the chosen models and then their bounds, [b, 1 + Q, h, d]."""
        mean = self.published[:, None]
        return mean if self.bounds is None else np.concatenate([mean, self.bounds], 1)


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of a network on the held-out truths that the gate compares on.

    e_p: E_p, eq. (15), in scaled units over all series, and persistence: that of persistence. ratio: the mean absolute
    error over that of persistence, the median over series; infinite where persistence makes no errors.
    """

    e_p: float
    persistence: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a training gives for one network: weights, the scales it was trained under, its errors.

    scales: series id -> (mean [d], standard deviation [d]). live: errors of the live network on the same truths, None
    where there is none.
    """

    kind: Kind
    weights: bytes
    scales: Mapping[int, tuple[Floats, Floats]]
    errors: Errors
    live: Errors | None = None
