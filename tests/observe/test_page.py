"""The page in a real browser, on a real fast lane."""

import asyncio
import math
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.lanes.fast import FastLane
from tests.observe.site import looked_at
from tests.streams import fast_lane, feed, sample, timed

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1280,900"
)
TRANSFERRED = """return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .filter(one => !one.name.includes('/api/')).reduce((sum, one) => sum + one.transferSize, 0)"""
MOST_BYTES = 120_000
TOKEN = "a token of more than 16 characters"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS.split():
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield made
    made.quit()


@pytest.fixture
async def fast(tmp_path: Path) -> AsyncIterator[FastLane]:
    """Two series; what stands in the name of one is nothing to run."""
    made = fast_lane(
        tmp_path, timed(thresholds=[{"name": "hot", "above": 1.5}], forecasters=["linear"], max_ahead=None)
    )
    for t in range(120):
        feed(made, [sample(f"plant/{name}", t, math.sin(t / 5)) for name in ("a", "<img src=x onerror=alert(1)>")])
    yield made
    made.journal.close()


async def seen(browser: Any, script: str, wanted: Callable[[Any], bool] = bool) -> Any:
    """What a script returns once it is as wanted."""
    async with asyncio.timeout(10):
        while True:
            found = await asyncio.to_thread(browser.execute_script, f"return {script}")
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


async def test_the_page_is_looked_at(browser: Any, fast: FastLane, tmp_path: Path) -> None:
    """All series are listed, one is searched for and opened; its fan moves with the next sample, a crossing is told,
    all in little data and without an error in the console."""
    text = "document.getElementById('main').innerText"
    with looked_at(fast, tmp_path) as url:
        await asyncio.to_thread(browser.get, url)
        assert await seen(browser, "document.querySelectorAll('svg.spark polygon.band').length") == 2
        assert "better than 'no change'" in await seen(browser, text)
        assert await seen(browser, TRANSFERRED.removeprefix("return ")) < MOST_BYTES
        search = browser.find_element("css selector", "input[type=search]")
        await asyncio.to_thread(search.send_keys, "PLANT/A")
        await seen(browser, "document.querySelectorAll('tbody tr').length", lambda found: found == 1)
        await asyncio.to_thread(browser.find_element("link text", "plant/a").click)
        label = "document.querySelector('.chart')?.getAttribute('aria-label')"
        await seen(browser, "document.querySelectorAll('.chart canvas').length", lambda found: found == 3)
        await seen(browser, label, lambda found: "expected" in found)
        feed(fast, [sample("plant/a", 120, 1.25)])
        await seen(browser, label, lambda found: found.startswith("Past and forecast: now 1.25, expected"))
        feed(fast, [sample("plant/a", 121, 1.75)])
        assert "above 1.5 (hot) now" in await seen(browser, text, lambda found: "(hot) now" in found)
        await asyncio.to_thread(browser.get, "about:blank")
    assert browser.get_log("browser") == []


async def test_people_log_in_with_the_token(browser: Any, fast: FastLane, tmp_path: Path) -> None:
    """With a token the page is a form until the right one is given."""
    with looked_at(fast, tmp_path, TOKEN) as url:
        await asyncio.to_thread(browser.get, url)
        for given in ("wrong", TOKEN):
            field = browser.find_element("id", "token")
            await asyncio.to_thread(field.send_keys, f"{given}\n")
            if given == "wrong":
                await seen(browser, "location.search === '?wrong' && !document.getElementById('wrong').hidden")
        await seen(browser, "document.getElementById('main').innerText", lambda found: "plant/a" in found)
        await asyncio.to_thread(browser.get, "about:blank")
        browser.get_log("browser")  # of the form's 401
