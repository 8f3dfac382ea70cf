"""A loopback HTTP server that fails as told: resets, refusals, truncated bodies, with and without ranges.

with FileServer() as server:
    server.put("/a.mp4", b"...", faults=[Reset(after=10), Status(503)])
    fetch(server.url + "/a.mp4")
    assert server.ranges("/a.mp4") == [None, "bytes=10-", ...]
"""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.serving import QuietHandler, Serving


@dataclass(frozen=True)
class Status:
    """Answer with this status and no file."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reset:
    """Break the connection with a reset, after so many bytes of the body."""

    after: int = 0


@dataclass(frozen=True)
class Truncate:
    """End the connection in order, but short of Content-Length."""

    after: int


@dataclass
class Page:
    """A file and what happens to the first requests for it."""

    body: bytes
    faults: list[Status | Reset | Truncate] = field(default_factory=list)
    kind: str = "application/octet-stream"
    has_ranges: bool = True
    has_etag: bool = True
    range_shift: int = 0
    """A server that gets ranges wrong: it starts so many bytes before what was asked for."""
    pause_s: float = 0.0
    """Between chunks of 4 KiB."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


class FileServer(Serving):
    """The server and the log of its requests: (time, path, Range header)."""

    def __init__(self) -> None:
        super().__init__(FileHandler)
        self.pages: dict[str, Page] = {}
        self.log: list[tuple[float, str, str | None]] = []
        self.secrets: list[tuple[str, str | None]] = []
        """(host, Authorization header) of each request."""

    def put(self, path: str, body: bytes, **settings: Any) -> str:
        """Serve a body at a path and return its address."""
        self.pages[path] = Page(body, **settings)
        return self.url + path

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range header of each request for a path."""
        return [asked for _, found, asked in self.log if found == path]

    def asked(self) -> list[str]:
        """Return the paths that were asked for, one per request."""
        return [path for _, path, _ in self.log]


class FileHandler(QuietHandler):
    state: FileServer

    def do_GET(self) -> None:
        state = self.state
        path = unquote(urlsplit(self.path).path)
        with state.lock:
            state.log.append((time.monotonic(), path, self.headers.get("Range")))
            state.secrets.append((self.headers["Host"].partition(":")[0], self.headers.get("Authorization")))
            page = state.pages.get(path)
            fault = page.faults.pop(0) if page and page.faults else None
        try:
            with state.counted():
                self.answer(page, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, page: Page | None, fault: Status | Reset | Truncate | None) -> None:
        if page is None or isinstance(fault, Status):
            code, headers = (404, {}) if not isinstance(fault, Status) else (fault.code, fault.headers)
            self.send(code, b"", headers)
            return
        start, stop = self.span_of(page)
        body = page.body[start:stop]
        is_part = len(body) < len(page.body)
        self.send_response(206 if is_part else 200)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(body)))
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(page.body)}")
        if page.has_etag:
            self.send_header("ETag", page.etag)
        self.end_headers()
        self.send_body(body if fault is None else body[: fault.after], page.pause_s)
        if isinstance(fault, Reset):
            time.sleep(0.05)  # a reset makes the peer's kernel forget what it has not read yet
            self.reset()
        self.close_connection = fault is not None

    def span_of(self, page: Page) -> tuple[int, int]:
        """Return the first byte to send and the one after the last."""
        asked = self.headers.get("Range", "")
        is_same = self.headers.get("If-Range") in (None, page.etag)
        if not (page.has_ranges and asked.startswith("bytes=") and is_same):
            return 0, len(page.body)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        stop = min(int(last) + 1, len(page.body)) if last else len(page.body)
        return min(int(first) - page.range_shift, len(page.body)), stop

    def send_body(self, body: bytes, pause_s: float) -> None:
        step = 4096 if pause_s else max(1, len(body))
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            self.wfile.flush()
            time.sleep(pause_s)
