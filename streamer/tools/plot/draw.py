"""Past and forecast of a series in, a drawing for the terminal or a PNG file out; libraries are imported when used."""

from datetime import UTC, datetime
from pathlib import Path

from streamer.errors import StartError
from streamer.tools.plot.curve import Curve

UNITS = (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
ENOUGH = 4.0
"""Units that a drawing is at least wide."""


def in_terminal(curve: Curve, width: int, height: int, colours: bool) -> str:
    """Lines of at most this width. Raises StartError where plotext is missing."""
    try:
        import plotext as plt
    except ModuleNotFoundError as missing:
        raise lacking("plotext") from missing
    now = curve.times[-1]
    unit, size = unit_of(curve)
    since, until = ([(time - now) / size for time in times] for times in (curve.times, curve.ahead))
    plt.clear_figure()
    plt.plotsize(width, height)
    plt.theme("pro" if colours else "clear")
    plt.title(title(curve))
    if curve.low:
        plt.plot(until, curve.low, marker="dot", color="orange", label=curve.band)
        plt.plot(until, curve.high, marker="dot", color="orange")
    plt.plot(since, curve.values, marker="braille", color="cyan", label="measured")
    if curve.mean:
        plt.plot(until, curve.mean, marker="braille", color="orange+", label="forecast")
        plt.vline(0)
    plt.xlabel(f"{unit} from {at(now)}")
    drawn: str = plt.build()
    return drawn if colours else str(plt.uncolorize(drawn))


def to_file(curve: Curve, path: Path) -> None:
    """Write a PNG file. Raises StartError where matplotlib is missing or the file cannot be written."""
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise lacking("matplotlib") from missing
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots()
    since, until = ([datetime.fromtimestamp(time, UTC) for time in times] for times in (curve.times, curve.ahead))
    axes.plot(since, curve.values, color="tab:blue", label="measured")  # type: ignore[arg-type]
    if curve.low:
        axes.fill_between(until, curve.low, curve.high, color="tab:orange", alpha=0.25, label=curve.band)  # type: ignore[arg-type]
    if curve.mean:
        axes.plot(until, curve.mean, color="tab:orange", label="forecast")  # type: ignore[arg-type]
        axes.axvline(since[-1], color="gray", linewidth=0.8)  # type: ignore[arg-type]
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_title(title(curve), parse_math=False)
    axes.legend()
    try:
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror or error})") from error


def lacking(library: str) -> StartError:
    """What to do where a library is not there."""
    return StartError(f"{library} is missing: pip install 'streamer[plot]'")


def title(curve: Curve) -> str:
    """The series, and who forecasts it. Names come from the wire: nothing in them moves the cursor."""
    name = "".join(one if one.isprintable() else "?" for one in curve.name)
    return f"{name}, forecast by {curve.model}" if curve.mean else f"{name}, past alone"


def unit_of(curve: Curve) -> tuple[str, float]:
    """The largest unit of time that the drawing is several of wide, with its seconds."""
    span = max(curve.ahead[-1:] or curve.times[-1:]) - curve.times[0]
    return next(((name, size) for name, size in UNITS if span >= ENOUGH * size), UNITS[-1])


def at(time: float) -> str:
    """A moment to the second, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
