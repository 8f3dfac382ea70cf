"""Files for the test servers of CIRR, CIRCO and CoVR-R, checked as the servers check them before anything is sent.

    task = cirr.load_blind(cirr.Config(annotations=..., split="test1"))
    write_submission(path, cirr_submission("recall", best_items(retriever, task, 50), task))

Source: the servers' rules, https://github.com/Cuberick-Orion/CIRR/blob/cirr_dataset/Test-split_server.md and
https://github.com/miccunifi/CIRCO#test-evaluation-server. Of CoVR-R's challenge no rules were at hand: the form is that
of a participant's program and its checker, https://github.com/neilyysun-ui/cola-for-covr-r at d68c45f.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks import covr_r
from cvr_bench.tasks.task import Task
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.whole_files import write_bytes

CIRR_VERSION = "rc2"
CIRR_COUNTS = {"recall": 50, "recall_subset": 3}
"""Metric -> names per query."""
CIRCO_COUNT = 50
COVR_R_COUNT = 50
MOST_BYTES = 5_000_000
"""CIRR's server takes no larger file."""

Submission = Mapping[str, Any]


def cirr_submission(
    metric: Literal["recall", "recall_subset"], best: Mapping[str, Sequence[str]], task: Task
) -> dict[str, Any]:
    """Return what CIRR's server takes for a metric. Raises CvrError: the server would refuse it."""
    submission = {"version": CIRR_VERSION, "metric": metric, **{name: list(ids) for name, ids in best.items()}}
    check_cirr_submission(submission, task)
    return submission


def check_cirr_submission(submission: Submission, task: Task) -> None:
    """Refuse what CIRR's server would refuse, or an image outside the split or, for recall_subset, the set.

    Raises:
        CvrError: the header, the queries, or the names of a query are wrong.
    """
    if submission.get("version") != CIRR_VERSION:
        raise CvrError(f"{task.name}: version should be {CIRR_VERSION!r}, got {submission.get('version')!r}.")
    metric = str(submission.get("metric"))
    if metric not in CIRR_COUNTS:
        raise CvrError(f"{task.name}: unknown metric {metric!r}. {did_you_mean(metric, CIRR_COUNTS)}")
    if (metric == "recall_subset") != (task.candidates is not None):
        raise CvrError(f"{task.name}: recall_subset goes with gallery=subset, recall with gallery=listed.")
    answers = {name: ids for name, ids in submission.items() if name not in ("version", "metric")}
    _check_answers(answers, CIRR_COUNTS[metric], task)


def circo_submission(best: Mapping[str, Sequence[str]], task: Task) -> dict[str, list[int]]:
    """Return what CIRCO's server takes: 50 COCO ids per query. Raises CvrError: the server would refuse it."""
    _check_answers(best, CIRCO_COUNT, task)
    return {name: [int(image_id) for image_id in ids] for name, ids in best.items()}


def check_circo_submission(submission: Submission, task: Task) -> None:
    """Refuse what CIRCO's server would refuse. Raises CvrError: the queries, or the ids of a query are wrong."""
    texts = [name for name, ids in submission.items() if not all(type(image_id) is int for image_id in ids)]
    if texts:
        raise CvrError(f"{task.name}: ids should be numbers; those of query {first_few(texts)} are not.")
    answers = {name: [str(image_id) for image_id in ids] for name, ids in submission.items()}
    _check_answers(answers, CIRCO_COUNT, task)


def covr_r_submission(
    best: Mapping[str, Sequence[str]],
    queries: Sequence[tuple[str, dict[str, Any]]],
    names: Mapping[str, dict[str, str]],
) -> list[dict[str, list[dict[str, Any]]]]:
    """Return what CoVR-R's challenge takes: 50 videos per query, by source, and no trace of reasoning.

    Args:
        best: query -> its videos, best first.
        queries: source and entry of each, as published.
        names: source -> id of a video -> how answers call it.
    """
    groups: dict[str, list[dict[str, Any]]] = {source: [] for source in covr_r.SOURCES}
    for source, entry in queries:
        targets = [names[source][video_id] for video_id in best[covr_r.covr_r_query_key(source, entry)]]
        kept = {name: entry[name] for name in ("id", "video_source")}
        groups[source].append({**kept, "video_target": targets, "reasoning_trace": []})
    return [{source: rows} for source, rows in groups.items()]


def check_covr_r_submission(answers: Sequence[tuple[str, dict[str, Any]]], task: Task) -> None:
    """Refuse what a participant's checker refuses, and videos of WebVid without their folder where queries have it.

    Raises:
        CvrError: the queries, or the videos of one, are wrong.
    """
    found: dict[str, list[str]] = {}
    for source, entry in answers:
        key, targets = covr_r.covr_r_query_key(source, entry), entry.get("video_target")
        if not isinstance(targets, list) or not isinstance(entry.get("reasoning_trace"), list):
            raise CvrError(f"{task.name}: video_target and reasoning_trace of query {key} should be lists.")
        if key in found:
            raise CvrError(f"{task.name}: query {key} is there twice.")
        in_folders = source == "webvid" and "/" in str(entry.get("video_source"))
        if in_folders and (bare := [name for name in targets if "/" not in str(name)]):
            raise CvrError(f"{task.name}: query {key} names {first_few(map(str, bare))} without the folder.")
        found[key] = [covr_r.covr_r_video_id(str(name)) for name in targets]
        if covr_r.covr_r_video_id(str(entry.get("video_source"))) in found[key]:
            raise CvrError(f"{task.name}: query {key} answers its own reference.")
    _check_answers(found, COVR_R_COUNT, task)


def write_submission(path: Path, submission: Submission | Sequence[Submission], most: int | None = MOST_BYTES) -> None:
    """Write the JSON file. Raises CvrError: it would be larger than a server takes."""
    content = json.dumps(submission, separators=(",", ":")).encode()
    if most is not None and len(content) > most:
        raise CvrError(f"{path}: {len(content)} bytes are more than the {most} that the server takes.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


def _check_answers(answers: Mapping[str, Sequence[str]], count: int, task: Task) -> None:
    expected = {query.query_id for query in task.queries}
    if absent := sorted(expected - set(answers)):
        raise CvrError(f"{task.name}: query {first_few(absent)} has no answer.")
    if unknown := sorted(set(answers) - expected):
        raise CvrError(f"{task.name}: query {first_few(unknown)} is not in the split.")
    gallery = {item.item_id for item in task.gallery}
    for query in task.queries:
        if problem := _problem_of_answer(query.query_id, answers[query.query_id], count, task, gallery):
            raise CvrError(f"{task.name}: query {query.query_id} {problem}.")


def _problem_of_answer(query_id: str, ids: Sequence[str], count: int, task: Task, gallery: set[str]) -> str | None:
    """What is wrong with one answer; None if nothing is."""
    ranked = gallery if task.candidates is None else task.candidates[query_id]
    if len(ids) != count:
        return f"has {len(ids)} answers, not {count}"
    if len(set(ids)) != count:
        return "has an answer twice"
    is_known = bool(gallery) or task.candidates is not None  # without it only the form can be checked
    if is_known and (strange := [item_id for item_id in ids if item_id not in ranked]):
        return f"answers {first_few(strange)}, which it is not ranked against"
    return None
