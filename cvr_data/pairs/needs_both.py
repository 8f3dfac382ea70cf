"""Distractors that make queries need both inputs: which of those that were mined, and how the share grows with them.

    found = chosen_distractors(embeddings, gallery, candidates, queries, wanted=0.5)
    found.videos      # to add, those first that take most shortcuts away
    found.curve       # ((0, 0.18, 0.3), (4, 0.21, 0.34), ...): videos added, share of queries that need both, and
                      # of those that no input alone solves then, which `build-triplets --distractors` keeps

A query has a shortcut where a scorer of one input (`features.single_input_pool`) has a target among the K best. A video
that this scorer ranks before the target takes a place of it away; one that a sum of both inputs ranks before it as well
makes the query unsolved. So each round takes the videos that push most shortcuts out and fewest sums. K is one in a
hundred of the gallery before anything is added, and stays.
"""

# Shapes: Q queries, G gallery videos, N candidates.

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import input_paths
from cvr_data.core.parts import artifact_bucket_table
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import Step
from cvr_data.features.pool_queries import GALLERY_COLUMNS, PoolQuery, feature_pool_queries
from cvr_data.features.single_input_pool import SingleInputPool
from cvr_data.features.single_inputs import (
    BOTH,
    LABELS,
    SCORERS,
    SHORTCUTS,
    best_similarity_ranks,
    least_similarities,
    merged_similarity_ranks,
    similarity_composition_labels,
    similarity_pool_k,
)
from cvr_data.tables import VIDEOS

MOST = 4096
"""Candidates that are compared with every query."""
ROUNDS = 64
"""In how many rounds all candidates would be taken."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Videos to add to a gallery, and what they do."""

    videos: tuple[str, ...]
    k: int
    queries: int
    curve: tuple[tuple[int, float, float], ...]
    """Videos added, share of the queries that need both, and of those without a shortcut."""
    labels: Mapping[str, int]
    """Queries of each label in the gallery with all that were chosen."""


@dataclass(frozen=True)
class WantedShare:
    """What a gallery should become."""

    share: float
    """Of the queries, that need both inputs."""
    split: str
    videos: Path
    """Where distractors are from."""
    embeddings: Path


def only_needed_distractors(
    stage: StageRun, found: Flow, triplets: Artifact, wanted: WantedShare
) -> tuple[Flow, dict[str, Any]]:
    """Return the mined distractors that a wanted share takes, and how the share grew with them.

    Those with a proof are looked at, of most queries first. The gallery is that of `cvr bench`: videos of the split,
    and those that its triplets use.

    Raises:
        CvrError: the triplets do not say where their videos are.
    """
    folders = input_paths(triplets, "videos")
    if not folders:
        raise CvrError(f"{triplets.path} does not say which videos its gallery has; needs_both cannot be asked of it.")
    found = stage.rested(found)
    side = stage.side(found, artifact_bucket_table)
    mined = side.load(*side.arguments)
    names = mined.column("video_id").to_pylist() if mined.num_rows else []
    proofs = mined.column("distractor_type").to_pylist() if mined.num_rows else []
    counted = Counter(name for name, proof in zip(names, proofs, strict=True) if proof)
    rows = triplets.read()
    rows = rows.filter(pc.equal(rows.column("split"), wanted.split))
    used = pa.array(sorted({name for end in ("reference_id", "target_id") for name in rows.column(end).to_pylist()}))
    own = pa.concat_tables([_read_videos(folder) for folder in folders.values()])
    is_ours = pc.or_kleene(pc.equal(own.column("split"), wanted.split), pc.is_in(own.column("video_id"), used))
    others = _read_videos(wanted.videos)
    order = pa.array([name for name, _ in counted.most_common()], pa.string())
    chosen = chosen_distractors(
        wanted.embeddings, own.filter(is_ours), others.take(pc.index_in(order, others.column("video_id"))),
        list(feature_pool_queries(rows).values()), wanted=wanted.share,
    )  # fmt: skip
    told = {name: value for name, value in vars(chosen).items() if name != "videos"}
    return found.then(Step(name="needs both", run=_keep_chosen, config=frozenset(chosen.videos))), told


def _read_videos(folder: Path) -> pa.Table:
    """What the pool of scorers reads of videos, and their split."""
    return check_columns(open_artifact(folder).read(), VIDEOS, str(folder)).select([*GALLERY_COLUMNS, "split"])


def _keep_chosen(chosen: frozenset[str], found: pa.Table) -> pa.Table:
    is_chosen = pc.is_in(found.column("video_id"), pa.array(sorted(chosen), pa.string()))
    return mark(found, pc.invert(is_chosen), "not_needed")


def chosen_distractors(
    embeddings: Path, gallery: pa.Table, candidates: pa.Table, queries: Sequence[PoolQuery], *, wanted: float
) -> Chosen:
    """Return the candidates to add until so many queries need both inputs, or no candidate helps.

    Args:
        embeddings: features of all videos; those without are passed over.
        gallery: video_id, captions and description of what queries are ranked against anyway.
        candidates: the same of mined distractors, the most wanted first.
        queries: those of the test set.
        wanted: share of the queries.
    """
    known = set(gallery.column("video_id").to_pylist())
    rows = [row for row, name in enumerate(candidates.column("video_id").to_pylist()) if name not in known][:MOST]
    pool = SingleInputPool(embeddings, pa.concat_tables([gallery, candidates.take(pa.array(rows, pa.int64()))]))
    of_gallery = np.array([name in known for name in pool.ids], bool)
    asked = [query for query in queries if pool.can_ask(query) and not known.isdisjoint(query.target_ids)]
    k = similarity_pool_k(int(of_gallery.sum()))
    if not asked or of_gallery.all():
        return Chosen(videos=(), k=k, queries=len(asked), curve=(), labels={})
    ranks, beats = _standings(pool, asked, of_gallery)
    names = np.array(pool.ids)[~of_gallery]
    order, curve, labels = _taken(ranks, beats, k, wanted)
    return Chosen(videos=tuple(names[order].tolist()), k=k, queries=len(asked), curve=curve, labels=labels)


def _standings(
    pool: SingleInputPool, queries: Sequence[PoolQuery], of_gallery: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return, by scorer and sum, ranks (Q,) in the gallery, and whether each candidate beats the target (Q, N)."""
    ranks: dict[str, list[np.ndarray]] = {name: [] for name in pool.rankings}
    beats: dict[str, list[np.ndarray]] = {name: [] for name in pool.rankings}
    for start in range(0, len(queries), pool.queries_at_once):
        chunk = queries[start : start + pool.queries_at_once]
        targets, own = pool.columns(chunk)
        for name, scores_QG in pool.each_score(chunk):
            least_Q = least_similarities(scores_QG, targets)
            beats[name].append(scores_QG[:, ~of_gallery] >= least_Q[:, None])
            scores_QG[:, ~of_gallery] = -np.inf
            ranks[name].append(best_similarity_ranks(scores_QG, targets, own))
    return tuple({name: np.concatenate(found) for name, found in each.items()} for each in (ranks, beats))  # type: ignore[return-value]


def _taken(
    ranks: Mapping[str, np.ndarray], beats: Mapping[str, np.ndarray], k: int, wanted: float
) -> tuple[list[int], tuple[tuple[int, float, float], ...], dict[str, int]]:
    """Return the candidates taken, the curve, and the labels at its end."""
    ranks = {name: rank_Q.copy() for name, rank_Q in ranks.items()}
    candidates = next(iter(beats.values())).shape[1]
    is_left_N, taken = np.ones(candidates, bool), list[int]()
    curve = []
    while True:
        labels = similarity_composition_labels(merged_similarity_ranks(ranks), k)
        needed, left = labels.count(BOTH), sum(label not in SHORTCUTS for label in labels)
        curve.append((len(taken), needed / len(labels), needed / max(1, left)))
        gain_N = np.where(is_left_N, _gains(ranks, beats, labels, k), -np.inf)
        best = np.argsort(-gain_N, kind="stable")[: max(1, candidates // ROUNDS)]
        best = best[gain_N[best] > 0]
        if curve[-1][1] >= wanted or not len(best):
            return taken, tuple(curve), {label: labels.count(label) for label in LABELS}
        is_left_N[best] = False
        taken += best.tolist()
        for name, beats_QN in beats.items():
            ranks[name] += beats_QN[:, best].sum(axis=1)


def _gains(
    ranks: Mapping[str, np.ndarray], beats: Mapping[str, np.ndarray], labels: Sequence[str], k: int
) -> np.ndarray:
    """Return (N,) how far each candidate would push shortcuts out of the K best, less how far sums.

    A scorer whose target is about to leave the K best counts the most.
    """
    is_shortcut_Q = np.isin(labels, SHORTCUTS)
    single = np.sum([rank_Q <= k for name, rank_Q in ranks.items() if name in SCORERS], axis=0)
    sums = np.sum([rank_Q <= k for name, rank_Q in ranks.items() if name not in SCORERS], axis=0)
    gain_N = np.zeros(next(iter(beats.values())).shape[1])
    for name, rank_Q in ranks.items():
        is_within_Q, places_Q = rank_Q <= k, np.maximum(k + 1 - rank_Q, 1)
        if name in SCORERS:
            weight_Q = is_within_Q * is_shortcut_Q * (sums > 0) / (places_Q * np.maximum(single, 1))
        else:
            weight_Q = -(is_within_Q / (places_Q * np.maximum(sums, 1)))
        rows = np.flatnonzero(weight_Q)
        gain_N += weight_Q[rows] @ beats[name][rows]
    return gain_N
