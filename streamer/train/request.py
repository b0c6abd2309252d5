"""What the daemon asks the training process for."""

from dataclasses import dataclass
from typing import Any

from streamer.models import KINDS
from streamer.records import Recipe, Sizes


@dataclass(frozen=True, slots=True)
class Request:
    """What to train: plain values, so that it crosses to the process as JSON.

    series: the ids of the series to train on, in the order in which they are taken until `most` ticks are together;
    threads: CPU threads of both networks together.
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

    @property
    def threads_each(self) -> int:
        """CPU threads of one network where both are trained side by side."""
        return max(1, self.threads // len(KINDS))

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Request":
        nested = {"sizes": Sizes(**document["sizes"]), "recipe": Recipe(**document["recipe"])}
        return cls(**{**document, **nested})
