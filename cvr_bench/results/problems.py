"""Does a result follow from its files? Nothing of the model, its features or a GPU is needed for that.

Rules, task and numbers are worked out again, and where the score matrix was saved (--save-scores) so are the ranks.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cvr_bench.results.result import (
    PROTOCOL,
    RANKS,
    RESULT,
    Result,
    result_coverage,
    result_rank_statistics,
    result_slice_statistics,
)
from cvr_bench.results.score_matrix import SCORES, read_result_scores
from cvr_bench.results.under_protocols import result_ranks_under
from cvr_bench.scoring.bounds import Lost
from cvr_bench.scoring.intervals import METHOD
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifacts import artifact_key
from cvr_data.core.errors import first_few
from cvr_data.core.whole_files import file_sha256


def checked_of_result(result: Result) -> list[str]:
    """Return what can be worked out again of a result, in words."""
    has_scores = (result.path / SCORES).is_file()
    return ["numbers", "rules", *(["task"] if "task_key" in result.record else []), *(["ranks"] if has_scores else [])]


def problems_of_result(result: "Result") -> list[str]:
    """Return one line per thing that does not follow from the files of a result; none if all does.

    Rules and task should have their keys, ranks be those of the saved scores, and result.json have their numbers.
    Ends of intervals that were made in another way are not compared.
    """
    is_other = result.record.get("intervals") != METHOD
    found: dict[str, Any] = {
        **result_rank_statistics(result.ranks, result.measures),
        "slices": result_slice_statistics(result.ranks, result.measures),
    }
    if "beside" in result.record:
        found["beside"] = result.beside
    stored = result.record.get("coverage")
    if stored is not None and "lost_slices" in stored:  # older results have bounds of the recalls alone
        lost = Lost(stored["lost_queries"], stored["lost_slices"])
        found["coverage"] = result_coverage(result.ranks, result.measures, lost)
    lines, numbers = _problems_of_task(result) + _problems_of_scores(result), _flat_numbers(result.record)
    for name, value in _flat_numbers(found).items():
        if is_other and name.endswith((".low", ".high")):
            continue
        told = numbers.get(name)
        if told is None or not math.isclose(value, told, rel_tol=1e-9, abs_tol=1e-9):
            lines.append(f"{RESULT} says {name} is {told}; {RANKS} gives {value}")
    return lines


def _flat_numbers(value: Any, name: str = "") -> dict[str, float]:
    """Nested numbers by dotted name."""
    if isinstance(value, Mapping | list | tuple):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        found = (_flat_numbers(inner, f"{name}.{part}") for part, inner in parts)
        return {key: number for numbers in found for key, number in numbers.items()}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {name.removeprefix("."): float(value)} if is_number else {}


def _problems_of_task(result: Result) -> list[str]:
    """Rules whose key is another than they have or the result says, and a task that is not as its key says."""
    rules = read_json(result.path / PROTOCOL, dict)
    key = artifact_key({name: value for name, value in rules.items() if name != "key"})
    lines = [] if rules.get("key") == key else [f"{PROTOCOL} says its key is {rules.get('key')}; its rules give {key}"]
    if result.record["protocol_key"] != key:
        lines.append(f"{RESULT} says protocol_key is {result.record['protocol_key']}; {PROTOCOL} gives {key}")
    told = result.record.get("task_key", result.task_key)
    return lines if told == result.task_key else [*lines, f"{RESULT} says task_key is {told}; {RANKS} gives another"]


def _problems_of_scores(result: Result) -> list[str]:
    """Ranks, ties and sizes that the saved scores do not give again, and scores that are not those of the result."""
    if not (result.path / SCORES).is_file():
        return []
    lines = []
    told, found = result.record.get("scores_sha256"), file_sha256(result.path / SCORES)
    if told not in (None, found):
        lines.append(f"{RESULT} says scores_sha256 is {told}; {SCORES} gives {found}")
    matrix = read_result_scores(result.path)
    assert matrix is not None
    if matrix.query_ids != result.ranks.column("query_id").to_pylist():
        return [*lines, f"{SCORES} is of other queries than {RANKS}"]
    ranks = result_ranks_under(matrix, result.protocol)
    for name, values in (("rank", ranks.rank), ("ties", ranks.ties), ("allowed", ranks.allowed)):
        other = np.flatnonzero(values != result.ranks.column(name).to_numpy())
        if len(other):
            names = first_few([matrix.query_ids[row] for row in other])
            lines.append(f"{RANKS} has another {name} of {len(other)} queries ({names}) than {SCORES} gives")
    return lines
