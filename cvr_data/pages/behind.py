"""The triplets behind the numbers of a page: a number is a link to a list of some of them, with their clips.

    lists = TripletLists(triplets, seed=0)
    anchor = lists.link("Style short", rows, "texts")     # "" where there is none
    lists.made                                            # what the page shows at its end

Lists stay out of sight until a link leads to them, and hold at most `SHOWN` triplets each, drawn in one order for the
whole page, so that they have many in common and their clips stay few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.lineage import artifact_funnel
from cvr_data.pages.cards import TripletCard, page_cards
from cvr_data.pages.funnel import words_on_page

SHOWN = 6
"""Triplets that a list shows."""
CARD_COLUMNS = {"triplet_id", "pair_id", "modification", "style", "split", "backend", "text_similarity",
                "visual_similarity", "changes", "reference_id", "target_id", "reference_caption",
                "target_caption"}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Some of the triplets of a list, and how many there are."""

    title: str
    count: int
    cards: list[TripletCard]


@dataclass(frozen=True)
class Behind:
    """What stands behind a number."""

    anchor: str
    title: str
    back: str
    """Anchor of the section where the number stands."""
    parts: list[Part]


@dataclass
class NumberLists:
    """The lists that a page shows, in the order of its numbers."""

    made: list[Behind] = field(default_factory=list)

    def add(self, title: str, parts: Sequence[Part], back: str) -> str:
        """Return the anchor of a new list; nothing where it would be empty."""
        shown = [part for part in parts if part.count]
        if not shown:
            return ""
        self.made.append(Behind(f"behind-{len(self.made) + 1}", title, back, shown))
        return self.made[-1].anchor


class TripletLists:
    """Lists of the rows of one table."""

    def __init__(self, triplets: pa.Table, seed: int = 0, made: NumberLists | None = None):
        self.triplets = triplets
        self.lists = made or NumberLists()
        self.order = np.random.default_rng(seed).permutation(triplets.num_rows)

    @property
    def made(self) -> list[Behind]:
        """The lists so far."""
        return self.lists.made

    @cached_property
    def every(self) -> str:
        """The anchor of a list of all of them."""
        return self.link("All triplets", np.arange(self.triplets.num_rows), "top")

    def link(self, title: str, rows: Sequence[int] | np.ndarray, back: str) -> str:
        """Return the anchor of a list of these rows, each once; nothing where there is none."""
        return self.lists.add(title, [self.part("", rows)], back)

    def part(self, title: str, rows: Sequence[int] | np.ndarray) -> Part:
        """Return some of the rows under a title of their own."""
        distinct = np.unique(np.asarray(rows, np.int64))
        drawn = distinct[np.argsort(self.order[distinct])][:SHOWN]
        return Part(title, len(distinct), page_cards(self.triplets, drawn.tolist()))


def page_links_behind_losses(
    made_of: Sequence[Artifact], lists: NumberLists, seed: int = 0, read: Mapping[Path, pa.Table] | None = None
) -> dict[tuple[str, str, str], str]:
    """Return (folder, step, reason) -> anchor of a list of the pairs or triplets that a step left out for it.

    Args:
        made_of: the artifacts.
        lists: where new lists go.
        seed: of what is drawn.
        read: folder -> its removed rows, where they have been read already.
    """
    found = {}
    for artifact in made_of:
        known = (read or {}).get(artifact.path)
        dropped = artifact.dropped() if known is None else known
        if not {"reference_id", "target_id", "drop_reason", "drop_step"} <= set(dropped.column_names):
            continue
        rows_of = TripletLists(page_card_columns(dropped), seed, lists)
        steps = np.asarray(dropped.column("drop_step").to_pylist())
        reasons = np.asarray(dropped.column("drop_reason").to_pylist(), object)
        for number, step in enumerate(artifact_funnel(artifact.manifest)):
            for reason in sorted(reason for reason, count in step.dropped.items() if count):
                rows = np.flatnonzero((steps == number) & (reasons == reason))
                title = f"Left out by {words_on_page(step.step)}: {words_on_page(reason)}"
                found[str(artifact.path), step.step, reason] = rows_of.link(title, rows, "funnel")
    return found


def page_card_columns(rows: pa.Table) -> pa.Table:
    """Return rows with the columns that a card shows, of which pairs have no text."""
    for name, other in (("triplet_id", "pair_id"), ("modification", "")):
        if name not in rows.column_names:
            rows = rows.append_column(name, rows.column(other) if other else pa.array([""] * rows.num_rows))
    return rows.select([name for name in rows.column_names if name in CARD_COLUMNS])


def page_rows_by_value(values: pa.Array | pa.ChunkedArray, rows: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
    """Return value -> the rows that have it, in order; nulls are none.

    Args:
        values: texts.
        rows: of each value, where that is not its place.
    """
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = whole.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
    places = order if rows is None else rows[order]
    return {value: places[bounds[code] : bounds[code + 1]] for code, value in enumerate(coded.dictionary.to_pylist())}


def page_rows_by_bin(values: np.ndarray, edges: Sequence[float], rows: np.ndarray | None = None) -> list[np.ndarray]:
    """Return the rows whose value lies between two neighbouring edges, as a histogram counts them; NaN nowhere."""
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    bins[~((values >= edges[0]) & (values <= edges[-1]))] = -1
    places = np.arange(len(values)) if rows is None else rows
    return [places[bins == number] for number in range(len(edges) - 1)]
