"""Does a test set need both inputs? Plain scorers of one input are asked for every query; no model is needed.

    record, table = pool_findings(sources, "test", k=0)

The pool, its labels and what chance gives are those that `cvr build-triplets --require composition` goes by. Scorers
that chose the queries say little of them afterwards, so two more figures stand beside the labels: of the queries that
the others leave, how many each scorer solves (held out), and how many one that is not in the pool does.
"""

# Shapes: Q queries.

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.benchmarks.triplets import benchmark_rows_of_split
from cvr_bench.data.opened import Sources
from cvr_data.core.artifacts import open_artifact
from cvr_data.features.pool_queries import GALLERY_COLUMNS, PoolQuery, feature_pool_queries
from cvr_data.features.single_input_pool import OUTSIDER, SingleInputPool
from cvr_data.features.single_inputs import (
    BOTH,
    LABELS,
    POOL_VERSION,
    SCORERS,
    SHORTCUTS,
    merged_similarity_ranks,
    similarity_chance_shares,
    similarity_composition_labels,
    similarity_pool_k,
    similarity_share_above_chance,
)
from cvr_data.tables import VIDEOS
from cvr_data.triplets.composition import triplet_labels_by_slot, yield_of

USUAL_K = 10


def pool_findings(sources: Sources, split: str, k: int) -> tuple[dict[str, Any], pa.Table]:
    """Return what the pool found about a split, for audit.json, and a row per query with its ranks and label.

    Args:
        sources: triplets of ours with features.
        split: whose queries.
        k: a query is solved with a target among so many best; 0 is one in a hundred of the gallery without distractors.

    Raises:
        CvrError: the data cannot be read or has no row of the split that can be scored.
    """
    task = sources.task(split)
    rows = benchmark_rows_of_split(sources.triplets, split, sources.data)
    gallery = [item.item_id for item in task.gallery]
    pool = SingleInputPool(sources.embeddings, audit_pool_texts(sources, rows, gallery))
    known = {query.query_id for query in task.queries}
    queries = {
        name: query for name, query in feature_pool_queries(rows).items() if name in known and pool.can_ask(query)
    }
    asked = list(queries.values())
    ranks = pool.ranks(asked)
    k = k or _plain_k(sources, split, pool)
    labels = similarity_composition_labels(merged_similarity_ranks(ranks), k)
    pairs = len({*rows.column("pair_id").to_pylist()} - {None})
    record = {
        "pool": pool.scorers,
        "pool_version": POOL_VERSION,
        "k": k,
        "gallery": len(pool.ids),
        **_labels_beside_chance(pool, asked, ranks, k),
        **yield_of(_counted(labels), pairs),
        "slots": triplet_labels_by_slot(dict(zip(queries, labels, strict=True)), rows),
        "held_out": _held_out(pool, asked, ranks, k),
    }
    return record, _table(queries, ranks, labels)


def _plain_k(sources: Sources, split: str, pool: SingleInputPool) -> int:
    """One in a hundred of the gallery without distractors: with more videos a query does not get easier."""
    if not sources.distractors:
        return pool.k
    plain = replace(sources, distractors=()).task(split).gallery
    return similarity_pool_k(sum(item.item_id in pool.column_of for item in plain))


def _labels_beside_chance(
    pool: SingleInputPool, asked: list[PoolQuery], ranks: Mapping[str, np.ndarray], k: int
) -> dict[str, Any]:
    """How many queries have each label at K, at 1 and at the usual K, and how many would by chance."""
    at, merged, sizes = sorted({1, k, USUAL_K}), merged_similarity_ranks(ranks), pool.sizes(asked)
    labels_at = {str(one): _counted(similarity_composition_labels(merged, one)) for one in at}
    chance_at = {str(one): similarity_chance_shares(pool.rankings, *sizes, one) for one in at}
    labels, chance = labels_at[str(k)], chance_at[str(k)]
    above = similarity_share_above_chance(labels[BOTH] / len(asked), chance[BOTH] / len(asked))
    return {"labels": labels, "labels_at": labels_at, "chance_at": chance_at, "needs_both_above_chance": above}


def audit_pool_texts(sources: Sources, triplets: pa.Table, gallery: list[str]) -> pa.Table:
    """Return id, captions and description of the gallery's videos: of the videos table, else what triplets say."""
    if not sources.videos:
        columns = [
            triplets.column(f"{end}_{name}").to_pylist()
            for name in ("id", "caption")
            for end in ("reference", "target")
        ]
        said = dict(zip([*columns[0], *columns[1]], [*columns[2], *columns[3]], strict=True))
        rows = [{"video_id": name, "captions": [said[name]] if said.get(name) else []} for name in gallery]
        return pa.Table.from_pylist(rows, schema=pa.schema([VIDEOS.field("video_id"), VIDEOS.field("captions")]))
    tables = []
    for folder in sources.videos:
        table = open_artifact(folder).read()
        tables.append(table.select([name for name in GALLERY_COLUMNS if name in table.column_names]))
    found = pa.concat_tables(tables, promote_options="default")
    first = pc.index_in(pa.array(gallery, pa.string()), found.column("video_id").combine_chunks())
    return found.take(first.drop_null())


def _held_out(
    pool: SingleInputPool, queries: list[PoolQuery], ranks: Mapping[str, np.ndarray], k: int
) -> dict[str, dict[str, float]]:
    """Return, per scorer, how many queries it solves, of all and of those that the others leave, also by chance."""
    single = {name: rank_Q for name, rank_Q in ranks.items() if name in SCORERS}
    outsider_Q = pool.outsider_ranks(queries)
    asked = {**single, **({} if outsider_Q is None else {OUTSIDER: outsider_Q})}
    allowed_Q, targets_Q = pool.sizes(queries)
    found = {}
    for name, rank_Q in asked.items():
        others = [other_Q for other, other_Q in single.items() if other != name]
        is_left_Q = np.min(others, axis=0) > k if others else np.ones(len(queries), bool)
        chance = similarity_chance_shares(["text-video"], allowed_Q[is_left_Q], targets_Q[is_left_Q], k)
        found[name] = {
            "solved_of_all": int((rank_Q <= k).sum()),
            "left": int(is_left_Q.sum()),
            "solved": int((rank_Q[is_left_Q] <= k).sum()),
            "by_chance": sum(chance[label] for label in SHORTCUTS),
        }
    return found


def _table(queries: Mapping[str, PoolQuery], ranks: Mapping[str, np.ndarray], labels: list[str]) -> pa.Table:
    """Return composition.parquet of the pool."""
    asked = list(queries.values())
    columns: dict[str, Any] = {
        "query_id": list(queries),
        "reference_id": [query.reference_id for query in asked],
        "modification": [query.modification for query in asked],
        "target_ids": [sorted(query.target_ids) for query in asked],
    }
    columns |= {f"{name.replace('-', '_').replace('+', '_and_')}_rank": rank_Q for name, rank_Q in ranks.items()}
    columns |= {f"{name}_rank": rank_Q for name, rank_Q in merged_similarity_ranks(ranks)._asdict().items()}
    return pa.table({**columns, "label": pa.array(labels, pa.string())})


def _counted(labels: list[str]) -> dict[str, int]:
    return {label: labels.count(label) for label in LABELS}
