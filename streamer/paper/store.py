"""Keeps the results of finished parts in one JSON file, so that a study that was stopped can continue."""

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
    """The files results.json and networks/ of a folder; `results` maps names of finished parts to their results."""

    folder: Path
    study: dict[str, Any]
    results: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, study: dict[str, Any]) -> "Store":
        """Open the store of this study in a folder, or make a new one.

        Raises StateError if the folder holds the results of another study, or cannot be written.
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
        """Add the result of a part; the file on disk is always a complete one, the old or the new."""
        self.results[name] = found
        text = json.dumps({"study": self.study, "results": self.results}, indent=1)
        write(self.path, lambda path: path.write_text(text, encoding="utf-8"))

    def keep_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Write the weights of a group to a safetensors file."""
        write(self.weights_path(name), lambda path: path.write_bytes(dump(weights)))

    def weights(self, name: str) -> dict[str, Tensor]:
        """Read the weights of a group."""
        return parse(self.weights_path(name).read_bytes())

    def weights_path(self, name: str) -> Path:
        """The path of the weights of a group."""
        return self.folder / "networks" / f"{name.replace(' ', '-')}.safetensors"


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a temporary file with `fill`, then replace `path` by it in one step."""
    beside = path.with_suffix(".new")
    fill(beside)
    beside.replace(path)
