"""The whole score matrix of a result, kept so that other protocols can be worked out without the model.

    results/fdca-webvid-covr/  scores.npy  score-items.parquet  score-queries.parquet
                               [bank-scores.npy]  [query-pooled-scores.npy]

`scores.npy` is float32 (Q, G). `bank-scores.npy` scores train queries, a query bank, against the same gallery.
`query-pooled-scores.npy` is float32 (Q, Q): column j is the target of query j with its frames pooled by the annotated
scores of query j, as CoVR's own code does (a use of labels, which only the protocol `reference-code: CoVR` makes).
"""

# Shapes: Q queries, G gallery items, B queries of the bank.

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.progress import Progress
from cvr_data.core.reading import read_array
from cvr_data.core.whole_files import parquet_bytes, read_parquet, whole_file

if TYPE_CHECKING:  # torch, which comparing saved scores does not need
    from cvr_bench.models.parts.frame_weights import FrameWeights
    from cvr_bench.models.parts.retriever import Retriever

SCORES, BANK, POOLED = "scores.npy", "bank-scores.npy", "query-pooled-scores.npy"
ITEMS, QUERIES = "score-items.parquet", "score-queries.parquet"
QUERY_COLUMNS = pa.schema([
    pa.field("query_id", pa.string(), nullable=False),
    pa.field("reference", pa.int64(), nullable=False),
    pa.field("targets", pa.list_(pa.int64()), nullable=False),
    ("candidates", pa.list_(pa.int64())),
])  # fmt: skip
CHUNK = 256
BANK_QUERIES = 5000
"""Train queries in the bank, at most."""
MOST_BYTES = 16 << 30


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores of all queries against all gallery items, memory-mapped, and what is known of both."""

    scores_QG: np.ndarray
    """float32."""
    query_ids: list[str]
    item_ids: list[str]
    references: np.ndarray
    """(Q,) int64 column of each query's own reference, -1 where it is not in the gallery."""
    targets: list[np.ndarray]
    """Columns of the targets of each query."""
    candidates: list[np.ndarray] | None
    """Columns each query is ranked against; None is all."""
    bank_BG: np.ndarray | None = None
    pooled_QQ: np.ndarray | None = None

    def within(self, item_ids: Sequence[str], query_ids: Sequence[str]) -> "ScoreMatrix":
        """Return the matrix of some items and queries; every query should keep a target."""
        column_of = {name: column for column, name in enumerate(self.item_ids)}
        row_of = {name: row for row, name in enumerate(self.query_ids)}
        columns = np.array([column_of[name] for name in item_ids])
        rows = np.array([row_of[name] for name in query_ids])
        new = np.full(len(self.item_ids), -1)
        new[columns] = np.arange(len(columns))
        references = self.references[rows]
        kept = [new[self.targets[row]] for row in rows]
        allowed = None if self.candidates is None else [new[self.candidates[row]] for row in rows]
        return replace(
            self,
            scores_QG=self.scores_QG[rows][:, columns],
            query_ids=list(query_ids),
            item_ids=list(item_ids),
            references=np.where(references >= 0, new[references], -1),
            targets=[found[found >= 0] for found in kept],
            candidates=None if allowed is None else [found[found >= 0] for found in allowed],
            bank_BG=None if self.bank_BG is None else self.bank_BG[:, columns],
            pooled_QQ=None if self.pooled_QQ is None else self.pooled_QQ[rows][:, rows],
        )


def save_result_scores(
    writer: ArtifactWriter, retriever: "Retriever", task: Task, bank: Sequence[Query], encoder: "FrameWeights"
) -> None:
    """Write the matrices of a task into the folder of its result.

    Raises:
        CvrError: they would be larger than 16 GiB.
        ValueError: a score is NaN or infinite.
    """
    from cvr_bench.models.parts.frame_weights import frame_weighted_items
    from cvr_bench.scoring.caption_sets import retriever_scoring_caption_sets

    gallery = sorted(task.gallery, key=lambda item: item.item_id)
    if (size := 4 * len(task.queries) * len(gallery)) > MOST_BYTES:
        raise CvrError(f"{task.name}: its score matrix would take {size / 2**30:.0f} GiB; leave --save-scores out.")
    retriever = retriever_scoring_caption_sets(retriever, gallery)
    retriever.index(gallery)
    _write_matrix(writer.path / SCORES, retriever, task.queries, len(gallery), "scores")
    if bank:
        _write_matrix(writer.path / BANK, retriever, bank[:BANK_QUERIES], len(gallery), "query bank")
    if task.target_frame_weights:
        with encoder.weighted(task.target_frame_weights):
            retriever.index(frame_weighted_items(task))
            _write_matrix(writer.path / POOLED, retriever, task.queries, len(task.queries), "query-pooled scores")
    items = pa.table({"item_id": pa.array([item.item_id for item in gallery], pa.string())})
    for name, table in ((ITEMS, items), (QUERIES, _query_table(task, gallery))):
        writer.write_file(name, parquet_bytes(table))


def read_result_scores(folder: Path) -> ScoreMatrix | None:
    """Return the matrix of a result; None if it was made without --save-scores.

    Raises:
        CvrError: a file cannot be read, or tells of other queries or items than the matrix has.
    """
    if not (folder / SCORES).is_file():
        return None
    queries = check_columns(read_parquet(folder / QUERIES), QUERY_COLUMNS, str(folder / QUERIES))
    item_ids = read_parquet(folder / ITEMS, ["item_id"]).column("item_id").to_pylist()
    listed = {name: _columns_of(queries, name, len(item_ids), folder / QUERIES) for name in ("targets", "candidates")}
    scores_QG, size = read_array(folder / SCORES), (queries.num_rows, len(item_ids))
    if scores_QG.shape != size or scores_QG.dtype.kind != "f":
        raise CvrError(
            f"{folder / SCORES}: {scores_QG.dtype} {scores_QG.shape}, but {QUERIES} and {ITEMS} are of {size}."
        )
    return ScoreMatrix(
        scores_QG=scores_QG,
        query_ids=queries.column("query_id").to_pylist(),
        item_ids=item_ids,
        references=queries.column("reference").to_numpy(),
        targets=listed["targets"],
        candidates=listed["candidates"] if queries.column("candidates").null_count == 0 else None,
        bank_BG=_optional(folder / BANK),
        pooled_QQ=_optional(folder / POOLED),
    )


def _columns_of(queries: pa.Table, name: str, items: int, path: Path) -> list[np.ndarray]:
    """Columns of the matrix, of each query. Raises CvrError: there is no such column."""
    found = [np.array(columns or [], dtype=np.int64) for columns in queries.column(name).to_pylist()]
    if beyond := [row for row, columns in enumerate(found) if ((columns < 0) | (columns >= items)).any()]:
        raise CvrError(f"{path}: {name} of rows {first_few(beyond)} are no columns of {items} items.")
    return found


def _write_matrix(path: Path, retriever: "Retriever", queries: Sequence[Query], width: int, label: str) -> None:
    from cvr_bench.scoring.blocks import score_matrix

    with whole_file(path) as part, Progress(label, len(queries), "queries") as progress:
        rows = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(len(queries), width))
        for start in range(0, len(queries), CHUNK):
            chunk = queries[start : start + CHUNK]
            rows[start : start + len(chunk)] = score_matrix(retriever, chunk, width)
            progress.advance(len(chunk))
        rows.flush()
        del rows


def _query_table(task: Task, gallery: Sequence[Item]) -> pa.Table:
    column_of = {item.item_id: column for column, item in enumerate(gallery)}
    references = [query.reference.item_id if query.reference is not None else None for query in task.queries]
    names = [query.query_id for query in task.queries]
    listed = task.candidates
    return pa.table({
        "query_id": pa.array(names, pa.string()),
        "reference": pa.array([column_of.get(name, -1) if name else -1 for name in references], pa.int64()),
        "targets": pa.array([sorted(column_of[item] for item in task.targets[name]) for name in names],
                            pa.list_(pa.int32())),
        "candidates": pa.array([None if listed is None else sorted(column_of[item] for item in listed[name])
                                for name in names], pa.list_(pa.int32())),
    })  # fmt: skip


def _optional(path: Path) -> np.ndarray | None:
    return read_array(path) if path.is_file() else None
