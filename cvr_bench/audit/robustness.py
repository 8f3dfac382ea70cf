"""How a model takes other texts for the same query: paraphrases, mistakes, and texts that ask for something else.

    results/sum-quickstart/robustness/  robustness.json  robustness.parquet  manifest.json

Texts that keep the target (`cvr_data.modifications.variants`) give recalls each; told are their mean, the worst text of
each query, and the spread between kinds. Of texts that ask for something else is told how often the same video stays
first, and how often the old target is still found: a model that ignores its text does both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.results.result import Result
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import recall
from cvr_bench.tasks.task import Task, part_of_task
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import json_bytes, parquet_bytes
from cvr_data.modifications.variants import KEEPING, OTHER, Variant, modification_variants

STAGE, FOLDER, VERSION = "robustness", "robustness", 3
RECORD, TABLE = "robustness.json", "robustness.parquet"
ASKED = 20
"""Texts of other queries that are tried as irrelevant ones."""


def audit_text_robustness(
    result: Result, retriever: Retriever, task: Task, triplets: pa.Table, *, overwrite: bool = False
) -> dict[str, Any]:
    """Return how a result's model takes other texts, written inside the result.

    Raises:
        CvrError: the triplets do not say what changes, or another record lies there.
    """
    writer = ArtifactWriter(
        result.path / FOLDER, stage=STAGE, version=VERSION, config={}, inputs={"result": result.path},
        overwrite=overwrite,
    )  # fmt: skip
    if writer.finished() is None:
        variants = audit_text_variants(task, triplets)
        if not variants:
            raise CvrError(f"{task.name}: robustness needs triplets with captions and changes, and no query has them.")
        table = audit_robustness_table(retriever, task, variants, result.ranks)
        with writer:
            writer.write_file(TABLE, parquet_bytes(table))
            writer.write_file(RECORD, json_bytes(audit_robustness_record(table, task.ks, len(task.queries))))
            writer.finish(rows=table.num_rows)
    return read_json(writer.out / RECORD, dict)


def audit_text_variants(task: Task, triplets: pa.Table) -> dict[str, list[Variant]]:
    """Return the other texts of each query that has some."""
    names = ["query_id", "modification", "reference_caption", "target_caption", "changes"]
    rows = {row["query_id"]: row for row in reversed(triplets.select(names).to_pylist())}
    order = [query.query_id for query in task.queries]
    found = {}
    for place, query_id in enumerate(order):
        step = 1 + len(order) // 3  # texts of queries that stand far off, which seldom are about the same videos
        others = [order[(place + step + number) % len(order)] for number in range(min(ASKED, len(order) - 1))]
        texts = [rows[name]["modification"] for name in others if name in rows]
        if query_id in rows and (variants := modification_variants(rows[query_id], texts)):
            found[query_id] = variants
    return found


def audit_robustness_table(
    retriever: Retriever, task: Task, variants: Mapping[str, Sequence[Variant]], ranks: pa.Table
) -> pa.Table:
    """Return a row per query and other text: kind, rank of the best target, and whether the first video stays."""
    plain = replace(task, subset=None, subset_ks=(), means={}, twins={}, distractor_kinds={}, distractor_types={})
    columns = (ranks.column(name).to_pylist() for name in ("query_id", "rank", "top"))
    own = {query_id: (rank, top[0] if top else None) for query_id, rank, top in zip(*columns, strict=True)}
    rows: list[dict[str, Any]] = []
    kinds = sorted({(variant.kind, variant.number) for of_query in variants.values() for variant in of_query})
    for kind, number in kinds:
        texts = {
            query_id: variant.text
            for query_id, of_query in variants.items()
            for variant in of_query
            if (variant.kind, variant.number) == (kind, number)
        }
        asked = [
            replace(query, modification=texts[query.query_id]) for query in task.queries if query.query_id in texts
        ]
        found = evaluate(retriever, part_of_task(plain, asked))
        for query, rank, top in zip(asked, found.rank.tolist(), found.top.to_pylist(), strict=True):
            before, first = own[query.query_id]
            rows.append({"query_id": query.query_id, "kind": kind, "number": number, "text": query.modification,
                         "rank": rank, "own_rank": before, "keeps_first": bool(top) and top[0] == first})  # fmt: skip
    return pa.Table.from_pylist(rows)


def audit_robustness_record(table: pa.Table, ks: Sequence[int], queries: int) -> dict[str, Any]:
    """Return what the rows come to; recalls are over the queries that have a text of the kind."""
    rows = table.to_pylist()
    kinds: dict[str, Any] = {}
    for kind in (*KEEPING, *OTHER):
        of_kind = [row for row in rows if row["kind"] == kind]
        if of_kind:
            kinds[kind] = {
                "queries": len({row["query_id"] for row in of_kind}),
                "texts": len(of_kind),
                **{f"R@{k}": recall(np.array([row["rank"] for row in of_kind]), k) for k in ks},
                "keeps_first": 100.0 * float(np.mean([row["keeps_first"] for row in of_kind])),
            }
    keeping: dict[str, list[int]] = {}
    own = {row["query_id"]: row["own_rank"] for row in rows if row["kind"] in KEEPING}
    for row in rows:
        if row["kind"] in KEEPING:
            keeping.setdefault(row["query_id"], []).append(row["rank"])
    metrics = {}
    for k in ks:
        means = [np.mean([rank <= k for rank in ranks]) for ranks in keeping.values()]
        of_kinds = [kinds[kind][f"R@{k}"] for kind in KEEPING if kind in kinds]
        metrics[f"R@{k}"] = {
            "own": recall(np.array([own[name] for name in keeping]), k) if keeping else 0.0,
            "mean": 100.0 * float(np.mean(means)) if means else 0.0,
            "worst": recall(np.array([max(ranks) for ranks in keeping.values()]), k) if keeping else 0.0,
            "spread": max(of_kinds) - min(of_kinds) if of_kinds else 0.0,
        }
    ignored = [row["keeps_first"] for row in rows if row["kind"] in OTHER]
    return {
        "task_queries": queries,
        "queries": len(keeping),
        "metrics": metrics,
        "kinds": kinds,
        "ignores_text": 100.0 * float(np.mean(ignored)) if ignored else 0.0,
    }


def audit_robustness_lines(name: str, record: Mapping[str, Any]) -> list[str]:
    """Return what a record says, as lines."""
    metrics = record["metrics"]
    shown = "; ".join(
        f"{metric} own {told['own']:.2f}, mean {told['mean']:.2f}, worst {told['worst']:.2f}, "
        f"spread {told['spread']:.2f}"
        for metric, told in sorted(metrics.items(), key=lambda each: int(each[0].split("@")[1]))
    )
    kept = ", ".join(f"{kind} {told['keeps_first']:.0f} %" for kind, told in record["kinds"].items() if kind in OTHER)
    return [
        f"{name}, other texts that keep the target ({record['queries']} of {record['task_queries']} queries): {shown}",
        f"  the same video stays first though the text asks for something else: {kept or 'no such texts'}",
    ]
