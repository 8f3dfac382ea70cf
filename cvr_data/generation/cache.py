"""The request cache: every answer an engine gave, so that a re-run asks only what is new.

One SQLite file in WAL mode: several processes may share it, and each answer is committed when it arrives, so Ctrl-C
or SIGKILL loses at most the requests in flight.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from cvr_data.errors import CvrError
from cvr_data.generation.request import Answer

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, tokens_in INTEGER, tokens_out INTEGER
) WITHOUT ROWID
"""
_BATCH = 500


class RequestCache(AbstractContextManager["RequestCache"]):
    """Answers by request key. Errors are never stored: they are asked again."""

    def __init__(self, path: Path):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
            self.connection.execute(_SCHEMA)
        except (sqlite3.DatabaseError, FileExistsError, NotADirectoryError) as error:
            raise CvrError(f"{path}: cannot be used as the request cache ({error}).") from None

    def get(self, keys: Iterable[str]) -> dict[str, Answer]:
        """Return the answers that are there, by key."""
        wanted = list(dict.fromkeys(keys))
        found = {}
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            query = f"SELECT key, text, tokens_in, tokens_out FROM answers WHERE key IN ({marks})"
            for key, text, tokens_in, tokens_out in self.connection.execute(query, batch):
                found[key] = Answer(text=text, tokens_in=tokens_in, tokens_out=tokens_out)
        return found

    def put(self, key: str, model: str, answer: Answer) -> None:
        """Store an answer at once; the first one stored under a key stays."""
        row = (key, model, answer.text, answer.tokens_in, answer.tokens_out)
        self.connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", row)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
