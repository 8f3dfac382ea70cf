"""The search over HTTP: one page of our own, its data as JSON, the media of the library, and clips that are brought.

Every address but the static files needs the `token` of the link, where there is one. Needs Starlette and uvicorn:
pip install "cvr[review]".
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cvr_bench.search.desk import Desk, NotReady
from cvr_data.review.guard import ANSWERS, Guarded, Invited, review_request_json
from cvr_data.review.media import SHOWN
from cvr_data.review.routes import KEPT, review_media_routes, review_static_routes
from cvr_data.review.routes import STATIC as REVIEW_STATIC

STATIC = Path(__file__).parent / "static"
PAGES = {
    "/": (STATIC / "search.html", "text/html"),
    "/search.js": (STATIC / "search.js", "text/javascript"),
    "/search.css": (STATIC / "search.css", "text/css"),
    "/player.js": (REVIEW_STATIC / "player.js", "text/javascript"),
    "/review.css": (REVIEW_STATIC / "review.css", "text/css"),
}
UPLOAD_TYPE = "application/octet-stream"
"""What an upload says it is: no form of another site can say so."""
AT_ONCE = 2
"""Uploads that are taken in at a time; others are told to come again."""
PAUSE_S = 20.0
"""Seconds without a byte after which an upload is given up."""


def make_search_app(desk: Desk, *, tokens: Mapping[str, str] | None) -> ASGIApp:
    """Return the application; without tokens it answers only requests that name a loopback host."""
    pages = SearchPages(desk, tokens)
    routes = [
        *review_static_routes(PAGES),
        Route("/api/status", pages.status),
        Route("/api/search", pages.search, methods=["POST"]),
        Route("/api/why", pages.why, methods=["POST"]),
        Route("/api/marks", pages.mark, methods=["POST"]),
        Route("/api/videos", pages.videos),
        Route("/api/uploads", pages.take_in, methods=["POST"]),
        *review_media_routes(pages.who, lambda: desk.media, desk.strip),
        Route("/upload/{upload_id:str}", pages.upload),
    ]
    app = Starlette(routes=routes, exception_handlers={**ANSWERS, NotReady: _told_to_wait})
    return Guarded(app, any_host=tokens is not None)


class SearchPages:
    """The answers to requests."""

    def __init__(self, desk: Desk, tokens: Mapping[str, str] | None):
        self.desk = desk
        self.max_upload = desk.sources.max_upload
        self.who = Invited((desk.annotator,), tokens).who
        """Who asks."""
        self._free = asyncio.Semaphore(AT_ONCE)

    async def status(self, request: Request) -> Response:
        """What is loaded."""
        self.who(request)
        return _fresh({**self.desk.status(), "max_upload": self.max_upload})

    async def search(self, request: Request) -> Response:
        """The videos that answer a question."""
        return await self._answer(request, self.desk.find)

    async def why(self, request: Request) -> Response:
        """What each input says of one video."""
        return await self._answer(request, self.desk.why)

    async def mark(self, request: Request) -> Response:
        """Store a mark."""
        return await self._answer(request, self.desk.mark)

    async def videos(self, request: Request) -> Response:
        """Some videos of the library."""
        self.who(request)
        words, start = request.query_params.get("words", ""), request.query_params.get("start", "0")
        if not start.isdecimal() or len(start) > 9:
            raise HTTPException(400, "start should be a number from 0.")
        return _fresh(await run_in_threadpool(self.desk.videos, words, int(start)))

    async def take_in(self, request: Request) -> Response:
        """A clip that is brought."""
        self.who(request)
        if request.headers.get("content-type", "") != UPLOAD_TYPE:
            raise HTTPException(415, f"Send {UPLOAD_TYPE}, the clip's name as ?name=")
        if not self.desk.status()["ready"]:
            raise NotReady
        if self._free.locked():
            raise HTTPException(429, "Other clips are being taken in; try again in a moment.")
        name = request.query_params.get("name", "")
        async with self._free:
            path = self.desk.uploads.place(name)
            try:
                await self._write(request, path)
                return _fresh(await run_in_threadpool(self.desk.take_in, path, name))
            except BaseException:
                await run_in_threadpool(path.unlink, missing_ok=True)
                raise

    async def upload(self, request: Request) -> Response:
        """A clip that was brought."""
        self.who(request)
        upload = self.desk.uploads.get(request.path_params["upload_id"])
        if upload is None:
            raise HTTPException(404, "No such clip, or it is gone since others came.")
        return FileResponse(upload.shown, media_type=SHOWN[upload.shown.suffix.lower()], headers=KEPT)

    async def _answer(self, request: Request, find: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Response:
        self.who(request)
        sent = await review_request_json(request)
        return _fresh(await run_in_threadpool(find, sent))

    async def _write(self, request: Request, path: Path) -> None:
        """Write what is sent, as far as it may go."""
        refusal = HTTPException(413, f"A clip may have {self.max_upload // 1_000_000} MB.")
        with contextlib.suppress(ValueError):
            if int(request.headers.get("content-length", "0")) > self.max_upload:
                raise refusal
        size = 0
        with path.open("xb") as file:
            stream = request.stream()
            while (chunk := await _in_time(anext(stream, None))) is not None:
                size += len(chunk)
                if size > self.max_upload:
                    raise refusal
                await run_in_threadpool(file.write, chunk)


async def _in_time(chunk: Awaitable[bytes | None]) -> bytes | None:
    """Return what comes next. Raises HTTPException: nothing comes, and others wait."""
    try:
        return await asyncio.wait_for(chunk, PAUSE_S)
    except TimeoutError:
        raise HTTPException(408, "The clip does not arrive.") from None


def _fresh(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


async def _told_to_wait(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "The library is being loaded; /api/status says how far it is."}, 503)
