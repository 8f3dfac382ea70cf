"""Captions as they were parsed, kept on this machine, so that no stage or command parses what another has.

    for sentence in parsed(["A dog runs on sand.", "rain"]):      # in order; only what is new goes through spaCy
        ...

Rows of `PARSED` lie in `$CVR_CACHE/parsed/NAME` (else ~/.cache/cvr), each under a hash of its text; NAME says what
parses: the released model, spaCy's version, the lexicon, and what `parse` imports of this folder. A file appears whole
and is never changed, small ones become one now and then, and what is not found is parsed again: so any number of
processes read and write there without a lock, whoever is killed loses the texts at hand, and rows follow from texts
alone. Files are mapped where they lie, some 450 bytes a caption. The folder may be removed at any time.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.model_packages import MODEL_PACKAGES, cache_folder
from cvr_data.core.parts import hashes_of
from cvr_data.core.places import remove_folder
from cvr_data.core.whole_files import whole_file
from cvr_data.language.parse import PARSED, Sentence, parse, sentences

AT_ONCE = 8192
"""Texts that are parsed before they are written: what a run that is killed may lose."""
SMALL, MANY = 1024, 16
"""So many files of fewer rows become one."""
VERSIONS = 3
"""Folders of parsers that are kept: those that were written last."""
_IMPORTED = re.compile(r"^from cvr_data\.language\.(\w+) import", re.MULTILINE)
STORED = pa.schema([pa.field("key", pa.uint64()), *PARSED])

logger = logging.getLogger(__name__)


def parsed(texts: Sequence[str]) -> Iterator[Sentence]:
    """Yield each text parsed, in order; each distinct one is parsed once, in whatever process and stage that was."""
    for start in range(0, len(texts), AT_ONCE):
        some = pa.array(texts[start : start + AT_ONCE], pa.string())
        distinct = pc.unique(some).sort()
        found = _found(distinct)
        new = distinct.filter(pc.invert(pc.is_in(distinct, found.column("text").combine_chunks())))
        if len(new):
            made = parse(new.to_pylist())
            _keep(made)
            found = pa.concat_tables([found, made])
        yield from sentences(found.take(pc.index_in(some, found.column("text").combine_chunks())))


def _folder() -> Path:
    return cache_folder() / "parsed" / _parser()


@cache
def _parser() -> str:
    """Name what parses: whatever changes how a text is parsed gives another name."""
    model, home = MODEL_PACKAGES["spacy"], Path(__file__).parent
    about = hashlib.sha256(f"spacy {version('spacy')} {model.content_sha256}".encode())
    code, waiting = {}, ["parse"]
    while waiting:
        name = waiting.pop()
        code[name] = (home / f"{name}.py").read_text("utf-8")
        waiting += {*_IMPORTED.findall(code[name])} - code.keys()
    for name in sorted(code):
        about.update(code[name].encode())
    for path in sorted(home.glob("wordnet/*.parquet")):
        about.update(path.read_bytes())
    return f"{model.distribution}-{model.version}-{about.hexdigest()[:16]}"


def _found(texts: pa.Array) -> pa.Table:
    """Return those of the texts that are kept, in any order."""
    keys = np.unique(hashes_of(texts))
    tables = [PARSED.empty_table()]
    for path in sorted(_folder().glob("*.arrow")):
        table = _opened(path) if len(keys) else None
        if table is None or not table.num_rows:
            continue
        own = table.column("key").to_numpy()
        places = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        is_there = own[places] == keys
        tables.append(table.select(PARSED.names).take(pa.array(places[is_there])))
        keys = keys[~is_there]
    found = pa.concat_tables(tables)
    return found.filter(pc.is_in(found.column("text"), texts))  # another text may have the same hash


def _opened(path: Path) -> pa.Table | None:
    """Return what a file holds; None of one that another process put into a larger one, or that is damaged."""
    try:
        return _mapped(path)
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowInvalid) as error:
        _tell(f"{path} cannot be read ({first_line(error)}); its captions are parsed again.")
        return None


@lru_cache(maxsize=4096)
def _mapped(path: Path) -> pa.Table:
    """Return the rows of a file, which nobody changes, where they lie."""
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
        table = reader.read_all()
    if table.schema != STORED:
        raise pa.ArrowInvalid("it has other columns")
    table.validate(full=True)
    words = pc.list_value_length(table.column("words"))
    lists = [table.column(name) for name in PARSED.names[2:]]
    is_whole = all(pc.list_value_length(column).equals(words) for column in lists)
    heads = table.column("heads").combine_chunks()
    most = words.take(pc.list_parent_indices(heads)).to_numpy()
    if not is_whole or ((heads.flatten().to_numpy() < 0) | (heads.flatten().to_numpy() >= most)).any():
        raise pa.ArrowInvalid("words and heads do not agree")
    return table


def _keep(made: pa.Table) -> None:
    """Write what was parsed; where nothing can be written it is parsed again the next time."""
    folder = _folder()
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            others = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
            for old in others[:-VERSIONS]:
                remove_folder(old)
        _write(folder, made.add_column(0, STORED.field("key"), pa.array(hashes_of(made.column("text")))))
        tables = {path: table for path in sorted(folder.glob("*.arrow")) if (table := _opened(path)) is not None}
        small = {path: table for path, table in tables.items() if table.num_rows < SMALL}
        if len(small) >= MANY:
            whole = _write(folder, pa.concat_tables(small.values()))
            for path in small.keys() - {whole}:
                path.unlink(missing_ok=True)
    except (OSError, CvrError) as error:
        _tell(f"Parsed captions are not kept: {first_line(error)}")


def _write(folder: Path, rows: pa.Table) -> Path:
    """Write rows by key, each key once, as a file that is named after its keys; return it."""
    keys, firsts = np.unique(rows.column("key").to_numpy(), return_index=True)
    digest = hashlib.sha256(keys.tobytes()).hexdigest()[:32]
    path = folder / f"{digest}.arrow"
    with whole_file(path) as temporary, pa.ipc.new_file(str(temporary), STORED) as writer:
        writer.write_table(rows.take(pa.array(firsts)).combine_chunks())
    return path


@cache
def _tell(line: str) -> None:
    """Warn once in a process."""
    logger.warning("%s", line)
