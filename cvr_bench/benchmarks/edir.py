"""EDIR: composed image retrieval whose targets an image editor made from the references.

The gallery is every image of corpus.jsonl, the streamlined release, which lacks the further distractors of the paper;
gallery=instance ranks, for each query, its one target and the negatives that instances.jsonl lists. R@1 is the main
score. References are ranked where the corpus has them, unless they are left out (reference=exclude, the default here;
MTEB keeps them). The slice is the subcategory of the edit.

Paper: Song et al., ACL 2026 (https://arxiv.org/abs/2601.16125). Licence: MIT. Files: the three JSONL files of
https://huggingface.co/datasets/EDIR-BENCH/EDIR at 2aed46dc8473b0068e978a98c61f4843b0a586a7, or MTEB's copy,
https://huggingface.co/datasets/whybe-choi/EDIRIT2IRetrieval at 6b371e3b3c37fffeb02bf029fc9beba3515ee7ce.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks._composed import Composed
from cvr_bench.benchmarks._retrieval_set import benchmark_files_or_copy, benchmark_task_of_set, is_benchmark_copy
from cvr_bench.tasks.composed import QueryRow, composed_task
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import find_annotation_file
from cvr_data.core.errors import CvrError
from cvr_data.core.files import id_text, read_table
from cvr_data.media.retrieval_set import RetrievalSet

ORIGIN = "https://huggingface.co/datasets/EDIR-BENCH/EDIR or whybe-choi/EDIRIT2IRetrieval"
FILES = ("queries.jsonl", "corpus.jsonl", "instances.jsonl")
KS = (1, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Config(Composed):
    annotations: Path
    """The folder that holds queries.jsonl, corpus.jsonl and instances.jsonl, or MTEB's copy."""
    gallery: Literal["corpus", "instance"] = "corpus"
    """corpus: all images; instance: the target and the negatives of each query, which MTEB's copy does not have."""


EXAMPLE = {"": (3, 5), "gallery=instance": (3, 5)}


def files(config: Config) -> list[Path]:
    """Return the three files, or the parts of MTEB's copy."""
    if config.gallery == "instance":
        return [find_annotation_file(config.annotations, name, origin=ORIGIN) for name in FILES]
    return benchmark_files_or_copy(config.annotations, *([name] for name in FILES), origin=ORIGIN)


def load(config: Config) -> Task:
    paths = files(config)
    if is_benchmark_copy(paths):
        return benchmark_task_of_set("edir-corpus", RetrievalSet(folder=config.annotations), config.reference, ks=KS)
    queries, corpus, instances = paths
    images = [_id(row, "id", corpus) for row in read_table(corpus, ("id",), ("id",)).to_pylist()]
    answers = {
        _id(row, "qid", instances): (_names(row, "pos", instances), _names(row, "neg", instances))
        for row in read_table(instances, ("qid", "pos", "neg"), ("qid", "pos", "neg")).to_pylist()
    }
    required = ("id", "image", "text")
    rows = [_row(row, answers, queries) for row in read_table(queries, (*required, "metadata"), required).to_pylist()]
    is_own = config.gallery == "instance"
    candidates = {row.query_id: frozenset().union(*answers[row.query_id]) for row in rows} if is_own else None
    protocol = Protocol(gallery="candidates" if is_own else "listed", reference=config.reference)
    return composed_task(f"edir-{config.gallery}", rows, images, protocol, ks=KS, candidates=candidates)


def _row(row: Mapping[str, Any], answers: Mapping[str, tuple[list[str], list[str]]], path: Path) -> QueryRow:
    name, reference, text = _id(row, "id", path), _id(row, "image", path), row["text"]
    if name not in answers or not isinstance(text, str):
        raise CvrError(f"{path}: the query {name} has no text, or no row in instances.jsonl.")
    about = row.get("metadata")
    kind = about.get("subcategory") if isinstance(about, dict) else None
    slices = {"subcategory": kind} if isinstance(kind, str) and kind else {}
    return QueryRow(name, reference, text, tuple(answers[name][0]), slices=slices)


def _id(row: Mapping[str, Any], name: str, path: Path) -> str:
    if not (found := id_text(row[name])):
        raise CvrError(f"{path}: {row[name]!r} in {name!r} is no id.")
    return found


def _names(row: Mapping[str, Any], name: str, path: Path) -> list[str]:
    listed = row[name]
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise CvrError(f"{path}: {name!r} of {row['qid']} should be a list of names.")
    return listed
