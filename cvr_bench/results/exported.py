"""A result for other tools: the run and the qrels that trec_eval reads, and the result JSON of MTEB.

The run holds every score where the result was made with --save-scores, else the ten best items of each query. By
MTEB's rules the reference is ranked with the rest and items that score alike come in the order of their ids, last first
(https://github.com/embeddings-benchmark/mteb/pull/5241); that takes every score too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

from cvr_bench.results.result import Result
from cvr_bench.results.score_matrix import read_result_scores
from cvr_bench.scoring.metrics import discounted_gain
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.whole_files import json_bytes, write_bytes

Rules = Literal["own", "mteb"]
"""Those that the result was scored by, or MTEB's."""
MTEB_KS = (1, 3, 5, 10, 20, 100, 1000)
MTEB_MAIN = "ndcg_at_10"
SAFE = "".join(chr(code) for code in range(33, 127) if chr(code) != "%")


def write_result_as_trec(result: Result, out: Path) -> list[Path]:
    """Write run.trec and qrels.trec into a folder and return their paths."""
    if out.is_file():
        raise CvrError(f"{out} is a file; run.trec and qrels.trec need a folder.")
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "run.trec", out / "qrels.trec"]
    for path, lines in zip(paths, (_run_lines(result), _qrels_lines(result)), strict=True):
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
    return paths


def _run_lines(result: Result) -> Iterator[str]:
    tag = _trec_id(result.name)
    for query_id, items, scores in _ranked_items(result):
        for place, (item, score) in enumerate(zip(items, scores, strict=True), start=1):
            yield f"{_trec_id(query_id)} Q0 {_trec_id(item)} {place} {float(score)!r} {tag}"


def _ranked_items(result: Result) -> Iterator[tuple[str, list[str], list[float]]]:
    """(query, items, scores), best first, without what is not ranked."""
    matrix = read_result_scores(result.path)
    if matrix is None:
        yield from zip(
            *(result.ranks.column(name).to_pylist() for name in ("query_id", "top", "top_scores")), strict=True
        )
        return
    for row, query_id in enumerate(matrix.query_ids):
        scores = np.asarray(matrix.scores_QG[row])
        columns = np.arange(len(scores)) if matrix.candidates is None else matrix.candidates[row]
        if result.protocol.reference == "exclude":
            columns = columns[columns != matrix.references[row]]
        columns = columns[np.argsort(-scores[columns], kind="stable")]
        yield query_id, [matrix.item_ids[column] for column in columns], scores[columns].tolist()


def _qrels_lines(result: Result) -> Iterator[str]:
    columns = ("query_id", "target_ids", "target_grades")
    for query_id, targets, grades in zip(*(result.ranks.column(name).to_pylist() for name in columns), strict=True):
        for target, grade in sorted(zip(targets, grades or [1] * len(targets), strict=True)):
            yield f"{_trec_id(query_id)} 0 {_trec_id(target)} {grade}"


def _trec_id(name: str) -> str:
    """An id without white space: what is not plain is written as %20."""
    return quote(name, safe=SAFE)


def result_as_mteb(
    result: Result, *, revision: str, main_score: str = MTEB_MAIN, rules: Rules = "own"
) -> dict[str, Any]:
    """Return the result JSON of MTEB 2 (`TaskResult`): shares from 0 to 1, as trec_eval has them.

    The entry of the split says by which rules: the result's own, or MTEB's.

    Raises:
        CvrError: there is no such main score, or MTEB's rules are asked for of a result without all scores.
    """
    lists = result.ranks.column("target_ranks").to_pylist() if rules == "own" else _mteb_target_ranks(result)
    grades = [given or [1] * len(found) for found, given in
              zip(lists, result.ranks.column("target_grades").to_pylist(), strict=True)]  # fmt: skip
    scores: dict[str, float] = {}
    for k in MTEB_KS:
        of_queries = [_mteb_scores(*one, k) for one in zip(lists, grades, strict=True)]
        scores |= {f"{name}_at_{k}": float(np.mean([one[name] for one in of_queries])) for name in of_queries[0]}
    if main_score not in scores:
        raise CvrError(f"--main-score: no {main_score!r}. {did_you_mean(main_score, sorted(scores))}")
    entry = {"hf_subset": "default", "languages": ["eng-Latn"], "main_score": scores[main_score], **scores}
    entry |= {"cvr": _rules_told(result, rules)}
    seconds = (result.record.get("cost") or {}).get("seconds", {})
    return {
        "dataset_revision": revision,
        "task_name": result.record["task"]["name"],
        "mteb_version": None,
        "scores": {result.record["data"]["split"]: [entry]},
        "evaluation_time": float(sum(seconds.get(name, 0.0) for name in ("encode", "score"))),
        "kg_co2_emissions": None,
    }


def _rules_told(result: Result, rules: Rules) -> dict[str, Any]:
    """How the numbers came about: what no field of MTEB's says."""
    protocol, features = result.protocol, result.record.get("features", {}).get("options", {})
    return {
        "ties": protocol.ties if rules == "own" else "by id, last first",
        "reference": protocol.reference if rules == "own" else "keep",
        "gallery": protocol.gallery,
        "sampler": features.get("sampler"),
        "frames": features.get("frames"),
    }


def _mteb_target_ranks(result: Result) -> list[list[int]]:
    """The rank of each target of each query, in the order of `target_ids`, by MTEB's rules."""
    matrix = read_result_scores(result.path)
    if matrix is None:
        raise CvrError(f"{result.path} holds no score matrix; make it again with cvr bench --save-scores --overwrite.")
    column_of = {name: column for column, name in enumerate(matrix.item_ids)}
    later = np.array(matrix.item_ids).argsort(kind="stable").argsort()
    names = result.ranks.column("target_ids").to_pylist()
    found = []
    for row, targets in enumerate(names):
        allowed = np.ones(len(later), bool)
        if matrix.candidates is not None:
            allowed = np.isin(np.arange(len(later)), matrix.candidates[row])
        scores = np.where(allowed, matrix.scores_QG[row], -np.inf)
        columns = [column_of[name] for name in targets]
        before = [(scores > scores[one]) | ((scores == scores[one]) & (later > later[one])) for one in columns]
        found.append([1 + int(np.count_nonzero(above & allowed)) for above in before])
    return found


def _mteb_scores(ranks: list[int], grades: list[int], k: int) -> Mapping[str, float]:
    found = [rank for rank in ranks if rank <= k]
    return {
        "ndcg": discounted_gain(ranks, grades, k) / 100,
        "map": sum(place / rank for place, rank in enumerate(sorted(found), start=1)) / len(ranks),
        "recall": len(found) / len(ranks),
        "precision": len(found) / k,
        "mrr": 1 / min(found) if found else 0.0,
        "hit_rate": float(bool(found)),
    }


def write_result_as_mteb(result: Result, out: Path, *, revision: str, main_score: str, rules: Rules = "own") -> Path:
    """Write the result JSON of MTEB and return its path. Raises CvrError: a folder stands there."""
    if out.is_dir():
        raise CvrError(f"{out} is a folder; the result JSON of MTEB is one file.")
    write_bytes(out, json_bytes(result_as_mteb(result, revision=revision, main_score=main_score, rules=rules)))
    return out
