"""Writes the dashboards as JSON for Grafana: `python deploy/grafana/generate.py [FOLDER]`."""

import json
import sys
from pathlib import Path

from forecasts import FORECASTS
from future import FUTURE
from operations import OPERATIONS


def main(folder: Path) -> None:
    """Write one file per dashboard to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in (("forecasts", FORECASTS), ("future", FUTURE), ("operations", OPERATIONS)):
        text = json.dumps(made, indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "dashboards")
