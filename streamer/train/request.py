"""The request that the daemon sends to the training process."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamer.config.cycles import Season
from streamer.models import KINDS
from streamer.records import Recipe, Sizes


@dataclass(frozen=True, slots=True)
class Request:
    """What to train; it crosses to the training process as JSON.

    directory: the state directory; series: ids of series, read in this order until `most` ticks are together; window:
    newest ticks read of a series, without those of longer gaps; max_gap: longest gap, in ticks, within a segment;
    held_out: share of each series' newest ticks that only measures errors; device: auto, cpu or cuda; threads: CPU
    threads of both networks together; gpu_recipe: in place of recipe on a GPU; fill: ticks in a gap have the value
    before it; aggregated: a tick is the stretch that ends at its time; season, interval, timezone, holidays and
    covariates (as JSON) as in the stream's configuration; idle: run at idle priority, and give up as `starved` where
    that gets no processor.
    """

    directory: str
    stream: str
    series: list[int]
    most: int
    window: int
    max_gap: int
    held_out: float
    device: str
    threads: int
    sizes: Sizes
    recipe: Recipe
    gpu_recipe: Recipe | None = None
    fill: bool = False
    season: Season = None
    interval: float | None = None
    timezone: str = "UTC"
    holidays: str | None = None
    covariates: Sequence[dict[str, Any]] = ()
    aggregated: bool = False
    idle: bool = True

    @property
    def threads_each(self) -> int:
        """CPU threads of one network when both are trained in parallel."""
        return max(1, self.threads // len(KINDS))

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Request":
        recipes = {name: Recipe(**given) for name in ("recipe", "gpu_recipe") if (given := document[name])}
        nested = {"sizes": Sizes(**document["sizes"]), **recipes}
        return cls(**{**document, **nested})
