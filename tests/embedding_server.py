"""A loopback server with both interfaces of remote embedders, whose vectors are worked out from the pictures it gets.

with EmbeddingServer(key="secret") as server:
    server.faults.append(Reply(429, {"Retry-After": "0.2"}))     # what comes next, before real answers
    server.refuses = lambda greys, text: "forbidden" in text     # items that it never embeds
    embed(..., f"url={server.url}")
    server.bodies, server.secrets
"""

import base64
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from tests.native_embedders import grey_embedding
from tests.serving import QuietHandler, Serving


@dataclass(frozen=True)
class Reply:
    """An answer that is no embedding."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "told to fail"}}'


class EmbeddingServer(Serving):
    """The server and what it was asked."""

    def __init__(self, key: str = ""):
        super().__init__(EmbeddingHandler)
        self.url += "/v1"
        self.key = key
        self.refuses: Callable[[list[float], str], bool] = lambda greys, text: False
        self.faults: list[Reply] = []
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.secrets: list[str | None] = []
        self.pause_s = 0.0


def pieces_of(body: dict[str, Any]) -> tuple[list[bytes], str]:
    """Return the pictures of a request, in order, and the text of what is asked for."""
    if "inputs" in body:
        content = body["inputs"][0]["content"]
    else:
        content = next(message["content"] for message in body["messages"] if message["role"] == "user")
    addresses = []
    for piece in content:
        if piece["type"] == "video_url":
            addresses += piece["video_url"]["url"].split(",")[1:]
        elif piece["type"] == "image_url":
            addresses.append(piece["image_url"]["url"].partition(",")[2])
        elif piece["type"] == "image_base64":
            addresses.append(piece["image_base64"].partition(",")[2])
    texts = [piece["text"] for piece in content if piece["type"] == "text"]
    return [base64.b64decode(address) for address in addresses], texts[-1] if texts else ""


class EmbeddingHandler(QuietHandler):
    state: EmbeddingServer

    def do_GET(self) -> None:
        self.send(401, b"{}") if self.is_stranger() else self.send(200, b'{"data": []}')

    def do_POST(self) -> None:
        state = self.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with state.lock:
            state.times.append(time.monotonic())
            state.secrets.append(self.headers.get("Authorization"))
            fault = state.faults.pop(0) if state.faults else None
            if fault is None:
                state.bodies.append(body)
        with state.counted():
            time.sleep(state.pause_s)
            self.reply(body, fault)

    def is_stranger(self) -> bool:
        return bool(self.state.key) and self.headers.get("Authorization") != f"Bearer {self.state.key}"

    def reply(self, body: dict[str, Any], fault: Reply | None) -> None:
        pictures, text = pieces_of(body)
        greys = [float(np.asarray(Image.open(io.BytesIO(picture))).mean()) for picture in pictures]
        if self.is_stranger():
            self.send(401, b'{"error": {"message": "no such key"}}')
        elif fault is not None:
            self.send(fault.status, fault.body.encode(), fault.headers)
        elif self.state.refuses(greys, text):
            self.send(400, b'{"error": {"message": "this item is not allowed"}}')
        else:
            first, last = (greys[0], greys[-1]) if greys else (0.0, 0.0)
            row = grey_embedding(first, last, text)
            data = [{"object": "embedding", "index": 0, "embedding": row}]
            self.send(200, json.dumps({"data": data, "usage": {"total_tokens": 10 + len(pictures)}}).encode())
