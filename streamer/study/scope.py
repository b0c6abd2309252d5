"""What a study may use: its seeds, its store of what has been measured, and a way to say how far it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from streamer.paper.store import Store

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """How a study is run: `quick` sizes, repetitions, `only`, parts of the names of what is measured, and `csv`, files
    of series to forecast."""

    quick: bool
    seeds: tuple[int, ...]
    store: Store
    say: Say
    only: Sequence[str] = ()
    csv: Sequence[Path] = ()

    def wants(self, name: str) -> bool:
        """Whether what has this name is to be measured: all is, where nothing is named."""
        return not self.only or any(part in name for part in self.only)

    def measure(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` finds, as JSON holds it: kept under the name, and not measured again.

        None where it was not asked for and never measured.
        """
        if name not in self.store.results and self.wants(name):
            begun = time.perf_counter()
            found = work()
            self.store.keep(name, {"found": found, "seconds": round(time.perf_counter() - begun, 1)})
            self.say(f"{name}: {self.store.results[name]['seconds']:.0f} s")
        kept = self.store.results.get(name)
        return None if kept is None else kept["found"]

    def each(self, name: str, work: Callable[[int], Any]) -> list[Any]:
        """What `work` finds for each seed that was measured."""
        found = [self.measure(f"{name}, seed {seed}", partial(work, seed)) for seed in self.seeds]
        return [one for one in found if one is not None]
