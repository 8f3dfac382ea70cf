"""What benchmarks share that lie on the Hub in the layout of MTEB's retrieval: their files, and the task of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cvr_bench.tasks.composed import QueryRow, Reference, composed_task
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import find_annotation_file
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.retrieval_set import SLICES, RetrievalSet
from cvr_data.media.set_queries import listed_queries


def benchmark_files_or_copy(annotations: Path, *published: Sequence[str], origin: str) -> list[Path]:
    """Return the published files, each under the first of its names that is there, or else the parts of MTEB's copy.

    Raises:
        CvrError: the folder has neither; where the published files come from is named.
    """
    copy = RetrievalSet(folder=annotations)
    try:
        return [find_annotation_file(annotations, *names, origin=origin) for names in published]
    except CvrError:
        if copy.has("queries"):
            return benchmark_set_files(copy, origin)
        raise


def is_benchmark_copy(paths: Sequence[Path]) -> bool:
    """Return whether files of `benchmark_files_or_copy` are the parts of MTEB's copy."""
    return paths[0].suffix == ".parquet"


def benchmark_set_files(found: RetrievalSet, origin: str) -> list[Path]:
    """Return what a task is made of: qrels, candidates, the list of the queries, and of the documents.

    Raises:
        CvrError: a part is not there; where it comes from is named.
    """
    if missing := [part for part in ("corpus", "queries", "qrels") if not found.has(part)]:
        try:
            found.files(missing[0])
        except CvrError as error:
            raise CvrError(f"{missing[0]} is not in {found.folder}; get it from {origin}. ({error})") from None
    candidates = found.files("top_ranked") if found.has("top_ranked") else []
    return [*found.files("qrels"), *candidates, listed_queries(found)]


def benchmark_task_of_set(
    name: str, found: RetrievalSet, reference: Reference, *, own_galleries: bool = True, ks: tuple[int, ...],
    map_ks: tuple[int, ...] = (),
) -> Task:  # fmt: skip
    """Return the task: every query with a relevant document, against its own candidates or the whole corpus.

    mAP is measured where a query has several targets. Queries without a relevant document are left out and counted.

    Raises:
        CvrError: a part is damaged, or names what another does not have.
    """
    queries = read_parquet(listed_queries(found)).to_pylist()
    grades, documents = found.targets(), found.ids("corpus")
    candidates = found.candidates() if own_galleries else None
    rows = [_row(row, grades[row["id"]]) for row in queries if row["id"] in grades]
    _check_set(found, {row["id"] for row in queries}, set(documents), grades, candidates)
    has_several = any(len(row.target_ids) > 1 for row in rows)
    protocol = Protocol(gallery="candidates" if candidates else "listed", reference=reference)
    task = composed_task(
        name, rows, documents, protocol, ks=ks, map_ks=map_ks if has_several else (), candidates=candidates,
        left_out={"queries without a relevant document": len(queries) - len(rows)},
    )  # fmt: skip
    graded = {query: known for query, known in grades.items() if query in task.targets and max(known.values()) > 1}
    return dataclasses.replace(task, grades=graded) if graded else task


def _row(row: Mapping[str, Any], targets: Mapping[str, int]) -> QueryRow:
    slices = {name: row[name] for name in SLICES if row.get(name)}
    return QueryRow(row["id"], row["reference_id"], row["text"], tuple(targets), slices=slices)


def _check_set(
    found: RetrievalSet, queries: set[str], documents: set[str], grades: Mapping[str, Mapping[str, int]],
    candidates: Mapping[str, frozenset[str]] | None,
) -> None:  # fmt: skip
    if unknown := sorted(set(grades) - queries):
        raise CvrError(f"{found.folder}: qrels name queries that there are not: {first_few(unknown)}.")
    if unknown := sorted({name for targets in grades.values() for name in targets} - documents):
        raise CvrError(f"{found.folder}: qrels name documents that there are not: {first_few(unknown)}.")
    if candidates is None:
        return
    if lacking := sorted(query for query in grades if not candidates.get(query, frozenset()).issuperset(grades[query])):
        raise CvrError(f"{found.folder}: top_ranked of {first_few(lacking)} lacks a relevant document.")
