"""The request cache: every answer an engine gave, so that a re-run asks only what is new.

One SQLite file in WAL mode: several processes may share it, and each answer is committed when it arrives, so Ctrl-C
or SIGKILL loses at most the requests in flight.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cvr_data.core.folder_lock import faults_of_disk
from cvr_data.core.sqlite_files import check_database, faults_of_database

_SCHEMAS = (
    """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, tokens_in INTEGER, tokens_out INTEGER,
    is_cut INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS runs (
    model TEXT NOT NULL, prompt TEXT NOT NULL, requests INTEGER, tokens_in INTEGER, tokens_out INTEGER, seconds REAL
)""",
)
KIND = "the request cache"
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class History:
    """What earlier runs of a model asked and took."""

    requests: int
    tokens_in: int
    tokens_out: int
    seconds: float


@dataclass(frozen=True)
class StoredAnswer:
    """What an engine gave: a text, or numbers written as one."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    is_cut: bool = False


class StoredAnswers(AbstractContextManager[Any]):
    """Answers by request key. Errors are never stored: they are asked again."""

    def __init__(self, path: Path):
        self.path = path
        check_database(path, KIND, "; ".join(_SCHEMAS), added=["is_cut"])
        with self._told(), faults_of_disk(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
            for schema in _SCHEMAS:
                self.connection.execute(schema)
            self._add_column()

    def __enter__(self) -> Self:
        return self

    def _told(self) -> AbstractContextManager[None]:
        return faults_of_database(self.path, KIND)

    def _add_column(self) -> None:
        """Let a cache of an older version say of new answers whether they were cut off."""
        columns = {row[1] for row in self.connection.execute("PRAGMA table_info(answers)")}
        if "is_cut" not in columns:
            with suppress(sqlite3.OperationalError):  # another process was first
                self.connection.execute("ALTER TABLE answers ADD COLUMN is_cut INTEGER NOT NULL DEFAULT 0")

    def stored(self, keys: Iterable[str]) -> dict[str, StoredAnswer]:
        """Return the answers that are there, by key."""
        wanted = list(dict.fromkeys(keys))
        found = {}
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            query = f"SELECT key, text, tokens_in, tokens_out, is_cut FROM answers WHERE key IN ({marks})"
            with self._told():
                rows = self.connection.execute(query, batch).fetchall()
            for key, text, tokens_in, tokens_out, is_cut in rows:
                if isinstance(text, str):  # another program may have put bytes there
                    found[key] = StoredAnswer(text, tokens_in, tokens_out, bool(is_cut))
        return found

    def store(self, key: str, model: str, answer: StoredAnswer) -> StoredAnswer:
        """Store an answer at once and return the one under the key: the first one stays, whichever process had it."""
        row = (key, model, answer.text, answer.tokens_in, answer.tokens_out, answer.is_cut)
        with self._told():
            stored = self.connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
        return answer if stored.rowcount else self.stored([key]).get(key, answer)

    def add_run(self, model: str, prompt: str, run: History) -> None:
        """Remember what a run asked and how long the model took, for the estimates of later ones."""
        row = (model, prompt, run.requests, run.tokens_in, run.tokens_out, run.seconds)
        with self._told():
            self.connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)

    def history(self, model: str, prompt: str | None = None) -> History | None:
        """Return the sums over earlier runs of a model, with one prompt or any; None if there was no such run."""
        sums = "SELECT sum(requests), sum(tokens_in), sum(tokens_out), sum(seconds) FROM runs WHERE model = ?"
        query, values = (sums, (model,)) if prompt is None else (f"{sums} AND prompt = ?", (model, prompt))
        with self._told():
            requests, tokens_in, tokens_out, seconds = self.connection.execute(query, values).fetchone()
        if not requests:
            return None
        return History(requests=requests, tokens_in=tokens_in, tokens_out=tokens_out, seconds=seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
