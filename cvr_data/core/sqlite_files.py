"""SQLite files of ours: looked at before anything is written into them, since another program's is a database too."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import check_plain, reading

FULL = ("full", "disk I/O error")
"""What SQLite says of a disk that takes no more."""


def check_database(path: Path, kind: str, schema: str, added: Collection[str] = ()) -> None:
    """Refuse a file that is no database, or one with other tables than a schema makes; nothing is changed.

    Tables of older versions may lack the columns `added` since.

    Raises:
        CvrError: it is, with what it should be.
    """
    check_plain(path)
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema)
        ours = _sqlite_columns(empty)
    with reading(path, kind), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = _sqlite_columns(connection)
    lacking = [name for name in found.keys() & ours.keys() if not ours[name] - {*added} <= found[name]]
    if lacking or (found and not found.keys() & ours.keys()):
        other = f"the table {lacking[0]!r} has other columns" if lacking else f"it has {', '.join(sorted(found)[:3])}"
        raise CvrError(f"{path} is a database, and not {kind}: {other}; name another file.")


def _sqlite_columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    found = {}
    for (name,) in names.fetchall():
        found[name] = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))}
    return found


@contextmanager
def faults_of_database(path: Path, kind: str) -> Iterator[None]:
    """Say in one line what keeps a database from being read or written in this block.

    Raises:
        CvrError: it is damaged, or the disk is full.
    """
    try:
        yield
    except (sqlite3.DatabaseError, TypeError) as error:
        if any(word in str(error) for word in FULL):
            raise CvrError(f"The disk is full: cannot write {path}. Free some space and run again to resume.") from None
        raise CvrError(f"{path}: cannot be used as {kind} ({error}); remove it, or name another.") from None
