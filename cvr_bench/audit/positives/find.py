"""Right answers that a test set does not list: pooled, judged by captions, a language model and people, and estimated.

    positives/  part-00000.parquet  qrels.txt  summary.json  queue/  manifest.json

A row is a query and a video: `grade` is 2 for a listed target, 1 for an answer that was found, 0 for what was judged
wrong, null for what nobody judged; `judged_by` says who: target, caption, judge or review. `qrels.txt` has the judged
rows as trec_eval reads them. `queue/` has the others as triplets, for `cvr review`; what people say of them comes back
with `cvr export-judgments` and `--judgments`. The dataset stays as it is.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from cvr_bench.audit.positives.cells import (
    FOUND,
    WRONG,
    Cell,
    Cells,
    QueryTexts,
    audit_cells_by_judge,
    audit_cells_by_odds,
    audit_judged_cells,
    audited_gallery_captions,
    audited_query_texts,
    grade_audit_cells,
    unjudged_audit_cells,
)
from cvr_bench.audit.positives.estimate import NEAR, audit_estimate_of_unfound, draw_audit_strata
from cvr_bench.audit.positives.measure import audit_results_with_positives
from cvr_bench.audit.positives.odds import OddsConfig, OddsJudge
from cvr_bench.audit.positives.pool import pool_results
from cvr_bench.benchmarks.triplets import Config as TripletsConfig
from cvr_bench.benchmarks.triplets import benchmark_of_triplets
from cvr_bench.results.result import Result, read_result
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import numbered_inputs
from cvr_data.core.registry import config_dict
from cvr_data.core.whole_files import json_bytes
from cvr_data.media.places import read_media_clips
from cvr_data.media.video import Video
from cvr_data.modifications.asking.choices import TellsChoices
from cvr_data.modifications.backends import load_backend
from cvr_data.modifications.checking.judge import Judge, JudgeConfig
from cvr_data.tables import TRIPLETS, triplet_id
from cvr_data.triplets.dataset import Dataset, open_triplet_dataset
from cvr_data.triplets.judgments import triplet_verdicts_of_folder

STAGE, QUEUE, VERSION = "find-positives", "positives-queue", 3
POSITIVES = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        ("grade", pa.int64()),
        ("judged_by", pa.string()),
        ("reason", pa.string()),
        ("best_rank", pa.int64()),
        ("pooled_by", pa.list_(pa.string())),
        ("stratum", pa.string()),
        ("log_odds", pa.float64()),
    ]
)
"""`best_rank` is null of what no result pooled; `stratum` is of cells that were drawn for the estimate; `log_odds` of
what a judge that has some was asked."""


@dataclass(frozen=True, kw_only=True)
class Config:
    split: str = "test"
    """Whose queries."""
    depth: int = 10
    """How many of each result's best are pooled; more than ten where its scores are saved."""
    sample: int = 100
    """Cells that are drawn of each stratum for the estimate of what is not found; 0 draws none."""
    seed: int = 0
    """Of the draw."""
    ask: Literal["auto", "log-odds", "verdict"] = "auto"
    """What --judge is asked: how much likelier yes is than no, in one forward pass, or a verdict that it writes (by
    the prompt `judge`); auto: log-odds of backends that have some."""
    frames: int = 0
    """Frames of the reference, and as many of the candidate, that --judge is shown beside the captions: of a
    vision-language model, which is asked for log-odds; 0 shows none."""
    unsure: float = 0.0
    """Log-odds nearer to 0 than that are no verdict: people get these cells. The estimate then rests on fewer."""

    def __post_init__(self) -> None:
        if self.depth < 1 or min(self.sample, self.frames, self.unsure) < 0:
            raise ValueError("depth must be at least 1; sample, frames and unsure at least 0.")
        if self.ask == "verdict" and (self.frames or self.unsure):
            raise ValueError(
                "frames and unsure are of log-odds, not of written verdicts: leave out them or ask=verdict."
            )


def find_positives(
    triplets: Path, results: Sequence[Path], config: Config, out: Path, *, judge: JudgeConfig | None = None,
    judgments: Path | None = None, videos: Path | None = None, overwrite: bool = False,
) -> Artifact:  # fmt: skip
    """Write the judged and unjudged answers of a test set, and return the artifact.

    Raises:
        CvrError: no triplets of the split, no videos, results of other queries, or `out` holds something else.
    """
    dataset = open_triplet_dataset(triplets, videos=videos)
    if dataset.videos is None:
        raise CvrError(f"{triplets} does not say where its videos are; pass --videos.")
    inputs = {
        "triplets": triplets,
        **numbered_inputs("results", results),
        **numbered_inputs("videos", dataset.video_folders),
    }
    inputs |= {"judgments": judgments} if judgments else {}
    about = {**config_dict(config), "judge": config_dict(judge) if judge else None}
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, config=about, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    listed = dataset.videos.select(["video_id", "split"])
    task = benchmark_of_triplets(dataset.triplets, TripletsConfig(data=triplets, split=config.split), None, listed)  # type: ignore[arg-type]
    read = [read_result(path) for path in results]
    pools = [pool_results(task, read, depth) for depth in (config.depth, NEAR * config.depth)]
    texts = audited_query_texts(dataset, task)
    cells = audit_judged_cells(task, texts, audited_gallery_captions(dataset, task), pools[0])
    drawn = draw_audit_strata(task, cells, pools[1], number=config.sample, seed=config.seed) if config.sample else {}
    if judge is not None:
        _ask(judge, config, dataset, cells, texts, audited_gallery_captions(dataset, task))
    if judgments is not None:
        grade_audit_cells(cells, texts, triplet_verdicts_of_folder(judgments).verdicts)
    return _written(writer, dataset, config, cells=cells, texts=texts, drawn=drawn, results=read)


def _ask(
    judge: JudgeConfig, config: Config, dataset: Dataset, cells: Cells, texts: Mapping[str, QueryTexts],
    captions: Mapping[str, list[str]],
) -> None:  # fmt: skip
    """Have the judge say of what is open whether it answers, in the way that is asked for."""
    backend = load_backend(judge.backend, judge.options)
    if config.ask == "verdict" or (
        config.ask == "auto" and not config.frames and not isinstance(backend, TellsChoices)
    ):
        audit_cells_by_judge(Judge(judge), cells, texts, captions)
        return
    files: dict[str, Video] = {}
    for folder in dataset.video_folders if config.frames else ():
        files = {**read_media_clips(folder), **files}
    about = OddsConfig(backend=judge.backend, options=judge.options, frames=config.frames)
    audit_cells_by_odds(OddsJudge(about, files), cells, texts, captions, config.unsure)


def _written(
    writer: ArtifactWriter, dataset: Dataset, config: Config, *, cells: Cells, texts: Mapping[str, QueryTexts],
    drawn: Mapping[str, int], results: Sequence[Result],
) -> Artifact:  # fmt: skip
    rows = [
        {"query_id": query_id, "video_id": name, **vars(cell), "pooled_by": list(cell.pooled_by)}
        for query_id, own in sorted(cells.items())
        for name, cell in sorted(own.items())
    ]
    table = pa.Table.from_pylist(rows, schema=POSITIVES)
    grades = {query_id: {name: cell.grade for name, cell in own.items() if cell.grade is not None}
              for query_id, own in cells.items()}  # fmt: skip
    lines = [
        f"{query_id} 0 {name} {grade}\n"
        for query_id, own in sorted(grades.items())
        for name, grade in sorted(own.items())
    ]
    estimate = audit_estimate_of_unfound(cells, drawn, config.seed)
    summary = {
        "queries": len(cells),
        "listed": sum(cell.judged_by == "target" for own in cells.values() for cell in own.values()),
        "found": dict(sorted(_counts(cells, FOUND).items())),
        "wrong": dict(sorted(_counts(cells, WRONG).items())),
        "unsure": sum(
            cell.log_odds is not None and cell.grade is None for own in cells.values() for cell in own.values()
        ),
        "unjudged": sum(cell.grade is None for own in cells.values() for cell in own.values()),
        "queries_with_found": sum(any(cell.grade == FOUND for cell in own.values()) for own in cells.values()),
        "cells": dict(drawn),
        "unfound": None if estimate is None else vars(estimate),
        "results": audit_results_with_positives(results, grades),
    }
    with writer:
        writer.write_part(0, table)
        writer.write_file("qrels.txt", "".join(lines).encode())
        writer.write_file("summary.json", json_bytes(summary))
        artifact = writer.finish(rows=len(rows))
    _write_queue(artifact.path / "queue", dataset, cells, texts)
    return artifact


def _counts(cells: Cells, grade: int) -> Counter[str]:
    return Counter(cell.judged_by or "" for own in cells.values() for cell in own.values() if cell.grade == grade)


def _write_queue(folder: Path, dataset: Dataset, cells: Cells, texts: Mapping[str, QueryTexts]) -> None:
    """Write what is open as triplets: what was drawn, what the judge is unsure of, what most results ranked best."""
    waiting = unjudged_audit_cells(cells)
    waiting.sort(key=lambda each: _urgency(cells[each[0]][each[1]], each))
    rows = [_queued(texts[query_id], name) for query_id, name in waiting]
    inputs = numbered_inputs("videos", dataset.video_folders)
    with ArtifactWriter(folder, stage=QUEUE, inputs=inputs, overwrite=True) as writer:
        writer.write_part(0, pa.Table.from_pylist(rows, schema=TRIPLETS))
        writer.finish(rows=len(rows))


def _urgency(cell: Cell, name: tuple[str, str]) -> tuple[Any, ...]:
    unsure = math.inf if cell.log_odds is None else abs(cell.log_odds)
    return (cell.stratum is None, unsure, -len(cell.pooled_by), cell.best_rank or 0, name)


def _queued(about: QueryTexts, video_id: str) -> dict[str, Any]:
    row = {name: about.rows[0][name] for name in TRIPLETS.names}
    name = triplet_id(row["reference_id"], row["modification"], video_id)
    return {**row, "triplet_id": name, "target_id": video_id, "target_caption": None, "target_group_id": None,
            "changes": None, "frame_scores": None, "text_similarity": None, "visual_similarity": None,
            "pair_id": None}  # fmt: skip
