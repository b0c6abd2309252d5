"""The files of the page in streamer/page/, served as they are."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).parents[1] / "page"


def page() -> list[Route | Mount]:
    """The page at /, and below /static/ what it loads."""

    async def index(request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    return [Route("/", index), Mount("/static", Kept(directory=PAGE))]


class Kept(StaticFiles):
    """Files that browsers keep, and ask about when they use them again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers.setdefault("Cache-Control", "no-cache")
        return answer
