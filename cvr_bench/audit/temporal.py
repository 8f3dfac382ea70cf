"""Does time matter? The same model with the middle frame of each video only, with shuffled and with reversed frames.

References and gallery are altered alike. The temporal gap is what the model loses with the best of the three: near zero
where one frame, or frames in any order, do as well. A model that pools frames evenly has a gap of exactly zero, since
the order of a sum does not matter.
"""

# Shapes: Q queries, N videos or queries, D embedding.

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from cvr_bench.audit.altered import (
    Alteration,
    AlteredFeatures,
    audit_middle_frame_alone,
    audit_with_altered_features,
    reversed_frames,
    shuffled_frames,
)
from cvr_bench.audit.composition import audited_recalls, audited_values
from cvr_bench.models.parts.retriever import BATCH, DenseRetriever, Retriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.intervals import rank_clusters, recall_difference_interval
from cvr_bench.scoring.measures import metric_names
from cvr_bench.tasks.task import Task

ALL = "all frames"
ROUNDING = 1e-5
"""Of its length: embeddings that differ by less do so because a sum was taken in another order."""


def audit_temporal_variants(seed: int) -> dict[str, Alteration]:
    """Return the name of each variant and what it does to frames."""
    return {
        "middle": Alteration(videos=audit_middle_frame_alone),
        "shuffled": Alteration(videos=shuffled_frames(seed)),
        "reversed": Alteration(videos=reversed_frames),
    }


def temporal_variant_ranks(
    retriever: Retriever, encoder: AlteredFeatures, task: Task, plain_Q: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Return the ranks of each variant; those of a variant that changes no embedding are the model's own."""
    found = {}
    for name, alteration in audit_temporal_variants(seed).items():
        other = audit_with_altered_features(retriever, encoder, alteration, gallery=True)
        found[name] = plain_Q if _is_same(retriever, other, task) else evaluate(other, task).rank
    return found


def audited_frames(encoder: AlteredFeatures, task: Task) -> dict[str, int]:
    """Return the fewest and the most frames of the first videos of the gallery, or of references where it has texts."""
    items = [*task.gallery[:BATCH], *(query.reference for query in task.queries[:BATCH])]
    videos = [item.video for item in items if item is not None and item.video is not None][:BATCH]
    lengths = encoder.encode_videos(videos).mask_BT.sum(dim=1) if videos else None
    return {} if lengths is None else {"least": int(lengths.min()), "most": int(lengths.max())}


def audit_temporal_table(ranks: pa.Table, found: Mapping[str, np.ndarray]) -> pa.Table:
    """Return temporal.parquet: a row per query with its rank under each variant."""
    made = pa.table({"query_id": ranks.column("query_id"), "rank": ranks.column("rank")})
    for name, rank_Q in found.items():
        made = made.append_column(f"{name}_rank", pa.array(rank_Q))
    return made


def temporal_record(ranks: pa.Table, found: Mapping[str, np.ndarray], ks: Sequence[int]) -> dict[str, Any]:
    """Return the recalls side by side, what each variant loses, and the temporal gap, each with its interval."""
    plain_Q = ranks.column("rank").to_numpy()
    clusters = rank_clusters(ranks)
    names = metric_names(ks)
    losses = {
        name: {
            metric: vars(
                recall_difference_interval(
                    audited_values(plain_Q, metric, ks), audited_values(rank_Q, metric, ks), clusters
                )
            )
            for metric in names
        }
        for name, rank_Q in found.items()
    }
    best = {metric: min(losses, key=lambda name: losses[name][metric]["value"]) for metric in names}
    return {
        "recalls": {name: audited_recalls(rank_Q, ks) for name, rank_Q in {ALL: plain_Q, **found}.items()},
        "losses": losses,
        "gap": {metric: {"best": best[metric], **losses[best[metric]][metric]} for metric in names},
        "reads_order": any((found[name] != plain_Q).any() for name in ("shuffled", "reversed")),
    }


def _is_same(retriever: Retriever, other: Retriever, task: Task) -> bool:
    """Whether two variants of a model embed every query and video alike, up to rounding."""
    if not isinstance(retriever, DenseRetriever) or not isinstance(other, DenseRetriever):
        return False
    for start in range(0, len(task.queries), BATCH):
        queries = task.queries[start : start + BATCH]
        if not _is_close(retriever.embed(queries), other.embed(queries)):
            return False
    gallery = [item for item in task.gallery if item.video is not None]  # frames of texts there are none
    for start in range(0, len(gallery), BATCH):
        both = []
        for one in (retriever, other):
            one.index(gallery[start : start + BATCH])
            assert one.gallery_GD is not None
            both.append(one.gallery_GD)
        if not _is_close(*both):
            return False
    return True


def _is_close(first_ND: Tensor, second_ND: Tensor) -> bool:
    return bool(((first_ND - second_ND).norm(dim=1) <= ROUNDING * first_ND.norm(dim=1)).all())
