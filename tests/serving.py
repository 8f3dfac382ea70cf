"""What the loopback servers of tests have in common: a thread that serves, and answers that say nothing on stderr."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

CUT_OFF = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that is reset when it is closed."""


class Serving:
    """A server that listens on loopback from the start and answers within `with`."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0):
        self.lock = threading.RLock()
        self.active = self.most_active = 0
        self.http = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (handler,), {"state": self}))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request among those that are answered at once."""
        with self.lock:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            yield
        finally:
            with self.lock:
                self.active -= 1


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections alive, as real servers do."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing on stderr."""

    def reset(self) -> None:
        """Break the connection as a crashed peer or a router does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT_OFF)
        self.connection.close()
        self.close_connection = True

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, cut: int | None = None) -> None:
        """Answer; of the body no more than `cut` bytes, of whatever length is announced."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        self.wfile.flush()
        self.close_connection = self.close_connection or cut is not None
