"""For tests: an engine that takes its time, writes down each answer it gave, fails, stammers and restarts on demand.

Named by its dotted path: --llm tests.cvr_data.modifications.slow_backend -o log=answers.txt
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.modifications.asking.request import Answer, Request


@dataclass(frozen=True, kw_only=True)
class Config:
    log: Path = field(default=Path("answers.txt"), metadata={"output": False})
    """Gets a line per answer: the change it is about."""
    pause_s: float = field(default=0.0, metadata={"output": False})
    """Time per answer."""
    fail: int = field(default=0, metadata={"output": False})
    """One request of so many fails; 0: none."""
    stammer: int = field(default=0, metadata={"output": False})
    """One answer of so many is malformed; 0: none."""
    restart_at: int = field(default=-1, metadata={"output": False})
    """The engine is gone for ten requests from this one on, once."""


def load(config: Config) -> "SlowBackend":
    return SlowBackend(config)


class SlowBackend:
    """Answers one request at a time."""

    is_pure = False
    gpus = 0
    model = "slow"

    def __init__(self, config: Config):
        self.config = config
        self.asked = 0

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        for number, request in enumerate(requests):
            time.sleep(self.config.pause_s)
            self.asked += 1
            with self.config.log.open("a", encoding="utf-8") as log:
                log.write(f"{request.pair_id} {request.parameters.seed}\n")
            yield number, self._answer(request)

    def _answer(self, request: Request) -> Answer:
        if 0 <= self.asked - self.config.restart_at < 10 and self.config.restart_at >= 0:
            return Answer(text=None, error="connection refused")
        if self._is_hit(request, self.config.fail, "fail"):
            return Answer(text=None, error="status 500")
        text = f"change the {request.change.before} one to {request.change.after}, take {request.parameters.seed}"
        if not request.schema:
            return Answer(text=text, tokens_in=20, tokens_out=6)
        whole = json.dumps({"modification": text})
        raw = whole[:-4] if self._is_hit(request, self.config.stammer, "stammer") else whole
        return Answer(text=raw, tokens_in=20, tokens_out=8)

    def _is_hit(self, request: Request, one_of: int, what: str) -> bool:
        digest = hashlib.sha256(f"{what} {request.pair_id} {request.parameters.seed}".encode()).digest()
        return bool(one_of) and int.from_bytes(digest[:6], "big") % one_of == 0
