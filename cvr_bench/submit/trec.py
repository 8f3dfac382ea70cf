"""Score a run of any system, the file that trec_eval reads, with the targets of a benchmark or the grades of qrels.

    query-1 Q0 video-7 1 0.93 my-system        # run: query, Q0, item, rank (not read), score, name
    query-1 0 video-7 2                        # qrels: query, 0, item, grade; 0 is not relevant

Items are ranked by score; equal scores count against the system, as everywhere here, and items that a query does not
list all stand behind those it lists. White space in ids is written as %20.
"""

# Shapes: Q queries, G gallery items.

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import torch
from torch import Tensor

from cvr_bench.results.result import STAGE, Result, read_result, write_result
from cvr_bench.scoring.evaluate import Ranks, evaluate
from cvr_bench.tasks.task import Item, Query, Task, part_of_task
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.reading import read_text
from cvr_data.core.versions import installed_versions


@dataclass(frozen=True)
class TrecRun:
    """What a system gave."""

    name: str
    scores: Mapping[str, Mapping[str, float]]
    """query_id -> item_id -> score."""


class RunRetriever:
    """The order of a run as scores: 0 for what scores best, -1 for the next lower score, and so on."""

    def __init__(self, run: TrecRun):
        self.run = run
        self.column_of: dict[str, int] = {}

    def index(self, gallery: Sequence[Item]) -> None:
        """Know the columns."""
        self.column_of = {item.item_id: column for column, item in enumerate(gallery)}

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG; items that the run does not list come last, all alike."""
        rows = np.full((len(queries), len(self.column_of)), -float(len(self.column_of)), dtype=np.float32)
        for row, query in enumerate(queries):
            listed = self.run.scores.get(query.query_id, {})
            if listed:
                places = np.unique(-np.array(list(listed.values())), return_inverse=True)[1]
                rows[row, [self.column_of[name] for name in listed]] = -places
        return torch.from_numpy(rows)


def read_trec_submission(path: Path, task: Task) -> TrecRun:
    """Return a run over queries and gallery of a task.

    Raises:
        CvrError: a line has other fields, names what the task lacks, repeats an item, or its score is no number.
    """
    queries, items = {query.query_id for query in task.queries}, {item.item_id for item in task.gallery}
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    name = path.stem
    for line, fields in _run_lines(path, 6, "query Q0 item rank score name"):
        query_id, item_id = _known_id(fields[0], queries, line, task), _known_id(fields[2], items, line, task)
        if item_id in scores[query_id]:
            raise CvrError(f"{line}: query {query_id} lists {item_id} a second time.")
        scores[query_id][item_id] = _number_in_run(fields[4], line)
        name = fields[5]
    return TrecRun(name, dict(scores))


def submission_task_with_qrels(task: Task, path: Path) -> Task:
    """Return the task with targets and grades of a qrels file; queries that have none there are left out and counted.

    Raises:
        CvrError: a line has other fields, names what the task does not have, or nothing is relevant.
    """
    queries, items = {query.query_id for query in task.queries}, {item.item_id for item in task.gallery}
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for line, fields in _run_lines(path, 4, "query 0 item grade"):
        grade = _number_in_run(fields[3], line)
        if grade != int(grade):
            raise CvrError(f"{line}: grade {fields[3]!r} should be a whole number.")
        if grade > 0:
            grades[_known_id(fields[0], queries, line, task)][_known_id(fields[2], items, line, task)] = int(grade)
    kept = [
        query for query in task.queries if any(task.is_allowed(query, name) for name in grades.get(query.query_id, ()))
    ]
    if not kept:
        raise CvrError(f"{path} calls no item relevant to a query of {task.name}.")
    judged = (
        replace(task, targets={name: frozenset(found) for name, found in grades.items()}) if task.is_blind else task
    )
    part = part_of_task(judged, kept)
    lost = {"queries without a relevant item in the qrels": len(task.queries) - len(kept)}
    return replace(
        part,
        targets={query.query_id: frozenset(grades[query.query_id]) for query in kept},
        grades={query.query_id: grades[query.query_id] for query in kept},
        left_out={**task.left_out, **{what: count for what, count in lost.items() if count}},
    )


def score_trec_submission(
    path: Path, task: Task, source: Path, out: Path, *, split: str, qrels: Path | None = None, name: str = "",
    overwrite: bool = False,
) -> Result:  # fmt: skip
    """Return the result of a run, written to `out`, which all that reads results takes; `source` is the data's file.

    Raises:
        CvrError: a file cannot be read or does not belong to the task, or `out` holds another thing.
    """
    run = read_trec_submission(path, task)
    task = task if qrels is None else submission_task_with_qrels(task, qrels)
    inputs = {"run": path, "annotations": source, **({} if qrels is None else {"qrels": qrels})}
    writer = ArtifactWriter(out, stage=STAGE, config={"task": task.name}, inputs=inputs, overwrite=overwrite)
    if writer.finished() is None:
        unlisted = len(task.queries) - sum(query.query_id in run.scores for query in task.queries)
        lost = {"queries that the run does not list, which find nothing": unlisted}
        about = {
            "model": name or run.name, "options": {}, "training": None, "split": split, "command": running_command(),
            "data": {"path": str(source), "split": split}, "versions": installed_versions(),
            "run": {"path": str(path), "left_to_the_end": lost if unlisted else {}},
        }  # fmt: skip
        with writer:
            write_result(writer, task, _ranks_of_run(run, task), 0, about)
    return read_result(out)


def _ranks_of_run(run: TrecRun, task: Task) -> Ranks:
    """Ranks of a run; where it does not list a query's own reference, nothing is known of that."""
    ranks = evaluate(RunRetriever(run), task)
    assert ranks.reference_rank is not None
    is_listed = [
        query.reference is not None and query.reference.item_id in run.scores.get(query.query_id, {})
        for query in task.queries
    ]
    return replace(ranks, reference_rank=np.where(is_listed, ranks.reference_rank, 0))


def _run_lines(path: Path, count: int, form: str) -> Iterator[tuple[str, list[str]]]:
    """(where, fields) of each line that is not empty."""
    text = read_text(path)
    if not text.strip():
        raise CvrError(f"{path} is empty; its lines should be: {form}")
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if fields and len(fields) != count:
            raise CvrError(f"{path}, line {number}: {len(fields)} fields, where {count} are needed: {form}")
        if fields:
            yield f"{path}, line {number}", fields


def _known_id(name: str, known: Collection[str], line: str, task: Task) -> str:
    found = next((one for one in (name, unquote(name)) if one in known), None)
    if found is None:
        raise CvrError(f"{line}: {task.name} has no {name!r}; it has, for instance, {first_few(sorted(known)[:2])}.")
    return found


def _number_in_run(text: str, line: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise CvrError(f"{line}: {text!r} should be a number.")
    return value
