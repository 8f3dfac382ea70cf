"""OmniCVR: composed video retrieval by changes of what is seen, of what is heard, and of both.

Every query is ranked against its own 2,000 videos, the query's own among them; that one is left out by default here
(as in the rest of the field), and reference=keep ranks it too, as MTEB does. The slice `category` (audio-center,
visual-center, integrated) is there where the files have it. What a model is given is the encoder's: V+T is `cvr embed
--encoder embedder`, V+A+T the same with `-o audio=true`, which holds for queries and gallery alike.

Paper: Ji et al., ICLR 2026 (https://openreview.net/forum?id=KxxR7emO5K). Licence: CC BY 4.0. Files: omnicvr.jsonl of
https://huggingface.co/datasets/Jun-Yang/OmniCVR at 81f254d1e5993dfec408fa111990150c32c3e50f, or MTEB's copy of it,
https://huggingface.co/datasets/mteb/OmniCVR at e0c1031c52fff76113b5917f05b1589ad3f0c61a.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks._composed import Counted
from cvr_bench.benchmarks._retrieval_set import benchmark_files_or_copy, benchmark_task_of_set, is_benchmark_copy
from cvr_bench.tasks.composed import QueryRow, composed_task
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import check_counts
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.files import read_table
from cvr_data.media.retrieval_set import RetrievalSet

ORIGIN = "https://huggingface.co/datasets/Jun-Yang/OmniCVR or mteb/OmniCVR"
FILE = "omnicvr.jsonl"
KS = (1, 5, 10)
REQUIRED = ("source_id", "target_id", "instruction", "candidates")
PUBLISHED = {"queries": 5000, "videos": 16316}


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that holds omnicvr.jsonl, or MTEB's copy."""
    gallery: Literal["own", "corpus"] = "own"
    """own: each query's own 2,000 videos, as published; corpus: the 16,316 videos of all."""


EXAMPLE = {"": (3, 6), "reference=keep": (3, 6), "gallery=corpus": (3, 6)}


def files(config: Config) -> list[Path]:
    """Return omnicvr.jsonl, or the parts of MTEB's copy."""
    return benchmark_files_or_copy(config.annotations, [FILE], origin=ORIGIN)


def load(config: Config) -> Task:
    path, *_ = paths = files(config)
    own, name = config.gallery == "own", f"omnicvr-{config.gallery}"
    if is_benchmark_copy(paths):
        found = RetrievalSet(folder=config.annotations)
        task = benchmark_task_of_set(name, found, config.reference, own_galleries=own, ks=KS)
    else:
        task = _published(config, path, name)
    check_counts(path, config.counts, {"queries": len(task.queries), "videos": len(task.gallery)}, PUBLISHED)
    return task


def _published(config: Config, path: Path, name: str) -> Task:
    rows = read_table(path, (*REQUIRED, "category"), REQUIRED).to_pylist()
    known: dict[str, str] = {}  # a name once in memory, however many lists it is in
    lists = {}
    for number, row in enumerate(rows):
        listed = row["candidates"]
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise CvrError(f"{path}: row {number} (counted from 0), column 'candidates': not a list of names.")
        lists[str(number)] = frozenset(known.setdefault(each, each) for each in listed)
        if row["target_id"] not in lists[str(number)]:
            raise CvrError(f"{path}: row {number} (counted from 0): {row['target_id']!r} is no candidate.")
    gallery = sorted(known)
    protocol = Protocol(gallery="candidates" if config.gallery == "own" else "listed", reference=config.reference)
    queries = [_row(number, row, path) for number, row in enumerate(rows)]
    candidates = lists if config.gallery == "own" else None
    return composed_task(name, queries, gallery, protocol, ks=KS, candidates=candidates)


def _row(number: int, row: Mapping[str, Any], path: Path) -> QueryRow:
    if empty := [name for name in REQUIRED if not row[name]]:
        raise CvrError(f"{path}: row {number} (counted from 0), column {first_few(empty)}: empty.")
    slices = {"category": row["category"]} if row.get("category") else {}
    return QueryRow(str(number), row["source_id"], row["instruction"], (row["target_id"],), slices=slices)
