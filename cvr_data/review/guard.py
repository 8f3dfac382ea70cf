"""What keeps a local page to itself: its headers, the names it answers to, tokens, and bodies of a known kind and size.

Needs Starlette and uvicorn: pip install "cvr[review]".
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cvr_data.core.errors import CvrError
from cvr_data.review.listening import LOOPBACK_HOSTS, review_link_host

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_BODY = 64 * 1024
LOOPBACK = tuple(map(review_link_host, LOOPBACK_HOSTS))


class Guarded:
    """Adds the headers that keep a page to itself, and refuses other names for one without tokens.

    Such a name would let any web page reach ours through the browser of who uses it (DNS rebinding).
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
                refusal = JSONResponse({"error": f"{host!r} is not the address of this page."}, 421)
                await refusal(scope, receive, send_guarded)
                return
        await self.app(scope, receive, send_guarded)


class Invited:
    """Those who may ask: by name, and where there are tokens by the one of that name."""

    def __init__(self, names: Sequence[str], tokens: Mapping[str, str] | None):
        self.names = names
        self.tokens = tokens

    def who(self, request: Request) -> str:
        """Return who asks; one annotator on loopback need not say.

        Raises:
            HTTPException: nobody who was invited.
        """
        name = request.query_params.get("annotator") or (self.names[0] if len(self.names) == 1 else "")
        if self.tokens is not None:
            given = request.query_params.get("token", "")
            # An unknown name is compared too, so that the time taken does not tell which names exist.
            is_right = hmac.compare_digest(given.encode("utf-8", "replace"), self.tokens.get(name, " ").encode())
            if not is_right or name not in self.names:
                raise HTTPException(403, "The address lacks the right token; ask for your own link.")
        elif name not in self.names:
            raise HTTPException(403, f"Name yourself in the address: ?annotator={'|'.join(self.names)}")
        return name


async def review_request_json(request: Request) -> dict[str, Any]:
    """Return the JSON object that the page sent; another site's form cannot send one.

    Raises:
        HTTPException: it is none, or too long.
    """
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


async def review_refusal_response(request: Request, error: Exception) -> Response:
    """Answer a refused request in one line."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def review_mistake_response(request: Request, error: Exception) -> Response:
    """Answer a request that makes no sense in one line."""
    return JSONResponse({"error": str(error)}, 400)


async def review_fault_response(request: Request, error: Exception) -> Response:
    """Answer what nobody expected; the server prints it."""
    return JSONResponse({"error": "This is a mistake of cvr's; where it was started stands which."}, 500)


ANSWERS: Any = {
    HTTPException: review_refusal_response,
    CvrError: review_mistake_response,
    ClientDisconnect: review_mistake_response,  # nobody hears it, and nothing is wrong here
    Exception: review_fault_response,
}
"""What becomes of what a page raises."""
