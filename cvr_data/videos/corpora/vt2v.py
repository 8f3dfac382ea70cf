"""A composed set in the layout of MTEB's retrieval (`vt2v`, `it2v`, `it2i`), by its name on the Hub or its folder.

    cvr import vt2v whybe-choi/CoVRRVT2VRetrieval@c4c64ba85adf72c1577fcb693dee0b1aa1ac8080 --out videos/covr-r
    cvr import vt2v datasets/momentseeker -o task=tv2v --out videos/momentseeker

Rows of its Parquet files hold videos or pictures as bytes. These become files in media/ of the artifact, named by their
sha256, one for rows that hold the same; what gives no frame is dropped, as of any folder of videos. Videos are all
documents, and what queries ask about where that is no document. They have no captions. By name, the files are
downloaded once per commit to the cache folder; without a commit the newest is taken, and told.

Source: Enevoldsen et al., ICLR 2025 (https://github.com/embeddings-benchmark/mteb).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cvr_data.core.split_names import split_named_by_file
from cvr_data.core.whole_files import read_parquet
from cvr_data.download.hub_set import hub_set_folder
from cvr_data.media.retrieval_set import IDS, RetrievalSet
from cvr_data.media.set_queries import listed_queries
from cvr_data.media.stored_media import StoredMedium, stored_media, stored_media_column, write_medium
from cvr_data.videos.entries import Entry, video_tables

VERSION = 1
MEDIA = "media"


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path = field(metadata={"output": False})
    """The folder of the set, or its name on the Hub: user/name, or user/name@commit."""
    task: str = ""
    """Of a set with several, whose queries are read: tv2v."""
    split: str = "test"
    """The split that is read; a config that has only one gives that."""
    check: bool = True
    """Open every media file and decode its first frame."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the list of its queries. Raises CvrError: the set cannot be had, or has no corpus or queries."""
    return {"queries": listed_queries(_set(config))}


def media(config: Config) -> tuple[Path, list[str]]:
    found = _set(config)
    files = [*found.files("corpus"), *found.files("queries")]
    return found.folder, [file.relative_to(found.folder).as_posix() for file in files]


def count(config: Config) -> int | None:
    """Return how many videos come: documents, and references that are none."""
    documents = set(_set(config).ids("corpus"))
    return len(documents | set(_references(config).values()))


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Yield the videos in slices, their media written under `out`; without `out` nothing is written."""
    yield from video_tables(_entries(config, None if out is None else out / MEDIA), "vt2v", "error")


def _entries(config: Config, folder: Path | None) -> Iterator[Entry]:
    found = _set(config)
    split = split_named_by_file(config.split)
    documents = set()
    for medium in _media(found, "corpus"):
        documents.add(medium.row_id)
        yield Entry(medium.row_id, [], {"split": split}, folder and write_medium(medium, folder))
    wanted = {query: name for query, name in _references(config).items() if name not in documents}
    missing = set(wanted.values())
    for medium in _media(found, "queries") if missing else ():  # a file of queries may hold many gigabytes
        name = wanted.get(medium.row_id)
        if name not in missing:
            continue
        missing.remove(name)
        yield Entry(name, [], {"split": split}, folder and write_medium(medium, folder))
        if not missing:
            return


def _media(found: RetrievalSet, part: str) -> Iterator[StoredMedium]:
    files = found.files(part)
    if stored_media_column(files) is None:
        return (StoredMedium(name, None, None) for name in found.ids(part))
    return stored_media(files, found.column_of(part, IDS), f"write media of {part}")


def _references(config: Config) -> dict[str, str]:
    rows = read_parquet(listed_queries(_set(config)), ["id", "reference_id"])
    return dict(zip(*(rows.column(name).to_pylist() for name in rows.column_names), strict=True))


def _set(config: Config) -> RetrievalSet:
    return RetrievalSet(folder=hub_set_folder(config.path), task=config.task, split=config.split)
