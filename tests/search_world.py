"""A search to ask in tests: `served(folder)` serves one in a thread, `Search(...)` runs the real command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from cvr_bench.search.app import make_search_app
from cvr_bench.search.desk import Desk, SearchSources
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.review.store import ReviewStore
from tests.loopback import Answer, app_served, ask

ROOT = Path(__file__).resolve().parent.parent


class Served:
    """A search that is served, and what it was made of."""

    def __init__(self, desk: Desk, port: int):
        self.desk = desk
        self.port = port

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> Answer:
        return self.ask("GET", f"{path}?{urlencode(query)}" if query else path, headers or {})

    def post(self, path: str, content: object, headers: dict[str, str] | None = None, **query: str) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        where = f"{path}?{urlencode(query)}" if query else path
        return self.ask("POST", where, {"Content-Type": "application/json", **(headers or {})}, body)

    def bring(self, content: bytes, name: str, **headers: str) -> Answer:
        return self.post("/api/uploads", content, {"Content-Type": "application/octet-stream", **headers}, name=name)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        return ask(self.port, method, target, headers, body)


@contextmanager
def served(sources: SearchSources, marks: Path, *, token: str | None = None, load: bool = True) -> Iterator[Served]:
    """Serve a search in a thread of this process."""
    with ReviewStore(marks) as store:
        desk = Desk(sources, store, "me")
        if load:
            desk.load()
            desk.index()
        app = make_search_app(desk, tokens=None if token is None else {"me": token})
        try:
            with app_served(app) as port:
                yield Served(desk, port)
        finally:
            desk.close()


def embedded(videos: Path, out: Path, **options: int) -> Path:
    """Give the videos of a folder features of the hash encoder."""
    embed(videos, "hash", ENCODERS.get("hash").Config(**{"dim": 32, "frames": 4, **options}), out)
    return out


class Search:
    """The `cvr serve` command on a free port."""

    def __init__(self, *words: str | Path):
        command = [sys.executable, "-c", "import cli; cli.main()", "serve", *map(str, words), "--port", "0"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().split()[-1]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """End it and return the exit code."""
        assert self.process.stdout is not None
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code
