"""Results of finished parts, in one JSON file that is replaced whole, so that a study stopped at any time goes on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from streamer.errors import StateError
from streamer.train.weights import dump, parse

RESULTS = "results.json"


@dataclass(slots=True)
class Store:
    """DIR/results.json and DIR/networks/: `results` maps the names of finished parts to what they found."""

    folder: Path
    study: dict[str, Any]
    results: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, study: dict[str, Any]) -> "Store":
        """The store of this study in a folder, made where there is none.

        Raises StateError where the folder holds another study's results, or cannot be written.
        """
        plain = json.loads(json.dumps(study))
        path = folder / RESULTS
        try:
            (folder / "networks").mkdir(parents=True, exist_ok=True)
            held = json.loads(path.read_bytes()) if path.exists() else {"study": plain, "results": {}}
        except (OSError, ValueError) as error:
            raise StateError(f"{path}: {error}") from error
        if held["study"] != plain:
            raise StateError(f"{folder} holds the results of a study with other settings: choose another --out")
        return cls(folder, plain, held["results"])

    @property
    def path(self) -> Path:
        """The file of the results."""
        return self.folder / RESULTS

    def keep(self, name: str, found: Any) -> None:
        """Add what a part found; the file on disk is the old one or the new one, never half of it."""
        self.results[name] = found
        text = json.dumps({"study": self.study, "results": self.results}, indent=1)
        write(self.path, lambda path: path.write_text(text, encoding="utf-8"))

    def keep_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """The weights of a group's stack, as safetensors."""
        write(self.weights_path(name), lambda path: path.write_bytes(dump(weights)))

    def weights(self, name: str) -> dict[str, Tensor]:
        """The weights kept for a group."""
        return parse(self.weights_path(name).read_bytes())

    def weights_path(self, name: str) -> Path:
        """Where the weights of a group lie."""
        return self.folder / "networks" / f"{name.replace(' ', '-')}.safetensors"


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a file beside its place, then move it there in one step."""
    beside = path.with_suffix(".new")
    fill(beside)
    beside.replace(path)
