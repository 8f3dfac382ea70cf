"""The routes that pages of videos share: their own files, and videos and images by number.

Needs Starlette and uvicorn: pip install "cvr[review]".
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from cvr_data.review.media import SHOWN, Media

STATIC = Path(__file__).parent / "static"
KEPT = {"Cache-Control": "private, max-age=3600"}


def review_static_routes(pages: Mapping[str, tuple[Path, str]]) -> list[Route]:
    """Return a route for each page, script and style: address -> file and media type."""

    async def static(request: Request) -> Response:
        path, kind = pages[request.url.path]
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})

    return [Route(path, static) for path in pages]


def review_media_routes(
    who: Callable[[Request], str], media: Callable[[], Media | None], strip: Callable[[int], bytes | None]
) -> list[Route]:
    """Return the routes of files, ranges of them too, and of the frames of a video side by side.

    Args:
        who: refuses those who may not ask.
        media: what may be shown; None until that is known.
        strip: the frames of a number as JPEG; None where it has none.
    """

    async def shown(request: Request) -> Response:
        who(request)
        known = media()
        path = None if known is None else await run_in_threadpool(known.playable, request.path_params["number"])
        if path is None:
            raise HTTPException(404, "No such media.")
        return FileResponse(path, media_type=SHOWN[path.suffix.lower()], headers=KEPT)

    async def frames(request: Request) -> Response:
        who(request)
        content = await run_in_threadpool(strip, request.path_params["number"])
        if content is None:
            raise HTTPException(404, "No such media.")
        return Response(content, media_type="image/jpeg", headers=KEPT)

    return [Route("/media/{number:int}", shown), Route("/strip/{number:int}", frames)]
