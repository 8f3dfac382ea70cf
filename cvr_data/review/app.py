"""The review over HTTP: one page of our own, its data as JSON, and the media of the dataset.

Every address but the static files needs `annotator` and, where the review was begun with tokens, that annotator's
`token`. Needs Starlette and uvicorn: pip install "cvr[review]".
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cvr_data.review.guard import ANSWERS, Guarded, Invited, review_request_json
from cvr_data.review.routes import STATIC, review_media_routes, review_static_routes
from cvr_data.review.session import Session
from cvr_data.review.store import REASONS, AlreadyJudged

PAGES = {
    "/": (STATIC / "review.html", "text/html"),
    "/review.js": (STATIC / "review.js", "text/javascript"),
    "/player.js": (STATIC / "player.js", "text/javascript"),
    "/review.css": (STATIC / "review.css", "text/css"),
}


def make_review_app(session: Session, *, tokens: dict[str, str] | None = None) -> ASGIApp:
    """Return the application; without tokens it answers only requests that name a loopback host."""
    pages = Pages(session, tokens)
    routes = [
        *review_static_routes(PAGES),
        Route("/api/state", pages.state),
        Route("/api/judgments", pages.judge, methods=["POST"]),
        Route("/api/undo", pages.undo, methods=["POST"]),
        Route("/api/neighbours/{item_id}", pages.near),
        *review_media_routes(pages.annotator, lambda: session.media, session.media.strip),
    ]
    app = Starlette(routes=routes, exception_handlers=ANSWERS)
    return Guarded(app, any_host=tokens is not None)


class Pages:
    """The answers to requests."""

    def __init__(self, session: Session, tokens: dict[str, str] | None):
        self.session = session
        self.annotator = Invited(session.settings.annotators, tokens).who
        """Who asks."""

    async def state(self, request: Request) -> Response:
        """What is next for the annotator."""
        return await self._fresh(self.session.state, self.annotator(request), reasons=REASONS)

    async def judge(self, request: Request) -> Response:
        """Store a judgment, then say what is next."""
        annotator, sent = self.annotator(request), await review_request_json(request)

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
        annotator, sent = self.annotator(request), await review_request_json(request)
        return await self._fresh(lambda name: self.session.undo(name, str(sent.get("request_id"))), annotator)

    async def near(self, request: Request) -> Response:
        """The neighbours of an item's target."""
        self.annotator(request)
        found = await run_in_threadpool(self.session.near, request.path_params["item_id"])
        return JSONResponse({"neighbours": found})

    async def _fresh(self, find: Callable[[str], dict[str, Any]], annotator: str, **more: Any) -> Response:
        found = await run_in_threadpool(find, annotator)
        return JSONResponse({**found, **more}, headers={"Cache-Control": "no-store"})
