"""A loopback server with OpenAI's interface that answers from a function and fails as told.

with LLMServer(faults={"pink": [Fault(status=503)]}) as server:
    ...                                           # the first request whose prompt has "pink" gets a 503
    assert server.most_active <= 4 and server.asked["pink"] == 2
"""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.serving import CUT_OFF, QuietHandler, Serving


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of an answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    """Sent instead of the answer."""
    pause_s: float = 0.0
    """Before anything is sent."""
    reset: bool = False
    """Break the connection before the answer."""
    truncate: bool = False
    """End the connection in the middle of the answer."""


def edit(prompt: str) -> str:
    """Answer a `short` prompt: its last question says "Instead of X, show Y."."""
    after = prompt.rsplit("show ", 1)[-1].split(".")[0].split("\n")[0]
    return f"make the ball {after}"


@dataclass
class LLMServer(Serving):
    """Counts what it is asked by the last words of the prompt; `faults` are used up one by one, by a word of it."""

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    answer: Callable[[str], str] = edit
    see: Callable[[dict[str, Any]], str] | None = None
    """Answers from the whole request, with its pictures, instead."""
    logprobs: Callable[[str], Mapping[str, float]] | None = None
    """Of the first token, told to who asks for them; None: the server tells none."""
    pause_s: float = 0.0
    key: str = ""
    """The key that clients must have; empty: any."""
    port: int = 0

    def __enter__(self) -> "LLMServer":
        self.times: list[float] = []
        self.bodies: list[dict[str, Any]] = []
        self.asked: Counter[str] = Counter()
        self.start()
        return self

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        super().__init__(LLMHandler, self.port)
        self.url += "/v1"
        self.port = self.http.server_address[1]
        self.connections: set[socket.socket] = set()
        super().__enter__()

    def stop(self) -> None:
        """Stop listening and break what is open, as a killed process does."""
        super().__exit__()
        with self.lock:
            for connection in self.connections:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT_OFF)
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault_of(self, prompt: str) -> Fault | None:
        last = prompt.rsplit("Video:", 1)[-1]
        for word, faults in self.faults.items():
            if word in last and faults:
                return faults.pop(0)
        return None


class LLMHandler(QuietHandler):
    state: LLMServer

    def setup(self) -> None:
        super().setup()
        with self.state.lock:
            self.state.connections.add(self.connection)

    def finish(self) -> None:
        with self.state.lock:
            self.state.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError, ValueError):
            self.close_connection = True

    def do_GET(self) -> None:
        if self.is_refused():
            return
        self.send(200, b'{"object": "list", "data": [{"id": "tiny"}]}')

    def is_refused(self) -> bool:
        given = self.headers.get("Authorization")
        if self.state.key and given != f"Bearer {self.state.key}":
            self.send(401, json.dumps({"error": {"message": f"Incorrect API key provided: {given}"}}).encode())
            return True
        return False

    def do_POST(self) -> None:
        state = self.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.is_refused():
            return
        is_chat = self.path.endswith("/chat/completions")
        prompt = body["messages"][-1]["content"] if is_chat else body["prompt"]
        prompt = prompt if isinstance(prompt, str) else prompt[-1]["text"]
        with state.lock:
            state.times.append(time.monotonic())
            state.bodies.append(body)
            state.asked[prompt.rsplit("Video:", 1)[-1].split("\n")[0].strip()] += 1
            fault = state.fault_of(prompt)
        try:
            with state.counted():
                time.sleep(state.pause_s)
                self.reply(prompt, is_chat, fault or Fault(), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, prompt: str, is_chat: bool, fault: Fault, asked: Mapping[str, Any]) -> None:
        time.sleep(fault.pause_s)
        text = self.state.answer(prompt) if self.state.see is None else self.state.see(dict(asked))
        choice = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
        if self.state.logprobs and asked.get("logprobs"):
            likely = dict(self.state.logprobs(prompt))
            listed = [{"token": token, "logprob": value} for token, value in likely.items()]
            choice["logprobs"] = (
                {"content": [{**listed[0], "top_logprobs": listed}]} if is_chat else {"top_logprobs": [likely]}
            )
        usage = {"prompt_tokens": 9, "completion_tokens": 5}
        answer = json.dumps({"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage})
        if fault.reset:
            self.reset()
            return
        body = (fault.body if fault.body is not None else answer).encode()
        self.send(fault.status, body, fault.headers, cut=len(body) // 2 if fault.truncate else None)
