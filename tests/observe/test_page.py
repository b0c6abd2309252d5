"""The page in a real browser, on a real fast lane."""

import asyncio
import math
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from streamer.lanes.fast import FastLane
from tests.observe.site import certificate, looked_at
from tests.streams import fast_lane, feed, message, sample, timed

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1280,900"
)
TRANSFERRED = """return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .filter(one => !one.name.includes('/api/')).reduce((sum, one) => sum + one.transferSize, 0)"""
MOST_BYTES = 120_000
PAGES = {"/": "plant/a", "/#/series/1": "Can it be trusted?", "/#/trainings": "The newest trainings"}
"""By address, what stands there once it is ready."""
SLIDE = """const one = document.querySelector('input[type=range]');
one.value = {}; one.dispatchEvent(new Event('input'))"""
AXE = """const done = arguments[0];
axe.run().then(found => done(found.violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => [one.id, one.nodes.map(node => node.html.slice(0, 200))])), error => done([String(error)]))"""
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
    options.accept_insecure_certs = True  # the test's own
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
    async with asyncio.timeout(30):
        while True:
            found = await asyncio.to_thread(browser.execute_script, f"return {script}")
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


def contains(part: str, text: str) -> bool:
    return part in text


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


async def test_what_was_said_before_is_drawn(browser: Any, fast: FastLane, tmp_path: Path) -> None:
    """The slider shows a past forecast and stands still; back at the right the page is live again. Gaps and values far
    outside are named."""
    feed(fast, [sample("plant/a", 125, 0.5), sample("plant/a", 126, 900.0), sample("plant/a", 127, 0.5)])
    ident = next(one.ident for one in fast.streams[0].series if one.name == "plant/a")
    text = "document.getElementById('main').innerText"
    with looked_at(fast, tmp_path) as url:
        await asyncio.to_thread(browser.get, f"{url}/#/series/{ident}")
        shown = await seen(browser, text, lambda found: "Can it be trusted?" in found and "Solid" in found)
        assert "Grey: no samples" in shown
        assert "Diamonds: values far outside" in shown
        assert "at every lead shown it had less error than 'no change'" in shown
        await asyncio.to_thread(browser.execute_script, SLIDE.format(60))
        shown = await seen(browser, text, lambda found: "Violet: the forecast made" in found)
        assert "All as it was published." in shown
        await asyncio.to_thread(browser.execute_script, SLIDE.format(120))
        await seen(browser, text, lambda found: "Violet" not in found)
        await asyncio.to_thread(browser.get, "about:blank")
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_everybody_can_use_it(browser: Any, fast: FastLane, tmp_path: Path, dark: bool) -> None:
    """axe-core finds no serious fault on any page, light or dark, from a phone to a wall."""
    axe = files(pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")) / "axe.min.js"
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    feed(fast, [message("plant/a", b"?")])
    with looked_at(fast, tmp_path) as url:
        await asyncio.to_thread(browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"features": scheme})
        for page, mark in PAGES.items():
            for width in (390, 1280, 2560):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
                await asyncio.to_thread(browser.execute_cdp_cmd, "Emulation.setDeviceMetricsOverride", size)
                await asyncio.to_thread(browser.get, "about:blank")
                await asyncio.to_thread(browser.get, f"{url}{page}")
                await seen(browser, "document.body.innerText", partial(contains, mark))
                await asyncio.to_thread(browser.execute_script, axe.read_text(encoding="utf-8"))
                faults = await asyncio.to_thread(browser.execute_async_script, AXE)
                assert faults == [], (page, width)
                wide = await seen(browser, "[document.documentElement.scrollWidth, innerWidth]")
                assert wide[0] <= wide[1], (page, width)
        await asyncio.to_thread(browser.get, "about:blank")
    for command in ("Emulation.clearDeviceMetricsOverride", "Emulation.setEmulatedMedia"):
        browser.execute_cdp_cmd(command, {})


async def test_a_proxy_and_tls_change_nothing(browser: Any, fast: FastLane, tmp_path: Path) -> None:
    """Below a prefix, over https and behind a login, the page is live as ever: all its addresses are relative."""
    text = "document.getElementById('main').innerText"
    with looked_at(fast, tmp_path, TOKEN, "/lab/streamer", certificate(tmp_path)) as url:
        await asyncio.to_thread(browser.get, url)
        field = browser.find_element("id", "token")
        await asyncio.to_thread(field.send_keys, f"{TOKEN}\n")
        await seen(browser, text, lambda found: "plant/a" in found)
        browser.get_log("browser")  # of the form's 401
        await seen(browser, "document.getElementById('live').innerText", lambda found: found == "live")
        feed(fast, [sample("plant/a", 120, 1.0)])
        await seen(browser, text, lambda found: "now" in found)
        assert (await asyncio.to_thread(lambda: browser.current_url)).startswith(f"{url}/")
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
