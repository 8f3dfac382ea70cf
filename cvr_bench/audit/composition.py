"""Does a query need both its reference video and its text?

Two questions are kept apart. About the benchmark: a fixed pool of scorers that read one input each (text, reference, or
a description of the reference), the same for all models on these features, is asked for every query; what one of them
finds has a shortcut. About the model: it is asked again with one input alone (features of zeros for the others); the
composition gap is what it gains over the best of these and of the pool, and is small where a benchmark is won without
composing. What a random order would be said to need stands beside each label.

Source: the labels composition required / shortcut / unresolved follow CIRCUS, arXiv 2605.14787, where a query is tried
with text only, image only and both by a pool of encoders.
"""

# Shapes: Q queries.

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from cvr_bench.audit.altered import Alteration, AlteredFeatures, audit_with_altered_features, blank_texts, blank_videos
from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import DenseRetriever, Retriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.intervals import rank_clusters, recall_difference_interval
from cvr_bench.scoring.measures import MEAN, metric_names
from cvr_bench.scoring.metrics import chance_recall, recall_hits, recall_values
from cvr_bench.tasks.task import Task

USUAL_K = 10
"""Labels are counted at this K too, so that audits that went by different ones can be set side by side."""
RELATIVE = 100
"""Labels go by one in so many of the videos that a query is ranked against, where no one says otherwise."""
REQUIRED, SHORTCUT, UNRESOLVED = "composition_required", "shortcut", "unresolved"
LABELS = (REQUIRED, SHORTCUT, UNRESOLVED)
Modality = Literal["text-only", "visual-only", "description-only", "no-description"]
INPUTS = ("reference", "text", "description")
KEPT: dict[Modality, tuple[str, ...]] = {
    "no-description": ("reference", "text"),
    "text-only": ("text",),
    "visual-only": ("reference",),
    "description-only": ("description",),
}
"""What is asked -> the inputs that it keeps."""


@dataclass(frozen=True)
class Unimodal:
    """The ranks of all queries when only one input is given."""

    modality: Modality
    how: Literal["masked", "baseline"]
    """The model itself with its other inputs left out, or the scorer of the pool."""
    rank_Q: np.ndarray

    @property
    def name(self) -> str:
        """Both, as tables show it."""
        return f"{self.modality} ({self.how})"


def why_not_auditable(task: Task) -> str | None:
    """Return why the queries of a task cannot be taken apart; None if they can."""
    if any(query.reference is None or query.reference.video is None for query in task.queries):
        return "its queries have no reference video"
    return "its queries have no text" if any(query.modification is None for query in task.queries) else None


def audited_unimodal_ranks(
    retriever: Retriever, encoder: AlteredFeatures, task: Task, composed_Q: np.ndarray
) -> list[Unimodal]:
    """Return the ranks with one input each: of the model itself, if it notices what is missing, and of the pool.

    A model without descriptions is not asked about them, and one that does not read the task's only without them.
    """
    is_described = any(query.description for query in task.queries)
    masked: list[Unimodal] = []
    for modality in KEPT:
        reads = any((found.rank_Q != composed_Q).any() for found in masked if found.modality == "no-description")
        if "description" in modality and not (is_described and (modality == "no-description" or reads)):
            continue
        mask = inputs_blanked_for_audit(task, KEPT[modality])
        if _survives(retriever, encoder, mask, task):
            ranks = evaluate(audit_with_altered_features(retriever, encoder, mask), task).rank
            masked.append(Unimodal(modality, "masked", ranks))
    notices = any((found.rank_Q != composed_Q).any() for found in masked)
    return (masked if notices else []) + pool_ranks(encoder, task)


def inputs_blanked_for_audit(task: Task, kept: Sequence[str]) -> Alteration:
    """Return what takes all inputs from a model but those that are kept; a text that is kept too is not taken."""
    texts = {
        "text": {query.modification for query in task.queries if query.modification},
        "description": {query.description for query in task.queries if query.description},
    }
    staying = set().union(*(texts[name] for name in kept if name in texts))
    taken = set().union(*(those for name, those in texts.items() if name not in kept)) - staying
    return Alteration(
        videos=None if "reference" in kept else blank_videos, texts=blank_texts(frozenset(taken)) if taken else None
    )


def pool_ranks(encoder: AlteredFeatures, task: Task) -> list[Unimodal]:
    """Return the ranks of the scorers of one input that these features allow: the same whatever model is audited."""
    asked: dict[Modality, tuple[str, Task]] = {"visual-only": ("visual-only", task)}
    if encoder.dim == encoder.text_dim:
        asked["text-only"] = ("text-only", task)
        if all(query.description for query in task.queries):
            told = [replace(query, modification=query.description) for query in task.queries]
            asked["description-only"] = ("text-only", replace(task, queries=told))
    return [
        Unimodal(modality, "baseline", evaluate(MODELS.get(name).load(MODELS.config(name), encoder), of).rank)
        for modality, (name, of) in asked.items()
    ]


def composition_labels(composed_Q: np.ndarray, unimodals: Sequence[Unimodal], k: int) -> list[str]:
    """Return, per query, who finds a target among the K best: one of the pool, else the model alone, or none."""
    is_shortcut_Q = np.any([found.rank_Q <= k for found in unimodals if found.how == "baseline"], axis=0)
    return np.where(is_shortcut_Q, SHORTCUT, np.where(composed_Q <= k, REQUIRED, UNRESOLVED)).tolist()


def chance_labels(ranks: pa.Table, scorers: int, k: int) -> dict[str, float]:
    """Return how many queries would have each label if the model and so many scorers ranked at random."""
    allowed, targets = ranks.column("allowed").to_numpy(), np.array([*map(len, ranks.column("target_ids").to_pylist())])
    pairs, counts = np.unique(np.stack([allowed, targets]), axis=1, return_counts=True)
    hit = np.array([chance_recall(n[None], t[None], k) / 100 for n, t in pairs.T])
    missed_by_all = (1 - hit) ** scorers
    found = {REQUIRED: hit * missed_by_all, SHORTCUT: 1 - missed_by_all, UNRESOLVED: (1 - hit) * missed_by_all}
    return {label: float((share * counts).sum()) for label, share in found.items()}


def audit_composition_table(ranks: pa.Table, unimodals: Sequence[Unimodal], k: int) -> pa.Table:
    """Return composition.parquet: a row per query with its ranks and its labels at 1 and at K."""
    composed_Q = ranks.column("rank").to_numpy()
    made = ranks.select(["query_id", "reference_id", "modification", "target_ids"]).append_column(
        "composed_rank", pa.array(composed_Q)
    )
    for found in unimodals:
        name = f"{found.modality}_{found.how}_rank".replace("-", "_")
        made = made.append_column(name, pa.array(found.rank_Q))
    for name, at in (("label", k), ("label_at_1", 1)):
        made = made.append_column(name, pa.array(composition_labels(composed_Q, unimodals, at), pa.string()))
    return made


def audit_relative_k(ranks: pa.Table) -> int:
    """Return one in a hundred of what a query is ranked against, at least 1."""
    return max(1, round(float(ranks.column("allowed").to_numpy().mean()) / RELATIVE))


def composition_record(ranks: pa.Table, unimodals: Sequence[Unimodal], ks: Sequence[int], k: int) -> dict[str, Any]:
    """Return the recalls side by side, the composition gap of each, and how many queries have which label."""
    composed_Q = ranks.column("rank").to_numpy()
    clusters = rank_clusters(ranks)
    single = [found for found in unimodals if found.modality != "no-description"]
    pool = [found.modality for found in unimodals if found.how == "baseline"]
    rows = {"composed": composed_Q, **{found.name: found.rank_Q for found in unimodals}}
    at = sorted({*ks, k, 1, USUAL_K})

    def gap(metric: str) -> dict[str, Any]:
        """Composed minus the best with one input, which is chosen on the same queries."""
        best = max(single, key=lambda found: float(audited_values(found.rank_Q, metric, ks).mean()))
        both = audited_values(composed_Q, metric, ks), audited_values(best.rank_Q, metric, ks)
        return {"best": best.name, **vars(recall_difference_interval(*both, clusters))}

    return {
        "k": k,
        "pool": pool,
        "reads": _reads(composed_Q, unimodals),
        "recalls": {name: audited_recalls(rank_Q, ks) for name, rank_Q in rows.items()},
        "gap": {metric: gap(metric) for metric in metric_names(ks)},
        "labels": _count(composition_labels(composed_Q, unimodals, k)),
        "labels_at": {str(one): _count(composition_labels(composed_Q, unimodals, one)) for one in at},
        "chance_at": {str(one): chance_labels(ranks, len(pool), one) for one in at},
    }


def _reads(composed_Q: np.ndarray, unimodals: Sequence[Unimodal]) -> list[str]:
    """The inputs whose loss moves a rank; that of reference or text where the description is gone already."""
    masked = {found.modality: found.rank_Q for found in unimodals if found.how == "masked"}
    plain_Q = masked.get("no-description", composed_Q)
    lost = {
        "description": (composed_Q, plain_Q),
        "reference": (plain_Q, masked.get("text-only", plain_Q)),
        "text": (plain_Q, masked.get("visual-only", plain_Q)),
    }
    return sorted(name for name, (before_Q, after_Q) in lost.items() if (before_Q != after_Q).any())


def audited_values(rank_Q: np.ndarray, metric: str, ks: Sequence[int]) -> np.ndarray:
    """Return, per query, R@K or the mean of the recalls, in percent."""
    return recall_values(rank_Q, ks) if metric == MEAN else recall_hits(rank_Q, int(metric.partition("@")[2]))


def audited_recalls(rank_Q: np.ndarray, ks: Sequence[int]) -> dict[str, float]:
    """Return the recalls and their mean, in percent."""
    return {metric: float(audited_values(rank_Q, metric, ks).mean()) for metric in metric_names(ks)}


def _count(found: Sequence[str]) -> dict[str, int]:
    return {label: found.count(label) for label in LABELS}


def _survives(retriever: Retriever, encoder: AlteredFeatures, mask: Alteration, task: Task) -> bool:
    """Whether the model gives numbers at all for features of zeros; a private one may divide by their length."""
    if not isinstance(retriever, DenseRetriever):
        return True
    one = audit_with_altered_features(retriever, encoder, mask)
    assert isinstance(one, DenseRetriever)
    return bool(one.embed(task.queries[:1]).isfinite().all())
