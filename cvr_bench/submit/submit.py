"""What to send to the server of a benchmark: a model's answers, checked as the server checks them.

    paths = write_submission_answers("cirr", options, model, Path("cirr.json"))    # cirr.json and cirr_subset.json
    lines = check_submission("cirr", options, Path("cirr.json"))

Source: the servers of CIRR and CIRCO (`cvr_bench.submit.servers`), and the CVPR 2025 VidLLM challenge, which takes the
query embeddings themselves: https://github.com/mbzuai-oryx/CoVR-VidLLM-CVPRW25, "Calculating Query Features".
"""

# Shapes: Q queries of a chunk, G gallery items, D embedding.

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cvr_bench.benchmarks import BENCHMARKS, KeepsTargets, circo, covr_r
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.models.parts.trained import dense_model
from cvr_bench.scoring.blocks import score_matrix
from cvr_bench.submit.query_features import read_submitted_features, submitted_npy_bytes
from cvr_bench.submit.servers import (
    CIRCO_COUNT,
    CIRR_COUNTS,
    COVR_R_COUNT,
    check_circo_submission,
    check_cirr_submission,
    check_covr_r_submission,
    circo_submission,
    cirr_submission,
    covr_r_submission,
    write_submission,
)
from cvr_bench.tasks.task import Query, Task
from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.registry import split_key_value_options
from cvr_data.core.whole_files import write_bytes

BLIND_SPLITS = {"cirr": "test1", "circo": "test", "dense-webvid-covr": "challenge-test",
                "covr-r": "challenge-test"}  # fmt: skip
"""Benchmarks with a server -> the split it scores."""
CHALLENGE_WIDTH = 256
"""The challenge's own gallery are BLIP embeddings of that width."""
SUBSET = {"recall": "listed", "recall_subset": "subset"}
"""Metric of CIRR's server -> the gallery that it ranks."""


def write_submission_answers(benchmark: str, options: Sequence[str], model: Retriever, out: Path) -> list[Path]:
    """Write the file (of CIRR: the two files) of a blind split and return where.

    Raises:
        CvrError: the benchmark has no server, its files are missing, or the server would refuse the answers.
    """
    name = _with_server(benchmark)
    if name == "cirr":
        return _write_cirr(options, model, out)
    task = _blind_task(name, options)
    if name == "circo":
        write_submission(out, circo_submission(submission_answers(model, task, CIRCO_COUNT), task))
    elif name == "covr-r":
        _write_covr_r(options, model, out, task)
    else:
        queries_QD = dense_model(model, "this model").embed(task.queries).numpy()
        _check_challenge(queries_QD, task)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, submitted_npy_bytes(queries_QD))
    return [out]


def check_submission(benchmark: str, options: Sequence[str], path: Path) -> str:
    """Return what a file holds, in words, if its server would take it.

    Raises:
        CvrError: it would be refused, or the benchmark has no server.
    """
    checks: dict[str, Callable[[Sequence[str], Path], str]] = {
        "cirr": _check_cirr_file,
        "circo": _check_circo_file,
        "dense-webvid-covr": _check_challenge_file,
        "covr-r": _check_covr_r_file,
    }
    name = _with_server(benchmark)
    if not path.is_file():
        raise CvrError(f"{path} is not there.")
    return checks[name](options, path)


def submission_server(benchmark: str) -> str:
    """Return whose rules the check of a benchmark's file follows."""
    return "the checker of a participant" if benchmark.replace("_", "-") == "covr-r" else "its server"


def submission_answers(retriever: Retriever, task: Task, count: int, *, chunk: int = 256) -> dict[str, list[str]]:
    """Return query_id -> its `count` best items, best first; of equal scores the smaller item_id comes first.

    Raises:
        CvrError: the gallery is not known, or a query has fewer items than that.
        ValueError: a score is NaN or infinite.
    """
    if not task.gallery:
        raise CvrError(f"{task.name}: its gallery is not published, so nothing can be ranked here.")
    gallery = sorted(task.gallery, key=lambda item: item.item_id)
    column_of = {item.item_id: column for column, item in enumerate(gallery)}
    item_ids = np.array(list(column_of), dtype=object)
    retriever.index(gallery)
    found: dict[str, list[str]] = {}
    for start in range(0, len(task.queries), chunk):
        queries = task.queries[start : start + chunk]
        scores_QG = score_matrix(retriever, queries, len(gallery)).copy()
        scores_QG[~_allowed_answers(task, queries, column_of)] = -np.inf
        for query, scores_G in zip(queries, scores_QG, strict=True):
            order = np.argsort(-scores_G, kind="stable")[:count]
            found[query.query_id] = item_ids[order[np.isfinite(scores_G[order])]].tolist()
    short = [query_id for query_id, best in found.items() if len(best) < count]
    if short:
        raise CvrError(f"{task.name}: query {first_few(short)} has fewer than {count} items to rank.")
    return found


def _allowed_answers(task: Task, queries: Sequence[Query], column_of: Mapping[str, int]) -> np.ndarray:
    allowed_QG = np.full((len(queries), len(column_of)), task.candidates is None)
    for row, query in enumerate(queries):
        if task.candidates is not None:
            allowed_QG[row, [column_of[item_id] for item_id in task.candidates[query.query_id]]] = True
        if query.reference is not None and query.reference.item_id in column_of:
            allowed_QG[row, column_of[query.reference.item_id]] = False
    return allowed_QG


def _check_challenge(queries_QD: np.ndarray, task: Task) -> None:
    """Refuse embeddings that the challenge's server would refuse, or that cannot be ranked.

    Raises:
        CvrError: there is not one finite row of 256 numbers per query, or a row is all zeros.
    """
    expected = (len(task.queries), CHALLENGE_WIDTH)
    if queries_QD.shape != expected:
        raise CvrError(
            f"{task.name}: the server takes {expected[0]} rows of {expected[1]} numbers, in the space of its BLIP "
            f"gallery; got {' x '.join(map(str, queries_QD.shape))}."
        )
    if not np.isfinite(queries_QD).all():
        raise CvrError(f"{task.name}: a query embedding is not finite.")
    if (zero := np.flatnonzero(~queries_QD.any(axis=1))).size:
        raise CvrError(f"{task.name}: the embedding of row {first_few(zero.tolist())} is all zeros.")


def _with_server(benchmark: str) -> str:
    name = benchmark.replace("_", "-")
    if name not in BLIND_SPLITS:
        raise CvrError(f"{benchmark!r} has no server to submit to. {did_you_mean(name, BLIND_SPLITS)}")
    return name


def _blind_task(name: str, options: Sequence[str], **fixed: str) -> Task:
    """The queries of the split that the server scores, unless the options name another."""
    dataset = BENCHMARKS.get(name)
    if not isinstance(dataset, KeepsTargets):
        raise CvrError(f"{name} has no split whose targets a server keeps.")
    given = {"split": BLIND_SPLITS[name], **split_key_value_options(options, name), **fixed}
    return dataset.load_blind(BENCHMARKS.config(name, given))


def _write_cirr(options: Sequence[str], model: Retriever, out: Path) -> list[Path]:
    paths = []
    for metric, gallery in SUBSET.items():
        task = _blind_task("cirr", options, gallery=gallery)
        path = out if metric == "recall" else out.with_name(f"{out.stem}_subset{out.suffix}")
        best = submission_answers(model, task, CIRR_COUNTS[metric])
        write_submission(path, cirr_submission("recall" if metric == "recall" else "recall_subset", best, task))
        paths.append(path)
    return paths


def _write_covr_r(options: Sequence[str], model: Retriever, out: Path, task: Task) -> None:
    config = _covr_r_config(options)
    if config.videos is None:
        raise CvrError("covr-r: no file lists the challenge's gallery; pass -D videos=FOLDER with its videos.")
    names = {source: covr_r.covr_r_answer_names(config.videos, source) for source in covr_r.SOURCES}
    queries = covr_r.covr_r_benchmark_queries(covr_r.files(config)[0])
    submission = covr_r_submission(submission_answers(model, task, COVR_R_COUNT), queries, names)
    check_covr_r_submission([(source, row) for group in submission for source in group for row in group[source]], task)
    write_submission(out, submission, most=None)


def _check_covr_r_file(options: Sequence[str], path: Path) -> str:
    task = covr_r.load_blind(_covr_r_config(options))
    check_covr_r_submission(covr_r.covr_r_benchmark_queries(path), task)
    unknown = "" if task.gallery else "; that they are in the gallery was not checked, for want of -D videos=FOLDER"
    counts = f"{len(task.queries)} queries, {COVR_R_COUNT} videos each"
    return f"{task.name}: {counts}{unknown}"


def _covr_r_config(options: Sequence[str]) -> covr_r.Config:
    return BENCHMARKS.config("covr-r", {"split": BLIND_SPLITS["covr-r"], **split_key_value_options(options, "covr-r")})


def _check_cirr_file(options: Sequence[str], path: Path) -> str:
    submission = _submitted_object(path)
    metric = str(submission.get("metric"))
    task = _blind_task("cirr", options, gallery=SUBSET.get(metric, "listed"))
    check_cirr_submission(submission, task)
    return f"{task.name}: {len(submission) - 2} queries, {CIRR_COUNTS[metric]} names each, for {metric}"


def _check_circo_file(options: Sequence[str], path: Path) -> str:
    submission = _submitted_object(path)
    config = BENCHMARKS.config("circo", {"split": BLIND_SPLITS["circo"], **split_key_value_options(options, "circo")})
    task = (
        circo.load_blind(config) if circo.benchmark_has_circo_images(config) else circo.load_benchmark_queries(config)
    )
    check_circo_submission(submission, task)
    unknown = "" if task.gallery else "; that they are COCO's was not checked, for want of its list of images"
    return f"{task.name}: {len(submission)} queries, {CIRCO_COUNT} ids each{unknown}"


def _check_challenge_file(options: Sequence[str], path: Path) -> str:
    task = _blind_task("dense-webvid-covr", options)
    queries_QD = read_submitted_features(path)
    _check_challenge(queries_QD, task)
    return f"{task.name}: {' x '.join(map(str, queries_QD.shape))}, every row finite and not zero"


def _submitted_object(path: Path) -> dict:
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(ids, list | str) for ids in content.values()):
        raise CvrError(f"{path} should hold an object of lists, one per query.")
    return content
