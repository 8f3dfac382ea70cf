"""What a person judges: two videos and the candidate texts of one style that lead from the first to the second.

    reviewed = read_reviewed(Path("annotations/quickstart"), splits=("test",))
    reviewed.items[0].candidates

As for WebVid-CoVR's test set, one person sees both clips and all texts at once, and keeps one or none (Ventura et al.,
AAAI 2024, https://arxiv.org/abs/2308.14746).
"""

# Shapes: N videos, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.tables import MODIFICATIONS, PAIRS, TRIPLETS, content_id

SHOWN = 12


@dataclass(frozen=True)
class Neighbour:
    """A video and its cosine with the target."""

    video_id: str
    similarity: float


class TargetNeighbours:
    """Pooled features of the videos of each split: among those that look like a target are further valid ones.

    Source: CIRCO's several targets per query were found so, among the images nearest to the first (Baldrati et al.
    2023, https://arxiv.org/abs/2303.15247); here the nearest are shown, of the same split as the query.
    """

    def __init__(self, split_of: dict[str, str | None], pooled_ND: np.ndarray):
        self._ids = list(split_of)
        self._row = {video_id: row for row, video_id in enumerate(self._ids)}
        self._split = np.array([split or "" for split in split_of.values()])
        self._pooled_ND = pooled_ND

    @classmethod
    def open(cls, embeddings: Path, videos: pa.Table) -> "TargetNeighbours":
        """Return the neighbours by the raw visual features of a folder; videos without features are left out.

        Raises:
            CvrError: not an embeddings artifact.
        """
        from cvr_data.features.store import FeatureStore  # torch, which a review without neighbours does not need

        store = FeatureStore.open(embeddings, space="raw")
        ids = videos["video_id"].to_pylist()
        split_of = dict(compress(zip(ids, videos["split"].to_pylist(), strict=True), store.has_videos(ids)))
        return cls(split_of, store.pooled(list(split_of)).numpy())

    def of(self, target_id: str, *, leave_out: set[str]) -> list[Neighbour]:
        """Return the nearest videos of the target's split, nearest first; none where its features are not stored."""
        row = self._row.get(target_id)
        if row is None:
            return []
        cosine_N = self._pooled_ND @ self._pooled_ND[row]
        order = np.lexsort((np.arange(len(cosine_N)), -cosine_N))
        hidden = {target_id, *leave_out}
        found = (place for place in order if self._split[place] == self._split[row])
        nearest = (int(place) for place in found if self._ids[place] not in hidden)
        return [Neighbour(self._ids[place], round(float(cosine_N[place]), 4)) for place in islice(nearest, SHOWN)]


GOLD_STYLE = "gold"
SCORES = ("text_similarity", "visual_similarity")


@dataclass(frozen=True, kw_only=True)
class ReviewItem:
    """One thing to judge; `answer` is the known decision (accept or reject) of a gold check, else None."""

    item_id: str
    reference_id: str
    target_id: str
    style: str
    split: str | None
    texts: tuple[str, ...]
    reference_caption: str = ""
    target_caption: str = ""
    changes: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    answer: str | None = None


@dataclass(frozen=True)
class Reviewed:
    """The items of one artifact."""

    artifact: Artifact
    items: list[ReviewItem]

    def by_id(self) -> dict[str, ReviewItem]:
        """Return item_id -> item."""
        return {item.item_id: item for item in self.items}

    @property
    def video_ids(self) -> list[str]:
        """Every video that is shown, each once, in order."""
        return list(dict.fromkeys(name for item in self.items for name in (item.reference_id, item.target_id)))


def review_item_id(reference_id: str, target_id: str, style: str) -> str:
    """Return the id under which the texts of one style of one pair are judged."""
    return content_id(reference_id, target_id, style)


def read_reviewed(
    folder: Path, *, pairs: Path | None = None, splits: Sequence[str] = (), gold: Path | None = None
) -> Reviewed:
    """Return the items of a folder of triplets or of modification texts, and the gold checks of a file.

    Raises:
        CvrError: the folder holds neither, its pairs are gone, nothing is left to judge, or a gold row is wrong.
    """
    artifact = open_artifact(folder)
    table = artifact.read()
    if "triplet_id" in table.column_names:
        rows = check_columns(table, TRIPLETS, str(folder)).to_pylist()
    elif "modification_id" in table.column_names:
        rows = _with_pairs(table, artifact, pairs)
    else:
        raise CvrError(f"{folder} was made by {artifact.stage!r} and holds neither triplets nor modification texts.")
    if splits and (unknown := sorted(set(splits) - {row["split"] for row in rows})):
        present = sorted({row["split"] or "none" for row in rows})
        raise CvrError(f"{folder} has no row of split {first_few(unknown)}. {did_you_mean(unknown[0], present)}")
    items = _review_items([row for row in rows if not splits or row["split"] in splits])
    if not items:
        raise CvrError(f"{folder} has no text to review.")
    return Reviewed(artifact, items + (read_gold_for_review(gold) if gold else []))


def read_gold_for_review(path: Path) -> list[ReviewItem]:
    """Return the gold checks of a table with the columns reference_id, target_id, modification and answer.

    Raises:
        CvrError: the file is no such table, or an answer is neither accept nor reject.
    """
    from cvr_data.features.embed_source import read_embed_source

    table, where = read_embed_source(path)
    wanted = ("reference_id", "target_id", "modification", "answer")
    for name in wanted:
        if name not in table.column_names:
            raise CvrError(f"{where}: column {name!r} is missing. {did_you_mean(name, table.column_names)}")
    items = []
    for number, row in enumerate(table.select(wanted).to_pylist(), start=1):
        if empty := [name for name in wanted if not row[name]]:
            raise CvrError(f"{where}, row {number}: column {empty[0]!r} is empty.")
        if row["answer"] not in ("accept", "reject"):
            raise CvrError(f"{where}, row {number}, answer: {row['answer']!r} should be accept or reject.")
        ends = (str(row["reference_id"]), str(row["target_id"]))
        style = f"{GOLD_STYLE} {content_id(str(row['modification']))}"
        items.append(
            ReviewItem(item_id=review_item_id(*ends, style), reference_id=ends[0], target_id=ends[1], style=style,
                       split=None, texts=(str(row["modification"]),), answer=row["answer"])
        )  # fmt: skip
    return list({item.item_id: item for item in items}.values())


def _with_pairs(table: pa.Table, artifact: Artifact, pairs: Path | None) -> list[dict[str, Any]]:
    texts = check_columns(table, MODIFICATIONS, str(artifact.path))
    texts = texts.filter(pc.equal(texts.column("status"), "ok"))
    found = open_artifact(pairs or artifact.input_path("pairs"))
    rows = check_columns(found.read(), PAIRS, str(found.path)).to_pylist()
    by_id = {row["pair_id"]: row for row in rows}
    if missing := [name for name in texts.column("pair_id").to_pylist() if name not in by_id]:
        raise CvrError(f"{found.path} has no pair {first_few(missing)}; pass --pairs with the pairs of the texts.")
    return [{**by_id[row["pair_id"]], **row} for row in texts.to_pylist()]


def _review_items(rows: Sequence[dict[str, Any]]) -> list[ReviewItem]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if (row["modification"] or "").strip():
            groups.setdefault(review_item_id(row["reference_id"], row["target_id"], row["style"]), []).append(row)
    return [_review_item(name, group) for name, group in groups.items()]


def _review_item(name: str, rows: Sequence[dict[str, Any]]) -> ReviewItem:
    first = rows[0]
    return ReviewItem(
        item_id=name,
        reference_id=first["reference_id"],
        target_id=first["target_id"],
        style=first["style"],
        split=first["split"],
        texts=tuple(dict.fromkeys(row["modification"] for row in rows)),
        reference_caption=first["reference_caption"] or "",
        target_caption=first["target_caption"] or "",
        changes=tuple(
            f"{change['before'] or 'nothing'} → {change['after'] or 'nothing'}" for change in first["changes"] or ()
        ),
        scores={score: round(first[score], 4) for score in SCORES if first.get(score) is not None},
    )
