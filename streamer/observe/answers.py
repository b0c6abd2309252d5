"""What the API answers, as JSON; the OpenAPI document has its schemas from here. A number that is not known is null."""

from dataclasses import dataclass

Numbers = list[float | None]
Values = list[float | Numbers | None]
"""For d = 1 a number each, else a list of d."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer."""

    error: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """How soon the newest forecast of a series crosses a threshold: in `seconds`, null where it does not."""

    name: str
    direction: str
    value: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The newest forecast: value i (from 0) is for time + (i + 1)·interval; times in seconds since 1970.

    quantiles: bounds by quantile. value: the newest one.
    """

    id: int
    time: float
    interval: float
    value: Values
    model: str
    version: int
    mean: Values
    quantiles: dict[str, Values]


@dataclass(frozen=True, slots=True)
class History:
    """The newest samples of a series, oldest first; a tick without a sample is missing among the ticks.

    clipped: ticks of values far outside, which forecasters were given clipped; told of a single series alone.
    """

    id: int
    ticks: list[int]
    times: list[float]
    values: Values
    clipped: list[int]


@dataclass(frozen=True, slots=True)
class Line:
    """What had been said `lead` ticks before: times of the truths, oldest first, and the forecasts of them."""

    lead: int
    times: list[float]
    mean: Values
    quantiles: dict[str, Values]


@dataclass(frozen=True, slots=True)
class Past:
    """Forecasts made before: as issued where the journal is `whole`, else made anew from what it has.

    lines: by lead, of each sample. forecasts: some whole ones, oldest first.
    """

    id: int
    whole: bool
    lines: list[Line]
    forecasts: list[Forecast]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why messages were no samples. messages: how many since the start, null of a single series."""

    reason: str
    messages: int | None
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A series in the list.

    skill: by reference, 1 - absolute error / that of the reference on the same truths, mean over the leads shown.
    words: the same in words. width: of the outermost band, over the mean error of persistence, at the last lead shown.
    surprise: error of the newest value, over the mean error one tick ahead. age: seconds since the newest sample.
    """

    id: int
    stream: str
    name: str
    labels: dict[str, str]
    time: float
    age: float
    value: float | None
    skill: dict[str, float | None]
    words: str
    width: float | None
    surprise: float | None
    threshold: Crossing | None
    history: History
    forecast: Forecast | None


@dataclass(frozen=True, slots=True)
class Page:
    """So many series of all that match, in the order asked for; total: how many match."""

    total: int
    offset: int
    series: list[Summary]


@dataclass(frozen=True, slots=True)
class Detail:
    """One series.

    leads: ticks ahead that weights, errors and scores are learned at, [L]. weights: by model, [L], of element 0: who
    speaks. errors: by model, mean absolute error, [L]. shown: the leads of skill and coverage, [S]. skill: by
    reference, [S]. coverage: by level of a band, the share of truths in it, [S]. winkler: by level, the Winkler score
    of the band over the mean error of persistence, [S]: less is better. rejected: why messages of its topic were no
    samples, since the start.
    """

    id: int
    stream: str
    name: str
    labels: dict[str, str]
    time: float
    tick: int
    words: str
    leads: list[int]
    weights: dict[str, Numbers]
    errors: dict[str, Numbers]
    shown: list[int]
    skill: dict[str, Numbers]
    coverage: dict[str, Numbers]
    winkler: dict[str, Numbers]
    thresholds: list[Crossing]
    networks: dict[str, int]
    rejected: list[Rejection]
    forecast: Forecast | None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream. skill: by reference, mean over series and leads shown. rejected: why messages were no samples."""

    name: str
    series: int
    samples: int
    forecasts: int
    rejected: list[Rejection]
    models: list[str]
    leads: list[int]
    horizon: int
    interval: float | None
    skill: dict[str, float | None]
    words: str
    networks: dict[str, int]
    training: str


@dataclass(frozen=True, slots=True)
class Streams:
    """All streams, in the order of the configuration."""

    streams: list[Stream]


@dataclass(frozen=True, slots=True)
class Network:
    """A network that went live. ratio: its mean absolute error over that of persistence on held-out ticks, the median
    over series, by which the gate decides; before: that of the network that was live then."""

    stream: str
    model: str
    version: int
    created: float
    live: bool
    ratio: float | None
    before: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Training:
    """A training since the start, the newest of them.

    begun: in seconds since 1970. seconds: how long it took, null while it goes on. losses: by network, E_p on held-out
    ticks after each epoch, in scaled units. results: by network, what came of it, in words.
    """

    stream: str
    cause: str
    begun: float
    seconds: float | None
    device: str
    losses: dict[str, Numbers]
    results: dict[str, str]


@dataclass(frozen=True, slots=True)
class Activity:
    """The training under way."""

    stream: str
    device: str
    model: str
    epoch: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Event `daemon`: samples by stream, versions of the live networks by stream and kind, what is trained, and which
    streams wait for their training. results: of trainings since the start ("kind result": count), by stream."""

    samples: dict[str, int]
    networks: dict[str, dict[str, int]]
    now: Activity | None
    waiting: list[str]
    results: dict[str, dict[str, int]]
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Trainings:
    """What is trained now, which streams wait, what came of trainings since the start ("kind result": count), by
    stream, the newest of them, newest first, and the networks in the journal, newest first."""

    now: Activity | None
    waiting: list[str]
    results: dict[str, dict[str, int]]
    seconds: dict[str, float]
    trainings: list[Training]
    networks: list[Network]
