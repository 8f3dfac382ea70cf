"""The review over HTTP: one page of our own, its data as JSON, and the media of the dataset.

Every address but the static files needs `annotator` and, where the review was begun with tokens, that annotator's
`token`. Needs Starlette and uvicorn: pip install "cvr[review]".
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cvr_data.review.guard import ANSWERS, Guarded, Invited, json_body
from cvr_data.review.media import SHOWN
from cvr_data.review.session import Session
from cvr_data.review.store import REASONS, AlreadyJudged

STATIC = Path(__file__).parent / "static"
PAGES = {"/": ("review.html", "text/html"), "/review.js": ("review.js", "text/javascript"),
         "/player.js": ("player.js", "text/javascript"),
         "/review.css": ("review.css", "text/css")}  # fmt: skip


def make_review_app(session: Session, *, tokens: dict[str, str] | None = None) -> ASGIApp:
    """Return the application; without tokens it answers only requests that name a loopback host."""
    pages = Pages(session, tokens)
    routes = [
        *(Route(path, pages.static) for path in PAGES),
        Route("/api/state", pages.state),
        Route("/api/judgments", pages.judge, methods=["POST"]),
        Route("/api/undo", pages.undo, methods=["POST"]),
        Route("/api/neighbours/{item_id}", pages.near),
        Route("/media/{number:int}", pages.media),
        Route("/strip/{number:int}", pages.strip),
    ]
    app = Starlette(routes=routes, exception_handlers=ANSWERS)
    return Guarded(app, any_host=tokens is not None)


class Pages:
    """The answers to requests."""

    def __init__(self, session: Session, tokens: dict[str, str] | None):
        self.session = session
        self._annotator = Invited(session.settings.annotators, tokens).who

    async def static(self, request: Request) -> Response:
        """The page, its script and its style."""
        name, kind = PAGES[request.url.path]
        return FileResponse(STATIC / name, media_type=kind, headers={"Cache-Control": "no-cache"})

    async def state(self, request: Request) -> Response:
        """What is next for the annotator."""
        return await self._fresh(self.session.state, self._annotator(request), reasons=REASONS)

    async def judge(self, request: Request) -> Response:
        """Store a judgment, then say what is next."""
        annotator, sent = self._annotator(request), await json_body(request)

        def stored(name: str) -> dict[str, Any]:
            self.session.judge(name, sent)
            return self.session.state(name)

        try:
            return await self._fresh(stored, annotator)
        except AlreadyJudged:
            state = await run_in_threadpool(self.session.state, annotator)
            return JSONResponse({**state, "error": "This item was judged already."}, 409)

    async def undo(self, request: Request) -> Response:
        """Take back a judgment."""
        annotator, sent = self._annotator(request), await json_body(request)
        return await self._fresh(lambda name: self.session.undo(name, str(sent.get("request_id"))), annotator)

    async def near(self, request: Request) -> Response:
        """The neighbours of an item's target."""
        self._annotator(request)
        found = await run_in_threadpool(self.session.near, request.path_params["item_id"])
        return JSONResponse({"neighbours": found})

    async def media(self, request: Request) -> Response:
        """A video or image of the dataset; ranges of it too."""
        self._annotator(request)
        path = await run_in_threadpool(self.session.media.playable, request.path_params["number"])
        if path is None:
            raise HTTPException(404, "No such media.")
        return FileResponse(
            path, media_type=SHOWN[path.suffix.lower()], headers={"Cache-Control": "private, max-age=3600"}
        )

    async def strip(self, request: Request) -> Response:
        """The frames of a video side by side."""
        self._annotator(request)
        content = await run_in_threadpool(self.session.media.strip, request.path_params["number"])
        if content is None:
            raise HTTPException(404, "No such media.")
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    async def _fresh(self, find: Callable[[str], dict[str, Any]], annotator: str, **more: Any) -> Response:
        found = await run_in_threadpool(find, annotator)
        return JSONResponse({**found, **more}, headers={"Cache-Control": "no-store"})
