"""Cost of a sample on the fast lane, summed over its stages, by number of series and size of networks."""

from collections.abc import Iterator

from streamer.config import Stream
from streamer.tools.bench import subject
from streamer.tools.bench.section import Row, Settings, Tell
from streamer.tools.bench.stages import costs

BATCH = 256
SERIES = (10, 1_000, 100_000)
SERIES_QUICK = (10, 1_000, 10_000)
K = 10
HORIZONS = (10, 40, 160)
NEURONS = (25, 50, 100)
ELEMENTS = (1, 4, 16)


def cases(settings: Settings) -> Iterator[tuple[str, int, Stream]]:
    """What is varied, its value, and the stream, whose other keys have their defaults."""
    cell, series = settings.cell, settings.series
    for count in SERIES_QUICK if settings.quick else SERIES:
        yield "series", count, subject.stream(count, cell)
    for horizon in HORIZONS:
        yield "k·p", horizon, subject.stream(series, cell, k=K, p=horizon // K)
    for n in NEURONS:
        yield "n", n, subject.stream(series, cell, n=n)
    for d in ELEMENTS:
        yield "d", d, subject.stream(series, cell, d=d)


def measure(settings: Settings, tell: Tell) -> list[Row]:
    """A row per case, in batches of 256, or of all series if there are fewer."""
    rows = []
    for name, value, stream in cases(settings):
        tell(f"{name} = {value}")
        ((b, cost),) = costs(stream, [BATCH], 2 if settings.quick else 5).items()
        forecast = cost.stages["forecast"] + cost.stages["step"]
        networks = {"networks_us": forecast, "floor_us": cost.floors["forecast"] + cost.floors["step"]}
        rows.append({"vary": name, "value": value, "batch": b, "us": cost.sum, **networks, "bytes": cost.held})
    return rows
