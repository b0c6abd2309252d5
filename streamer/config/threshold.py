"""The keys of `thresholds` and `surprise`: what is announced beside forecasts."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import Section, together

ROUNDING = 1e-9


class Threshold(Section):
    """A value whose crossing is announced as soon as a forecast reaches it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """Name of the threshold in topics, messages and metrics."""
    above: float | None = None
    """Crossed by values of at least this one, in units of the series. Give above or below, not both."""
    below: float | None = None
    """Crossed by values of at most this one, in units of the series."""
    element: Annotated[int, Field(ge=0)] = 0
    """Index, from 0, of the element that is compared, for samples of several numbers."""
    at: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Least probability of the crossing at which it is announced; null announces what the forecast itself crosses."""

    @together
    def one_direction(self) -> Iterator[str]:
        if (self.above is None) == (self.below is None):
            yield "give above or below, and only one of them"

    @property
    def direction(self) -> Literal["above", "below"]:
        return "below" if self.above is None else "above"

    @property
    def value(self) -> float:
        value = self.below if self.above is None else self.above
        assert value is not None
        return value

    def untold(self, quantiles: Sequence[float]) -> str | None:
        """Why bounds at these quantiles cannot tell whether the probability `at` is reached; None where they can."""
        if self.at is None:
            return None
        if not quantiles:
            return "a probability needs publish.quantiles"
        shares = quantiles if self.direction == "below" else [1 - one for one in quantiles]
        if min(shares) - ROUNDING <= self.at <= max(shares) + ROUNDING:
            return None
        return (
            f"publish.quantiles tell probabilities from {min(shares):.6g} to {max(shares):.6g}: "
            f"add {self.at if self.direction == 'below' else 1 - self.at:.6g} to them"
        )


class Surprise(Section):
    """Announcement of series whose values lie outside the band that was forecast for them one tick before."""

    in_a_row: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Values in a row outside the band that are announced; as many inside take it back."""
