"""Who may look, and what browsers are told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.config import Metrics
from streamer.errors import StartError
from streamer.observe.access import HEADERS
from tests.observe.site import got, looked_at
from tests.streams import fast_lane, feed, sample, timed

TOKEN = "a token of more than 16 characters"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    fast = fast_lane(tmp_path, timed(max_ahead=None))
    feed(fast, [sample("plant/a", t, t) for t in range(3)])
    with looked_at(fast, tmp_path, TOKEN) as served:
        yield served
    fast.journal.close()


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/streams", "/api/v1/events", "/api/v1/openapi.json", "//"])
async def test_without_the_token_there_is_nothing(url: str, path: str) -> None:
    """Without the token, or with a wrong one in any form, all but probes is refused."""
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
    ]
    for headers in [*wrong, {"Cookie": f"streamer={TOKEN}"}, {"Cookie": "streamer="}]:
        assert (await got(url + path, headers=headers)).status == 401
    assert (await got(f"{url}/healthz")).status == (await got(f"{url}/readyz")).status == 200


async def test_programs_send_the_token(url: str) -> None:
    """With the token as a bearer everything is there."""
    for path in ("/", "/metrics", "/api/v1/streams"):
        assert (await got(url + path, headers={"Authorization": f"Bearer {TOKEN}"})).status == 200


async def test_people_log_in(url: str) -> None:
    """A browser gets a form; the right token gives a cookie that opens everything and tells nothing of the token."""
    form = await got(f"{url}/", headers={"Accept": "text/html"})
    assert (form.status, "<form" in form.body) == (401, True)
    assert (await got(f"{url}/static/style.css")).status == 200
    refused = await got(f"{url}/login", b"token=wrong")
    assert (refused.status, refused.headers["location"]) == (303, "login?wrong")
    entered = await got(f"{url}/login", b"token=a+token+of+more+than+16+characters")
    cookie = entered.headers["set-cookie"]
    assert (entered.status, "HttpOnly" in cookie, "SameSite=strict" in cookie, TOKEN in cookie) == (
        303,
        True,
        True,
        False,
    )
    assert (await got(f"{url}/api/v1/streams", headers={"Cookie": cookie.split(";")[0]})).status == 200
    assert (await got(f"{url}/login", b"token=" + b"x" * 5000)).status == 413


async def test_browsers_are_told_to_be_careful(url: str) -> None:
    """Every answer forbids scripts of others, frames and guesses of types."""
    for path in ("/", "/login", "/healthz", "/static/app.js", "/static/nothing", "/api/v1/streams"):
        answer = await got(url + path, headers={"Accept": "text/html"})
        assert {name: answer.headers[name.lower()] for name in HEADERS} == HEADERS


def test_pages_hold_no_scripts() -> None:
    """No page has a script or a style in it, which browsers are told not to run."""
    for page in Path("streamer/page").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "style=" not in text
        assert text.count("<script ") == text.count("</script>") == text.count("></script>")


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    """A file that is missing, or holds too little, ends the start with the key to change."""
    file = tmp_path / "token"
    for text in (None, "short\n"):
        if text:
            file.write_text(text)
        with pytest.raises(StartError, match=r"metrics\.token_file"):
            Metrics(token_file=file).token()
    file.write_text(f"{TOKEN}\n")
    assert Metrics(token_file=file).token() == TOKEN
