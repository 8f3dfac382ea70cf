"""Rows that are made of texts, kept on this machine under their text, so that no command makes what another has.

    kept = KeptRows("parsed", "spacy-3.8-0f2a", SCHEMA, check, "Parsed captions")
    found = kept.found(texts)          # those that are there, in any order
    kept.keep(made)                    # rows with a column `text`

They lie in `$CVR_CACHE/KIND/NAME` (else ~/.cache/cvr), where NAME says what makes them. A file appears whole and is
never changed, small ones become one now and then, and what is not found is made again: so any number of processes read
and write there without a lock, whoever is killed loses the rows at hand, and rows follow from texts alone. Files are
mapped where they lie. The folder may be removed at any time.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.model_packages import cache_folder
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.places import remove_folder
from cvr_data.core.whole_files import whole_file

MANY = 16
"""So many small files become one."""
VERSIONS = 3
"""Folders of a kind that are kept: those that were written last."""
KEY = pa.field("key", pa.uint64())

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptRows:
    """The rows of one maker."""

    kind: str
    """The folder of all makers of such rows."""
    name: str
    """Of the maker: whatever changes what it makes gives another name."""
    schema: pa.Schema
    """Of the rows, with a column `text`."""
    check: Callable[[pa.Table], None]
    """Raises pa.ArrowInvalid where rows of a file cannot be what was written."""
    told: str
    """What they are called where they cannot be kept."""
    small: int = 1024
    """A file of fewer rows is small."""
    most_bytes: int | None = None
    """Of all files; those that were read or written last are kept."""

    @property
    def folder(self) -> Path:
        """Return where the files lie."""
        return cache_folder() / self.kind / self.name

    def found(self, texts: pa.Array) -> pa.Table:
        """Return the rows of those of the texts that are kept, in any order."""
        keys = np.unique(hash_bucket_keys(texts))
        tables = [self.schema.empty_table()]
        for path in sorted(self.folder.glob("*.arrow")):
            table = self._opened(path) if len(keys) else None
            if table is None or not table.num_rows:
                continue
            own = table.column("key").to_numpy()
            places = np.minimum(np.searchsorted(own, keys), len(own) - 1)
            is_there = own[places] == keys
            if is_there.any():
                _note_use(path)
            tables.append(table.select(self.schema.names).take(pa.array(places[is_there])))
            keys = keys[~is_there]
        found = pa.concat_tables(tables)
        return found.filter(pc.is_in(found.column("text"), texts))  # another text may have the same hash

    def keep(self, made: pa.Table) -> None:
        """Write what was made; where nothing can be written it is made again the next time."""
        try:
            if not self.folder.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                others = sorted(self.folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
                for old in others[:-VERSIONS]:
                    remove_folder(old) if old.is_dir() else old.unlink(missing_ok=True)
            self._write(made.add_column(0, KEY, pa.array(hash_bucket_keys(made.column("text")))))
            tables = {path: table for path in sorted(self.folder.glob("*.arrow")) if (table := self._opened(path))}
            small = {path: table for path, table in tables.items() if table.num_rows < self.small}
            if len(small) >= MANY:
                whole = self._write(pa.concat_tables(small.values()))
                for path in small.keys() - {whole}:
                    path.unlink(missing_ok=True)
            self._forget_oldest()
        except (OSError, CvrError) as error:
            _tell(f"{self.told} are not kept: {first_line(error)}")

    def _opened(self, path: Path) -> pa.Table | None:
        """What a file holds; None of one that another process put into a larger one, or that is damaged."""
        try:
            return mapped_rows(path, self)
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowInvalid) as error:
            _tell(f"{path} cannot be read ({first_line(error)}); what it holds is made again.")
            return None

    def _write(self, rows: pa.Table) -> Path:
        """Write rows by key, each key once, as a file that is named after its keys; return it."""
        keys, firsts = np.unique(rows.column("key").to_numpy(), return_index=True)
        path = self.folder / f"{hashlib.sha256(keys.tobytes()).hexdigest()[:32]}.arrow"
        with whole_file(path) as temporary, pa.ipc.new_file(str(temporary), rows.schema) as writer:
            writer.write_table(rows.take(pa.array(firsts)).combine_chunks())
        return path

    def _forget_oldest(self) -> None:
        if self.most_bytes is None:
            return
        states = {path: path.stat() for path in self.folder.glob("*.arrow")}
        left = self.most_bytes
        for path in sorted(states, key=lambda path: states[path].st_mtime, reverse=True):
            left -= states[path].st_size
            if left < 0:
                path.unlink(missing_ok=True)


@lru_cache(maxsize=4096)
def mapped_rows(path: Path, kept: KeptRows) -> pa.Table:
    """Return the rows of a file, which nobody changes, where they lie, with their keys."""
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
        table = reader.read_all()
    if table.schema != pa.schema([KEY, *kept.schema]):
        raise pa.ArrowInvalid("it has other columns")
    table.validate(full=True)
    kept.check(table)
    return table


def _note_use(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        pass  # of somebody else, or gone


@cache
def _tell(line: str) -> None:
    """Warn once in a process."""
    logger.warning("%s", line)
