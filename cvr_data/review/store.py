"""Judgments on disk: one SQLite file (WAL), written through before the next item is shown.

An annotator has at most one live judgment of an item, an item that is not shared at most one by anybody: the file
itself refuses a second. Undone judgments stay in it, marked, and are never counted.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.core.sqlite_files import check_database
from cvr_data.review.items import ReviewItem
from cvr_data.tables import JUDGMENTS

VERSION = 1
STAGE = "export-judgments"

KIND = "a file of judgments"
PLACE = "videos"
"""Row among the settings, none of them: where the videos lie."""
DECISIONS = ("accept", "edit", "reject", "skip")
REASONS = {
    "bad_text": "the text is wrong or unclear",
    "too_alike": "the videos are too alike",
    "too_different": "the videos are too different",
    "too_broad": "the text fits many videos",
    "text_alone": "the text alone finds the target",
    "bad_video": "a video is broken or unfit",
    "other": "something else",
}
"""Why a triplet is rejected. The first three are those of WebVid-CoVR's test set, too_broad is CIRCUS's."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    item_id TEXT PRIMARY KEY, reference_id TEXT NOT NULL, target_id TEXT NOT NULL, style TEXT NOT NULL, split TEXT,
    texts TEXT NOT NULL, answer TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS annotators (annotator TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judgments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE, annotator TEXT NOT NULL,
    item_id TEXT NOT NULL, is_shared INTEGER NOT NULL, decision TEXT NOT NULL, reason TEXT, note TEXT, chosen TEXT,
    modification TEXT, also_correct TEXT NOT NULL, seconds REAL, judged_at TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS once_by_annotator ON judgments (annotator, item_id) WHERE NOT undone;
CREATE UNIQUE INDEX IF NOT EXISTS once_by_anybody ON judgments (item_id) WHERE NOT undone AND NOT is_shared;
"""
_ITEM_COLUMNS = ("item_id", "reference_id", "target_id", "style", "split", "texts", "answer")


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """What one annotator said of one item."""

    request_id: str
    """Chosen by the page: the same one sent twice is stored once."""
    annotator: str
    item_id: str
    is_shared: bool
    decision: str
    judged_at: str
    reason: str | None = None
    note: str | None = None
    chosen: str | None = None
    """The candidate text that was selected."""
    modification: str | None = None
    """The text that shall stand: the chosen one or, of an edit, its new wording."""
    also_correct: tuple[str, ...] = ()
    """Further videos that answer the query."""
    seconds: float | None = None


_COLUMNS = tuple(field.name for field in fields(Judgment))


class AlreadyJudged(Exception):
    """The item has a live judgment by this annotator, or is not shared and has one by another."""


class ReviewStore(AbstractContextManager["ReviewStore"]):
    """The judgments of one review; safe to use from several threads."""

    def __init__(self, path: Path, *, must_exist: bool = False):
        self.path = path
        if must_exist and not path.is_file():
            raise CvrError(f"{path} does not exist; cvr review writes it.")
        if must_exist and path.stat().st_size == 0:
            raise CvrError(f"{path} is empty; cvr review writes it.")
        check_database(path, KIND, _SCHEMA)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)  # it holds the annotators' tokens; SQLite gives its other files the same rights
            self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            self._identity = path.stat().st_dev, path.stat().st_ino
        except (sqlite3.DatabaseError, OSError) as error:
            raise CvrError(f"{path}: cannot be used as a file of judgments ({error}).") from None
        self._lock = threading.Lock()

    def settle(self, settings: Mapping[str, str], items: Iterable[ReviewItem]) -> None:
        """Write the settings and items of a new review, or check that the settings are those it was begun with.

        Raises:
            CvrError: a setting differs.
        """
        rows = [{**vars(item), "texts": json.dumps(item.texts)} for item in items]
        with self._lock:
            found = dict(self._connection.execute("SELECT name, value FROM settings").fetchall())
            for name, value in settings.items():
                if found.get(name, value) != value:
                    raise CvrError(
                        f"{self.path} was begun with {name} {found[name]}, now it is {value}; use another --out."
                    )
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT OR IGNORE INTO settings VALUES (?, ?)", settings.items())
                marks = ", ".join(f":{name}" for name in _ITEM_COLUMNS)
                self._connection.executemany(f"INSERT OR IGNORE INTO items VALUES ({marks})", rows)

    def settings(self) -> dict[str, str]:
        """Return the settings of the review."""
        with self._lock:
            query = "SELECT name, value FROM settings WHERE name != ?"
            return dict(self._connection.execute(query, (PLACE,)).fetchall())

    def remember_place(self, videos: Path) -> None:
        """Keep where the videos lie at the moment: they may move, so it is none of the settings."""
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (PLACE, str(videos.resolve())))

    def place(self) -> Path | None:
        """Return where the videos lay when they were last searched; None if nobody kept it."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM settings WHERE name = ?", (PLACE,)).fetchone()
            return None if row is None else Path(row[0])

    def items(self) -> list[ReviewItem]:
        """Return the items under review, without captions and scores."""
        with self._lock:
            query = f"SELECT {','.join(_ITEM_COLUMNS)} FROM items ORDER BY 1"
            rows = self._connection.execute(query).fetchall()
        found = [dict(zip(_ITEM_COLUMNS, row, strict=True)) for row in rows]
        return [ReviewItem(**{**values, "texts": tuple(json.loads(values["texts"]))}) for values in found]

    def token_of(self, annotator: str) -> str:
        """Return the annotator's secret, the same after any restart."""
        with self._lock:
            row = (annotator, secrets.token_urlsafe(24))
            self._connection.execute("INSERT OR IGNORE INTO annotators VALUES (?, ?)", row)
            query = "SELECT token FROM annotators WHERE annotator = ?"
            return self._connection.execute(query, (annotator,)).fetchone()[0]

    def annotators(self) -> list[str]:
        """Return everybody who was ever invited, by name."""
        with self._lock:
            return [name for (name,) in self._connection.execute("SELECT annotator FROM annotators ORDER BY 1")]

    def add(self, judgment: Judgment) -> None:
        """Store a judgment; one whose request_id is stored changes nothing.

        Raises:
            AlreadyJudged: another stands in its place.
            CvrError: the file was removed or replaced, so that what is written would go where nobody finds it.
        """
        self._check_still_there()
        values = [getattr(judgment, name) for name in _COLUMNS]
        values[_COLUMNS.index("also_correct")] = json.dumps(judgment.also_correct)
        marks = ",".join("?" * len(values))
        with self._lock:
            query = "SELECT annotator, item_id FROM judgments WHERE request_id = ?"
            known = self._connection.execute(query, (judgment.request_id,)).fetchone()
            if known == (judgment.annotator, judgment.item_id):
                return
            try:
                self._connection.execute(f"INSERT INTO judgments ({','.join(_COLUMNS)}) VALUES ({marks})", values)
            except sqlite3.IntegrityError:
                raise AlreadyJudged(judgment.item_id) from None

    def _check_still_there(self) -> None:
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._identity:
            raise CvrError(
                f"{self.path} was removed or replaced while it was in use; nothing is kept until a new start."
            )

    def undo(self, annotator: str, request_id: str) -> Judgment | None:
        """Take back that judgment of the annotator and return it; twice is the same as once. None if unknown."""
        with self._lock:
            which = "WHERE annotator = ? AND request_id = ?"
            self._connection.execute(f"UPDATE judgments SET undone = 1 {which}", (annotator, request_id))
            query = f"SELECT {','.join(_COLUMNS)} FROM judgments {which}"
            row = self._connection.execute(query, (annotator, request_id)).fetchone()
            return None if row is None else _judgment(row)

    def last_of(self, annotator: str) -> str | None:
        """Return the request_id of the annotator's last live judgment, which is the one to undo."""
        with self._lock:
            query = "SELECT request_id FROM judgments WHERE annotator = ? AND NOT undone ORDER BY number DESC LIMIT 1"
            row = self._connection.execute(query, (annotator,)).fetchone()
            return None if row is None else row[0]

    def judgments(self, *, undone: bool = False) -> list[Judgment]:
        """Return the live judgments in the order made, or those that were taken back."""
        with self._lock:
            query = f"SELECT {','.join(_COLUMNS)} FROM judgments WHERE undone = ? ORDER BY number"
            return [_judgment(row) for row in self._connection.execute(query, (int(undone),))]

    def judged_by(self, annotator: str) -> set[str]:
        """Return the ids of the items that the annotator has judged."""
        with self._lock:
            query = "SELECT item_id FROM judgments WHERE annotator = ? AND NOT undone"
            return {name for (name,) in self._connection.execute(query, (annotator,))}

    def taken(self) -> dict[str, str]:
        """Return item_id -> annotator of every item judged that is not shared."""
        with self._lock:
            query = "SELECT item_id, annotator FROM judgments WHERE NOT is_shared AND NOT undone"
            return dict(self._connection.execute(query).fetchall())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def _judgment(row: Sequence[Any]) -> Judgment:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["is_shared"] = bool(values["is_shared"])
    values["also_correct"] = tuple(json.loads(values["also_correct"]))
    return Judgment(**values)


def export_judgments(review: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the live judgments of a review as an artifact and return it.

    Raises:
        CvrError: there is no such review, or none was judged.
    """
    with reading(review, KIND), ReviewStore(review, must_exist=True) as store:
        settings, table = store.settings(), reviewed_judgments(store)
    if not table.num_rows:
        raise CvrError(f"{review} holds no judgment yet.")
    content = json.dumps(table.to_pylist(), sort_keys=True).encode("utf-8", "surrogatepass")
    config = {**settings, "judgments_sha256": hashlib.sha256(content).hexdigest()}
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, config=config, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    with writer:
        writer.write_part(0, table)
        return writer.finish()


def reviewed_judgments(store: ReviewStore) -> pa.Table:
    """Return the live judgments in the order made."""
    items = {item.item_id: item for item in store.items()}
    rows = []
    for made in store.judgments():
        rows.append({**vars(items[made.item_id]), **vars(made), "judgment_id": made.request_id})
    return pa.Table.from_pylist(rows, schema=JUDGMENTS)
