"""Which queries need both their inputs: where a target stands by the text alone and by the reference alone.

    flow = with_composition(run, triplets, folders, config)    # text_rank, visual_rank, both_rank, composition

A fixed, cheap pool of scorers reads one input each: the text against videos (in the shared space of fitted heads) and
against captions (MiniLM), the reference's frames against videos, its caption against captions. A query is a
`text_shortcut` or a `visual_shortcut` where one of them has a target among the K best of its split's videos,
`needs_both` where only sums of two do, else `unresolved`. K is one in a hundred of the gallery. Only val and test are
asked, for which it is what a recall will say.
"""

# Shapes: Q queries, G gallery videos, C captions, D embedding.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.parts import bucket_table
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Step
from cvr_data.features.similarities import text_vectors
from cvr_data.triplets.answers import JUDGED_SPLITS

TEXT, VISUAL, BOTH, UNRESOLVED = "text_shortcut", "visual_shortcut", "needs_both", "unresolved"
SHORTCUTS = (TEXT, VISUAL)
COLUMNS = ("text_rank", "visual_rank", "both_rank")
SHARE = 0.01
"""K as a share of the gallery."""
CHUNK = 256
"""Queries scored at once."""


@dataclass(frozen=True, kw_only=True)
class CompositionConfig:
    """What is asked of queries."""

    embeddings: Path
    k: int = 0
    """Of the K best; 0 is one in a hundred of the gallery, and at least 1."""
    default_split: str = "train"


def with_composition(run: StageRun, triplets: Flow, folders: Sequence[Path], config: CompositionConfig) -> Flow:
    """Return the triplets with ranks by one input and by both, those that one input solves dropped.

    Args:
        run: of the stage that asks.
        triplets: rows of all splits.
        folders: the videos.
        config: what is asked.
    """
    columns = ("video_id", "captions", "split")
    named = Step(name="gallery", run=_gallery_rows, config=config.default_split, makes_rows=True, is_counted=False)
    flows = [run.read(folder, columns, ["video_id", "captions"]).then(named) for folder in folders]
    gathered = run.meet(
        flows, KeyedStep(name="gallery", run=_once, key=ByColumn("video_id"), makes_rows=True, is_counted=False)
    )
    side = run.side(gathered, bucket_table)
    return run.meet(
        [triplets],
        KeyedStep(name="composition", run=labelled, key=ByColumn("query_id"), config=config, sides=(side,), tells=True),
    )


def _gallery_rows(default_split: str, videos: pa.Table) -> pa.Table:
    split = videos.column("split") if "split" in videos.column_names else pa.nulls(videos.num_rows, pa.string())
    rows = videos.select(["video_id", "captions"]).append_column("split", pc.fill_null(split, default_split))
    return rows.filter(pc.is_in(rows.column("split"), pa.array(JUDGED_SPLITS)))


def _once(config: Any, videos: pa.Table) -> pa.Table:
    _, first = np.unique(videos.column("video_id").to_numpy(), return_index=True)
    return videos.take(pa.array(np.sort(first)))


def labelled(config: CompositionConfig, triplets: pa.Table, gallery: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Return the triplets with their ranks and `composition`, null of what is not asked, and counts by split."""
    found: dict[str, dict[str, Any]] = {}
    told: dict[str, int] = {}
    for split in JUDGED_SPLITS:
        rows = triplets.filter(pc.equal(triplets.column("split"), split))
        videos = gallery.filter(pc.equal(gallery.column("split"), split)).sort_by("video_id")
        if rows.num_rows and videos.num_rows:
            found |= Pool(config, videos).labels(rows)
    ids = triplets.column("query_id").to_pylist()
    for name in COLUMNS:
        triplets = triplets.append_column(name, pa.array([found.get(query, {}).get(name) for query in ids], pa.int64()))
    labels = [found.get(query, {}).get("composition") for query in ids]
    triplets = triplets.append_column("composition", pa.array(labels, pa.string()))
    seen: set[str] = set()
    changes = triplets.column("changes").to_pylist()
    for query, label, split, listed in zip(ids, labels, triplets.column("split").to_pylist(), changes, strict=True):
        if label is not None and query not in seen:
            seen.add(query)
            told[f"{split} {label}"] = told.get(f"{split} {label}", 0) + 1
            for slot in sorted({change["slot"] or "unknown" for change in listed or ()}):
                name = f"{split} {label} slot {slot}"
                told[name] = told.get(name, 0) + 1
    for label in SHORTCUTS:
        triplets = mark(triplets, pc.equal(triplets.column("composition"), label), label)
    return triplets, told


class Pool:
    """Scorers of one input over the videos of one split; each vector is read once."""

    def __init__(self, config: CompositionConfig, gallery: pa.Table):
        self.config = config
        from cvr_data.features.store import FeatureStore

        self.raw = FeatureStore.open(config.embeddings, space="raw")
        has = np.asarray(self.raw.has_videos(gallery.column("video_id").to_pylist()))
        self.gallery = gallery.filter(pa.array(has))
        self.ids = self.gallery.column("video_id").to_pylist()
        self.column_of = {name: column for column, name in enumerate(self.ids)}
        self.k = config.k or max(1, round(SHARE * len(self.ids)))

    @cached_property
    def captions(self) -> tuple[pa.Array, np.ndarray]:
        """The captions, and the column of the video of each."""
        lists = self.gallery.column("captions").combine_chunks()
        return pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()

    def labels(self, triplets: pa.Table) -> dict[str, dict[str, Any]]:
        """Return query -> ranks and label; a query whose videos have no features is not there."""
        rows: dict[str, dict[str, Any]] = {}
        targets: dict[str, set[int]] = {}
        for row in triplets.select(
            ["query_id", "reference_id", "modification", "reference_caption", "target_id"]
        ).to_pylist():
            if row["target_id"] in self.column_of and self.raw.has_videos([row["reference_id"]])[0]:
                rows.setdefault(row["query_id"], row)
                targets.setdefault(row["query_id"], set()).add(self.column_of[row["target_id"]])
        names = sorted(rows)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            found |= self._labelled([rows[name] for name in chunk], [targets[name] for name in chunk])
        return found

    def _labelled(self, queries: list[dict[str, Any]], targets: list[set[int]]) -> dict[str, dict[str, Any]]:
        texts, references = self._of_text(queries), self._of_reference(queries)
        own = [self.column_of.get(query["reference_id"], -1) for query in queries]
        sums = [one + other for one, other in zip(map(_spread, texts), map(_spread, references), strict=False)]
        ranks = [
            np.min([best_ranks(scores, targets, own) for scores in of], axis=0) for of in (texts, references, sums)
        ]
        return {
            query["query_id"]: {**dict(zip(COLUMNS, map(int, each), strict=True)), "composition": self._label(*each)}
            for query, each in zip(queries, zip(*ranks, strict=True), strict=True)
        }

    def _label(self, text: int, visual: int, both: int) -> str:
        if min(text, visual) <= self.k:
            return TEXT if text <= visual else VISUAL
        return BOTH if both <= self.k else UNRESOLVED

    def _of_text(self, queries: Sequence[dict[str, Any]]) -> list[np.ndarray]:
        """Scores (Q, G) of the scorers that read the text alone: against captions, and against videos."""
        said = [query["modification"] for query in queries]
        scores = [self._by_captions(said)]
        if self._shared is not None:
            encoder, videos_GD = self._shared
            scores.append(_unit(encoder.encode_texts(said).pooled_BD.numpy()) @ videos_GD.T)
        return scores

    def _of_reference(self, queries: Sequence[dict[str, Any]]) -> list[np.ndarray]:
        """Scores (Q, G) of those that read the reference alone: caption against captions, frames against videos."""
        captions = self._by_captions([query["reference_caption"] or "" for query in queries])
        references_QD = self.raw.pooled([query["reference_id"] for query in queries]).numpy()
        return [captions, _unit(references_QD) @ self._videos_GD.T]

    @cached_property
    def _videos_GD(self) -> np.ndarray:
        return _unit(self.raw.pooled(self.ids).numpy())

    @cached_property
    def _shared(self) -> tuple[Any, np.ndarray] | None:
        """The encoder of texts and the videos in one space, where there is such a space."""
        from cvr_data.core.errors import CvrError
        from cvr_data.features.encoders.stored import StoredEncoder
        from cvr_data.features.store import FeatureStore

        try:
            encoder = StoredEncoder(FeatureStore.open(self.config.embeddings))
        except CvrError:  # two spaces that no heads were fitted to: this scorer is not in the pool
            return None
        if encoder.dim != encoder.text_dim:
            return None
        return encoder, _unit(encoder.store.pooled(self.ids).numpy())

    def _by_captions(self, texts: Sequence[str]) -> np.ndarray:
        """Scores of texts against the captions of each video, the best of which counts."""
        columns_C = self.captions[1]
        asked = pc.unique(pa.array(texts, pa.string())).sort()
        asked_UD = text_vectors(asked, self.config.embeddings)
        scores_UC = asked_UD @ self._captions_CD.T
        scores_UG = np.full((len(asked), len(self.ids)), -1.0, np.float32)
        for caption, column in enumerate(columns_C.tolist()):
            np.maximum(scores_UG[:, column], scores_UC[:, caption], out=scores_UG[:, column])
        return scores_UG[pc.index_in(pa.array(texts, pa.string()), asked).to_numpy()]

    @cached_property
    def _captions_CD(self) -> np.ndarray:
        captions = self.captions[0]
        distinct = pc.unique(captions).sort()
        return text_vectors(distinct, self.config.embeddings)[pc.index_in(captions, distinct).to_numpy()]


def best_ranks(scores_QG: np.ndarray, targets: Sequence[set[int]], own: Sequence[int]) -> np.ndarray:
    """Return the rank of the best target of each query, what scores the same before it, its own reference left out."""
    ranks = np.empty(len(scores_QG), np.int64)
    for row, (columns, reference) in enumerate(zip(targets, own, strict=True)):
        scores_G = scores_QG[row].round(5)  # rounding of a product is no difference
        best = scores_G[sorted(columns)].max()
        others = np.ones(len(scores_G), bool)
        others[[*columns, *([reference] if reference >= 0 else [])]] = False
        ranks[row] = 1 + int((scores_G[others] >= best).sum())
    return ranks


def _spread(scores_QG: np.ndarray) -> np.ndarray:
    """The scores of each query with mean 0 and deviation 1, so that two scorers have an equal say."""
    return (scores_QG - scores_QG.mean(axis=1, keepdims=True)) / (scores_QG.std(axis=1, keepdims=True) + 1e-9)


def _unit(vectors_ND: np.ndarray) -> np.ndarray:
    return vectors_ND / np.maximum(np.linalg.norm(vectors_ND, axis=1, keepdims=True), 1e-12)


def composition_told(told: Mapping[str, int]) -> dict[str, Any]:
    """Return, by split: queries of each label, how many of a thousand remain, and the slots before and after."""
    splits: dict[str, Any] = {}
    for split in JUDGED_SPLITS:
        labels = {label: told.get(f"{split} {label}", 0) for label in (TEXT, VISUAL, BOTH, UNRESOLVED)}
        if not (asked := sum(labels.values())):
            continue
        slots: dict[str, list[int]] = {}
        for name, count in told.items():
            if name.startswith(f"{split} ") and " slot " in name:
                label, slot = name.removeprefix(f"{split} ").split(" slot ")
                both = slots.setdefault(slot, [0, 0])
                both[0] += count
                both[1] += 0 if label in SHORTCUTS else count
        left = labels[BOTH] + labels[UNRESOLVED]
        splits[split] = {
            "labels": labels,
            "left_of_1000": round(1000 * left / asked),
            "slots": dict(sorted(slots.items())),
        }
    return splits


def composition_lines(told: Mapping[str, Any]) -> list[str]:
    """Return that as lines: labels, and how the shares of slots moved."""
    lines = []
    for split, of_split in told.items():
        labels = ", ".join(f"{label} {count}" for label, count in of_split["labels"].items())
        lines.append(f"  {split} queries: {labels}; {of_split['left_of_1000']} of 1000 remain")
        sums = [max(1, sum(counts[at] for counts in of_split["slots"].values())) for at in (0, 1)]
        moved = (
            f"{slot} {100 * counts[0] / sums[0]:.0f} % -> {100 * counts[1] / sums[1]:.0f} %"
            for slot, counts in of_split["slots"].items()
        )
        lines.append(f"    slots: {', '.join(moved)}")
    return lines
