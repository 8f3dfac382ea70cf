"""Does a query need both its reference video and its text?

The model is asked again with one of its inputs left out (features of zeros), on the same queries and gallery. Where it
finds the target all the same, the query has a shortcut. The composition gap is what the model gains over the best of
these: a benchmark can be won without composing, and then the gap is small whatever the recall.

Source: the labels composition required / shortcut / unresolved follow CIRCUS, arXiv 2605.14787, where a query is tried
with text only, image only and both; there a pool of encoders decides, here one model and the baselines on its features.
"""

# Shapes: Q queries.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from cvr_bench.audit.altered import Alteration, AlteredFeatures, blank_texts, blank_videos, with_altered_features
from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import DenseRetriever, Retriever, module_of_retriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.intervals import clusters_of, difference_interval
from cvr_bench.scoring.measures import MEAN, metric_names
from cvr_bench.scoring.metrics import recall_hits, recall_values
from cvr_bench.tasks.task import Task

USUAL_K = 10
"""Within so many best a query counts as answered, where no one says otherwise; always counted."""
REQUIRED, SHORTCUT, UNRESOLVED = "composition_required", "shortcut", "unresolved"
LABELS = (REQUIRED, SHORTCUT, UNRESOLVED)
Modality = Literal["text-only", "visual-only"]
MASKS: dict[Modality, Alteration] = {
    "text-only": Alteration(videos=blank_videos),
    "visual-only": Alteration(texts=blank_texts),
}
"""What the model keeps -> what is taken from it."""
LOST: dict[Modality, str] = {"text-only": "reference", "visual-only": "text"}
"""What the model keeps -> the input that it lacks; it reads those whose loss moves a rank."""


@dataclass(frozen=True)
class Unimodal:
    """The ranks of all queries when only one input is given."""

    modality: Modality
    how: Literal["masked", "baseline"]
    """The model itself with its other input left out, or the plain baseline on the same features."""
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
    """Return the ranks with one input each.

    A model with weights may do badly without an input only because it never saw that, so the baselines are tried too;
    of a model that does not notice what is missing, because it does not read these features, only they are.
    """
    masked = [
        Unimodal(modality, "masked", evaluate(with_altered_features(retriever, encoder, mask), task).rank)
        for modality, mask in MASKS.items()
        if _survives(retriever, encoder, mask, task)
    ]
    notices = any((found.rank_Q != composed_Q).any() for found in masked)
    if notices and module_of_retriever(retriever) is None:
        return masked
    names: list[Modality] = ["visual-only", "text-only"] if encoder.dim == encoder.text_dim else ["visual-only"]
    models = {name: MODELS.get(name).load(MODELS.config(name), encoder) for name in names}
    baselines = [Unimodal(name, "baseline", evaluate(model, task).rank) for name, model in models.items()]
    return (masked if notices else []) + baselines


def composition_labels(composed_Q: np.ndarray, unimodals: Sequence[Unimodal], k: int) -> list[str]:
    """Return, per query, who finds a target among the K best: only the whole model, an input alone, or none."""
    is_shortcut_Q = np.any([found.rank_Q <= k for found in unimodals], axis=0)
    return np.where(is_shortcut_Q, SHORTCUT, np.where(composed_Q <= k, REQUIRED, UNRESOLVED)).tolist()


def composition_table(ranks: pa.Table, unimodals: Sequence[Unimodal], k: int) -> pa.Table:
    """Return composition.parquet: a row per query with its ranks and its label."""
    composed_Q = ranks.column("rank").to_numpy()
    made = ranks.select(["query_id", "reference_id", "modification", "target_ids"]).append_column(
        "composed_rank", pa.array(composed_Q)
    )
    for found in unimodals:
        name = f"{found.modality}_{found.how}_rank".replace("-", "_")
        made = made.append_column(name, pa.array(found.rank_Q))
    return made.append_column("label", pa.array(composition_labels(composed_Q, unimodals, k), pa.string()))


def composition_record(ranks: pa.Table, unimodals: Sequence[Unimodal], ks: Sequence[int], k: int) -> dict[str, Any]:
    """Return the recalls side by side, the composition gap of each, and how many queries have which label."""
    composed_Q = ranks.column("rank").to_numpy()
    clusters = clusters_of(ranks)
    rows = {"composed": composed_Q, **{found.name: found.rank_Q for found in unimodals}}

    def gap(metric: str) -> dict[str, Any]:
        """Composed minus the best with one input, which is chosen on the same queries."""
        best = max(unimodals, key=lambda found: float(audited_values(found.rank_Q, metric, ks).mean()))
        both = audited_values(composed_Q, metric, ks), audited_values(best.rank_Q, metric, ks)
        return {"best": best.name, **vars(difference_interval(*both, clusters))}

    return {
        "k": k,
        "reads": sorted(
            LOST[found.modality] for found in unimodals if found.how == "masked" and (found.rank_Q != composed_Q).any()
        ),
        "recalls": {name: audited_recalls(rank_Q, ks) for name, rank_Q in rows.items()},
        "gap": {metric: gap(metric) for metric in metric_names(ks)},
        "labels": _count(composition_labels(composed_Q, unimodals, k)),
        "labels_at": {
            str(at): _count(composition_labels(composed_Q, unimodals, at)) for at in sorted({*ks, k, USUAL_K})
        },
    }


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
    one = with_altered_features(retriever, encoder, mask)
    assert isinstance(one, DenseRetriever)
    return bool(one.embed(task.queries[:1]).isfinite().all())
