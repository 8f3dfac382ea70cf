"""What is known of a query and a video: its grade, who judged it, and how deep results ranked it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cvr_bench.audit.positives.captions import GalleryCaptions
from cvr_bench.audit.positives.odds import OddsJudge, Question
from cvr_bench.audit.positives.pool import Pool
from cvr_bench.tasks.task import Query, Task
from cvr_data.modifications.checking.judge import Judge
from cvr_data.triplets.dataset import Dataset
from cvr_data.triplets.judgments import Key, Verdict

LISTED, FOUND, WRONG = 2, 1, 0
"""Grades."""


@dataclass(kw_only=True)
class Cell:
    """What is known of a query and a video."""

    grade: int | None = None
    judged_by: str | None = None
    reason: str | None = None
    best_rank: int | None = None
    pooled_by: tuple[str, ...] = ()
    stratum: str | None = None
    log_odds: float | None = None
    """Of the judge: by how much yes is likelier than no."""


Cells = dict[str, dict[str, Cell]]
"""query_id -> video_id -> cell."""


@dataclass(frozen=True)
class QueryTexts:
    """What the dataset says of a query."""

    query: Query
    styles: frozenset[str]
    reference_caption: str
    target_captions: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def audited_query_texts(dataset: Dataset, task: Task) -> dict[str, QueryTexts]:
    """Return what the triplets say of each query of the task."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in dataset.triplets.to_pylist():
        rows[row["query_id"]].append(row)
    return {
        query.query_id: QueryTexts(
            query=query,
            styles=frozenset(row["style"] for row in rows[query.query_id]),
            reference_caption=rows[query.query_id][0]["reference_caption"] or "",
            target_captions=tuple(sorted({row["target_caption"] for row in rows[query.query_id]} - {None})),
            rows=rows[query.query_id],
        )
        for query in task.queries
    }


def audited_gallery_captions(dataset: Dataset, task: Task) -> dict[str, list[str]]:
    """Return the captions of each video of the gallery."""
    assert dataset.videos is not None
    ids, captions = (dataset.videos.column(name).to_pylist() for name in ("video_id", "captions"))
    known = dict(zip(ids, captions, strict=True))
    return {item.item_id: known[item.item_id] or [] for item in task.gallery if item.item_id in known}


def audit_judged_cells(
    task: Task, texts: Mapping[str, QueryTexts], captions: Mapping[str, list[str]], pool: Pool
) -> Cells:
    """Return the listed targets, what captions say answers a query, and what was pooled, as far as captions tell."""
    read = GalleryCaptions(captions)
    cells: Cells = {}
    for query_id, about in texts.items():
        own = {name: Cell(grade=LISTED, judged_by="target") for name in sorted(task.targets[query_id])}
        pooled, by = pool.best.get(query_id, {}), pool.by.get(query_id, {})
        for caption in about.target_captions:
            for name in sorted(read.answering(caption)):
                if name not in own and task.is_allowed(about.query, name):
                    own[name] = Cell(grade=FOUND, judged_by="caption", reason=f"as: {caption}")
        for name in sorted(pooled):
            cell = own.setdefault(name, Cell())
            cell.best_rank, cell.pooled_by = pooled[name], by[name]
            if cell.grade is None and (found := read.contradiction(name, about.target_captions)):
                cell.grade, cell.judged_by, cell.reason = WRONG, "caption", f"{found[0]}, not {found[1]}"
        cells[query_id] = own
    return cells


def audit_cell_grade(cells: Cells, query_id: str, name: str) -> int | None:
    """Return the grade of a cell, None where nobody judged it."""
    cell = cells[query_id].get(name)
    return None if cell is None else cell.grade


def unjudged_audit_cells(cells: Cells) -> list[tuple[str, str]]:
    """Return the cells that somebody should look at: what nobody judged, and what was drawn, whoever judged it."""
    return [
        (query_id, name)
        for query_id, own in cells.items()
        for name, cell in sorted(own.items())
        if cell.grade is None or (cell.stratum is not None and cell.judged_by == "caption")
    ]


def audit_cells_by_judge(
    judge: Judge, cells: Cells, texts: Mapping[str, QueryTexts], captions: Mapping[str, list[str]]
) -> None:
    """Have a language model judge what is open, by captions; what it cannot say stays open."""
    asked = [(query_id, name) for query_id, name in unjudged_audit_cells(cells) if captions.get(name)]
    table = judge.verdicts(
        [texts[query_id].reference_caption for query_id, _ in asked],
        [texts[query_id].query.modification or "" for query_id, _ in asked],
        [captions[name][0] for _, name in asked],
    )
    said = zip(asked, table.column("judge_verdict").to_pylist(), table.column("judge_reason").to_pylist(), strict=True)
    for (query_id, name), verdict, reason in said:
        if verdict is not None:
            judged = {
                "grade": FOUND if verdict == "valid" else WRONG,
                "judged_by": "judge",
                "reason": reason or verdict,
            }
            cells[query_id][name] = replace(cells[query_id][name], **judged)


def audit_cells_by_odds(
    judge: OddsJudge, cells: Cells, texts: Mapping[str, QueryTexts], captions: Mapping[str, list[str]], unsure: float
) -> None:
    """Have a model say how sure it is of what is open; what it is less sure of than `unsure` stays open."""
    asked = unjudged_audit_cells(cells)
    if not judge.config.frames:
        asked = [(query_id, name) for query_id, name in asked if captions.get(name)]
    found = judge.log_odds([_question(texts[query_id], name, captions.get(name, [])) for query_id, name in asked])
    for (query_id, name), odds in zip(asked, found, strict=True):
        cell = replace(cells[query_id][name], log_odds=odds)
        if odds is not None and abs(odds) >= unsure:
            cell.grade, cell.judged_by, cell.reason = FOUND if odds > 0 else WRONG, "judge", f"log-odds {odds:+.2f}"
        cells[query_id][name] = cell


def _question(about: QueryTexts, name: str, captions: Sequence[str]) -> Question:
    reference = about.query.reference.item_id if about.query.reference else ""
    return Question(about.reference_caption, about.query.modification or "", tuple(captions), reference, name)


def grade_audit_cells(cells: Cells, texts: Mapping[str, QueryTexts], verdicts: Mapping[Key, Verdict]) -> None:
    """Grade the cells that people judged, targets too: what they reject is wrong, whoever listed it."""
    for query_id, about in texts.items():
        reference = about.query.reference.item_id if about.query.reference else ""
        for name, cell in cells[query_id].items():
            found = [verdicts[key] for style in sorted(about.styles) if (key := (reference, name, style)) in verdicts]
            said = [verdict for verdict in found if _is_of_text(verdict, about.query.modification)]
            if said and not (said[0].reason is None and cell.grade == LISTED):
                cell.grade = FOUND if said[0].reason is None else WRONG
                cell.judged_by, cell.reason = "review", said[0].reason


def _is_of_text(verdict: Verdict, modification: str | None) -> bool:
    return verdict.reason is not None or verdict.chosen == modification
