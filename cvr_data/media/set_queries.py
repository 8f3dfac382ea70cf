"""The queries of a retrieval set with their references, worked out once and kept in the cache folder.

    listed = listed_queries(RetrievalSet(folder=Path("CoVRRVT2VRetrieval")))     # a Parquet file
    read_parquet(listed).column_names                                            # id, text, reference_id, ...

Rows of queries hold the video that they ask about, and few sets say which document it is. A reference is, in this
order: what the set names (`excluded_references`, or a column such as `source_id`); the document of the same bytes; the
document that its file is named after, where the files of all queries are named after documents; else a video of its
own, `reference-<query>`, which no query ranks. To compare bytes all media are read, so this is done once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from cvr_data.core.artifacts import artifact_key
from cvr_data.core.errors import CvrError
from cvr_data.core.files import id_text
from cvr_data.core.model_packages import cache_folder
from cvr_data.core.whole_files import write_parquet
from cvr_data.media.retrieval_set import IDS, SLICES, SOURCE, TEXTS, RetrievalSet
from cvr_data.media.stored_media import stored_media, stored_media_column, stored_media_names

VERSION = 1
OWN = "reference-"
"""How the id of a reference begins that is no document."""


def listed_queries(found: RetrievalSet) -> Path:
    """Return the file of the queries: `id`, `text`, `reference_id`, and those columns of `SLICES` that there are.

    Raises:
        CvrError: the set has no corpus or queries, a file is damaged, or queries have no text.
    """
    files = [*found.files("corpus"), *found.files("queries")]
    files += found.files("excluded_references") if found.has("excluded_references") else []
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = artifact_key({"version": VERSION, "files": stats, "task": found.task, "split": found.split})
    path = cache_folder() / "retrieval-sets" / f"{key[:16]}.parquet"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(path, _queries(found))
    return path


def _queries(found: RetrievalSet) -> pa.Table:
    ids, documents = found.ids("queries"), found.ids("corpus")
    text = found.column_of("queries", TEXTS)
    known = [name for name in SLICES if name in found.columns("queries")]
    table = found.table("queries", [text, *known])
    texts = table.column(text).to_pylist()
    if missing := [name for name, value in zip(ids, texts, strict=True) if not isinstance(value, str)]:
        raise CvrError(f"{found.files('queries')[0]}: the query {missing[0]} has no text.")
    references = _references(found, ids, documents)
    columns = {"id": ids, "text": texts, "reference_id": [references[name] for name in ids]}
    slices = {name: [_slice_value(value) for value in table.column(name).to_pylist()] for name in known}
    return pa.table({name: pa.array(values, pa.string()) for name, values in (columns | slices).items()})


def _slice_value(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _references(found: RetrievalSet, ids: Sequence[str], documents: Sequence[str]) -> dict[str, str]:
    """Query id -> its reference."""
    told = _told(found, ids)
    if len(told) == len(ids):
        return told
    digests = _digests(found, "queries") if stored_media_column(found.files("queries")) else {}
    by_bytes = {digest: name for name, digest in _digests(found, "corpus").items()} if digests else {}
    named = _named(found, ids, set(documents))
    own: dict[str, str] = {}
    references = {}
    for name in ids:
        digest = digests.get(name)
        document = told.get(name) or (by_bytes.get(digest) if digest else None) or named.get(name)
        references[name] = document or own.setdefault(digest or name, f"{OWN}{name}")
    if taken := sorted(set(own.values()) & set(documents)):
        raise CvrError(f"{found.folder}: a document has the name {taken[0]!r}, which a query's reference would have.")
    return references


def _told(found: RetrievalSet, ids: Sequence[str]) -> dict[str, str]:
    """What the set says of references: query id -> video."""
    if found.has("excluded_references"):
        return found.excluded_references()
    column = next((name for name in SOURCE if name in found.columns("queries")), None)
    if column is None:
        return {}
    values = map(id_text, found.table("queries", [column]).column(column).to_pylist())
    return {name: value for name, value in zip(ids, values, strict=True) if value}


def _digests(found: RetrievalSet, part: str) -> dict[str, str]:
    """Row id -> sha256 of its medium, of rows that hold bytes; of equal ones the last, so that the first is found."""
    files = found.files(part)
    if stored_media_column(files) is None:
        return {}
    rows = stored_media(files, found.column_of(part, IDS), f"compare media of {part}")
    listed = [(medium.row_id, medium.digest) for medium in rows]
    return {name: digest for name, digest in reversed(listed) if digest}


def _named(found: RetrievalSet, ids: Sequence[str], documents: set[str]) -> Mapping[str, str]:
    """Query id -> the document that its file is named after, where that holds for all."""
    names = [Path(name).name if name else "" for name in stored_media_names(found.files("queries"))]
    meant = [name if name in documents else Path(name).stem for name in names]
    return dict(zip(ids, meant, strict=True)) if set(meant) <= documents else {}
