"""Triplets as a page shows them: two videos with their captions, the text, the changes and facts in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.media.clip import Clip
from cvr_data.media.places import clips_of


@dataclass(frozen=True)
class TripletCard:
    """One triplet as a reader sees it."""

    triplet_id: str
    reference_id: str
    reference_caption: str
    modification: str
    target_id: str
    target_caption: str
    changes: list[str]
    facts: list[str]


def random_page_cards(triplets: pa.Table, *, count: int, seed: int) -> list[TripletCard]:
    """Return `count` triplets drawn at random, in the order drawn."""
    generator = np.random.default_rng(seed)
    chosen = generator.choice(triplets.num_rows, size=min(count, triplets.num_rows), replace=False)
    return page_cards(triplets, chosen.tolist())


def page_cards(triplets: pa.Table, rows: Sequence[int], more: Sequence[str] | None = None) -> list[TripletCard]:
    """Return the triplets of those rows, in that order, each with one more fact if there are `more`."""
    cards = [_card_of_triplet(row) for row in triplets.take(pa.array(rows, pa.int64())).to_pylist()]
    if more is None:
        return cards
    return [replace(card, facts=[*card.facts, fact]) for card, fact in zip(cards, more, strict=True)]


def media_on_page(videos: pa.Table | None) -> dict[str, Clip]:
    """Return video_id -> clip, of the videos that have a file; paths are absolute."""
    return {} if videos is None else clips_of(videos, Path())


def captions_on_page(triplets: pa.Table, videos: pa.Table | None) -> dict[str, str]:
    """Return video_id -> its first caption, or the one that made it part of a triplet."""
    captions: dict[str, str] = {}
    for end in ("reference", "target"):
        columns = (triplets.column(f"{end}_{name}").to_pylist() for name in ("id", "caption"))
        captions.update((name, caption) for name, caption in zip(*columns, strict=True) if caption)
    if videos is not None:
        columns = (videos.column(name).to_pylist() for name in ("video_id", "captions"))
        captions.update((name, listed[0]) for name, listed in zip(*columns, strict=True) if listed)
    return captions


def _card_of_triplet(row: dict[str, Any]) -> TripletCard:
    facts = [f"{name} {row[name]}" for name in ("split", "style", "backend") if row.get(name)]
    if row.get("text_similarity") is not None:
        facts.append(f"caption similarity {row['text_similarity']:.2f}")
    if row.get("visual_similarity") is not None:
        facts.append(f"visual similarity {row['visual_similarity']:.2f}")
    return TripletCard(
        triplet_id=row["triplet_id"],
        reference_id=row["reference_id"],
        reference_caption=row["reference_caption"] or "",
        modification=row["modification"],
        target_id=row["target_id"],
        target_caption=row["target_caption"] or "",
        changes=[
            f"{change['before'] or 'nothing'} → {change['after'] or 'nothing'} "
            f"({change['slot'] or change['kind'] or 'change'})"
            for change in row["changes"] or []
        ],
        facts=facts,
    )
