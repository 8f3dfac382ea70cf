"""The review over HTTP: one page of our own, its data as JSON, and the media of the dataset.

Every address but the static files needs `annotator` and, where the review was begun with tokens, that annotator's
`token`. Needs Starlette and uvicorn: pip install "cvr[review]".
"""

import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cvr_data.core.errors import CvrError
from cvr_data.review.media import PLAYED
from cvr_data.review.session import Session
from cvr_data.review.store import REASONS, AlreadyJudged

STATIC = Path(__file__).parent / "static"
PAGES = {"/": ("review.html", "text/html"), "/review.js": ("review.js", "text/javascript"),
         "/player.js": ("player.js", "text/javascript"),
         "/review.css": ("review.css", "text/css")}  # fmt: skip
IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_BODY = 64 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


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
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refusal, CvrError: _mistake})
    return Guarded(app, any_host=tokens is not None)


class Guarded:
    """Adds the headers that keep a page to itself, and refuses other names for a review without tokens.

    Such a name would let any web page reach the review through the annotator's browser (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, any_host: bool):
        self.app = app
        self.any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        if scope["type"] == "http" and not self.any_host:
            host = Request(scope).headers.get("host", "").rsplit(":", 1)[0]
            if host not in LOOPBACK:
                refusal = JSONResponse({"error": f"{host!r} is not the address of this review."}, 421)
                await refusal(scope, receive, send_guarded)
                return
        await self.app(scope, receive, send_guarded)


class Pages:
    """The answers to requests."""

    def __init__(self, session: Session, tokens: dict[str, str] | None):
        self.session = session
        self.tokens = tokens

    async def static(self, request: Request) -> Response:
        """The page, its script and its style."""
        name, kind = PAGES[request.url.path]
        return FileResponse(STATIC / name, media_type=kind, headers={"Cache-Control": "no-cache"})

    async def state(self, request: Request) -> Response:
        """What is next for the annotator."""
        return await self._fresh(self.session.state, self._annotator(request), reasons=REASONS)

    async def judge(self, request: Request) -> Response:
        """Store a judgment, then say what is next."""
        annotator, sent = self._annotator(request), await _body(request)

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
        annotator, sent = self._annotator(request), await _body(request)
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
        kind = {**PLAYED, **IMAGES}[path.suffix.lower()]
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})

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

    def _annotator(self, request: Request) -> str:
        """Return who asks; one annotator on loopback need not say."""
        known = self.session.settings.annotators
        name = request.query_params.get("annotator") or (known[0] if len(known) == 1 else "")
        if self.tokens is not None:
            given = request.query_params.get("token", "")
            # An unknown name is compared too, so that the time taken does not tell which names exist.
            is_right = hmac.compare_digest(given.encode("utf-8", "replace"), self.tokens.get(name, " ").encode())
            if not is_right or name not in known:
                raise HTTPException(403, "The address lacks the right token; ask for your own link.")
        elif name not in known:
            raise HTTPException(403, f"Name yourself in the address: ?annotator={'|'.join(known)}")
        return name


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object that the page sent; another site's form cannot send one."""
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415, "Send application/json.")
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise HTTPException(413, "Too long.")
    try:
        sent = json.loads(content)
        json.dumps(sent, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # also half a character, and thousands of brackets
        raise HTTPException(400, "This is not JSON.") from None
    if not isinstance(sent, dict):
        raise HTTPException(400, "This is not a JSON object.")
    return sent


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def _mistake(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)
