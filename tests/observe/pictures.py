"""Pictures of the page: `python -m tests.observe.pictures FOLDER`, from a phone to a wall screen, light and dark.

A real fast lane has taken in a simulated building and a wave, with a gap and a wild value; a real browser draws it.
"""

import asyncio
import base64
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from selenium import webdriver

from streamer.config import Stream
from streamer.tools.replay.sources import building, signal
from tests.observe.site import looked_at
from tests.observe.test_page import CHROMIUM, DRIVER, OPTIONS, SLIDE, seen
from tests.streams import fast_lane, message, process, sample

SIZES = {"phone": (390, 844), "desk": (1280, 900), "wall": (2560, 1440), "readme": (1000, 700)}
TICKS, INTERVAL, START = 3374, 900.0, 1_767_225_600.0
TALLEST = 3200
STREAM = {
    "name": "building",
    "topics": ["hall/#"],
    "payload": {"format": "json", "time": "time"},
    "interval": INTERVAL,
    "max_ahead": None,
    "thresholds": [{"name": "warm", "above": 21.6}],
    "retrain": {"every": 0},
}


def browser(width: int, height: int, scheme: str) -> Any:
    """A browser of this size."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for option in (*OPTIONS.split(), "--hide-scrollbars"):
        options.add_argument(option)
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    made.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    made.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    return made


def take(here: Any, file: Path) -> None:
    """A picture of the whole page."""
    width, height = here.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}
    found = here.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    file.write_bytes(base64.b64decode(found["data"]))


async def pictures(url: str, folder: Path) -> None:
    """All pages in all sizes."""
    for name, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            here = await asyncio.to_thread(browser, width, height, scheme)
            await asyncio.to_thread(here.get, url)
            await seen(here, "document.querySelectorAll('svg.spark polygon.band').length === 2")
            take(here, folder / f"list-{name}-{scheme}.png")
            await asyncio.to_thread(here.get, f"{url}/#/series/1")
            await seen(here, "document.querySelectorAll('.chart canvas').length === 3")
            await asyncio.to_thread(here.execute_script, SLIDE.format(64))
            await seen(here, "document.body.innerText.includes('Violet')")
            take(here, folder / f"series-{name}-{scheme}.png")
            here.quit()


async def main(folder: Path) -> None:
    """The fast lane, and the pictures of it."""
    with tempfile.TemporaryDirectory() as directory:
        fast = fast_lane(Path(directory), Stream.model_validate(STREAM))
        rooms = zip(building(0, INTERVAL, START), signal("sine", 0, INTERVAL, START), strict=False)
        for t, (room, wave) in enumerate(islice(rooms, TICKS)):
            if TICKS - 62 <= t < TICKS - 50:
                continue
            value = 85.0 if t == TICKS - 150 else float(room.values[0])
            process(fast, [sample("hall/temperature", room.time, value)])
            process(fast, [sample("hall/pump", wave.time, float(wave.values[0]))])
        process(fast, [message("hall/pump", b"off")])
        with looked_at(fast, Path(directory)) as url:
            await pictures(url, folder)
        fast.journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
