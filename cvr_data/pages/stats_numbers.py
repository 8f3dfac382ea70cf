"""The numbers of the stats page as links: which triplets are behind each, as `triplets/counting.py` counts them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.words import words_of
from cvr_data.pages.behind import TripletLists, page_rows_by_value
from cvr_data.triplets.counting import is_vague_triplet_text, triplet_text_makers
from cvr_data.triplets.likeness import SHARED_BY

Linked = list[tuple[str, str]]
"""Words, each with the anchor of what is behind them, or nothing."""
Rows = Mapping[str, np.ndarray]


class RowsOfTriplets:
    """Which rows of a table of triplets have a value of something."""

    def __init__(self, triplets: pa.Table):
        self.triplets = triplets
        self.all = np.arange(triplets.num_rows)

    def of(self, name: str) -> Rows:
        """Return value -> rows of a column."""
        return page_rows_by_value(self.triplets.column(name))

    @cached_property
    def style(self) -> Rows:
        """By style of the text."""
        return page_rows_by_value(pc.fill_null(self.triplets.column("style"), "unknown"))

    @cached_property
    def source_of_text(self) -> Rows:
        """By backend and model."""
        return page_rows_by_value(triplet_text_makers(self.triplets))

    @cached_property
    def changes(self) -> dict[str, Rows]:
        """By kind and slot of a change, and by the change itself."""
        lists = self.triplets.column("changes").combine_chunks()
        flat, rows = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
        kind, slot, before, after = (
            pc.fill_null(pc.struct_field(flat, name), "") for name in ("kind", "slot", "before", "after")
        )
        named = [pc.if_else(pc.equal(values, ""), "unknown", values) for values in (kind, slot)]
        both = pc.binary_join_element_wise(before, after, " -> ")
        return {
            name: page_rows_by_value(values, rows)
            for name, values in (("kinds", named[0]), ("slots", named[1]), ("change", both))
        }

    @cached_property
    def ends(self) -> tuple[pa.Array, np.ndarray]:
        """The videos of both ends, and the row of each."""
        ids = [self.triplets.column(f"{end}_id").combine_chunks() for end in ("reference", "target")]
        return pa.concat_arrays(ids), np.tile(self.all, 2)

    @cached_property
    def several_targets(self) -> np.ndarray:
        """Rows whose query has several targets."""
        return _repeated(self.triplets.column("query_id"), 2)

    @cached_property
    def shared_texts(self) -> np.ndarray:
        """Rows whose text many share."""
        return _repeated(self.triplets.column("modification"), SHARED_BY)

    @cached_property
    def vague(self) -> np.ndarray:
        """Rows whose text names nothing."""
        texts = self.triplets.column("modification").combine_chunks().dictionary_encode()
        is_vague = [is_vague_triplet_text(words_of(text)) for text in texts.dictionary.to_pylist()]
        return np.flatnonzero(np.array(is_vague, bool)[texts.indices.to_numpy()]) if is_vague else self.all[:0]

    def of_videos(self, videos: pa.Table | None, name: str) -> Rows:
        """Return value -> rows with a video that has it in a column of the videos table."""
        if videos is None:
            return {}
        ids, rows = self.ends
        places = pc.index_in(ids, videos.column("video_id").combine_chunks())
        is_known = pc.is_valid(places)
        values = pc.fill_null(videos.column(name).combine_chunks().take(places.filter(is_known)), "unknown")
        return page_rows_by_value(values, rows[is_known.to_numpy(zero_copy_only=False)])

    @cached_property
    def with_duplicates(self) -> np.ndarray:
        """Rows with a video that has near-duplicates among the others."""
        groups, rows = self._of_ends("groups")
        pairs = (
            pa.table({"group": groups, "id": self.ends[0]}).group_by(["group"]).aggregate([("id", "count_distinct")])
        )
        several = pairs.filter(pc.greater(pairs.column("id_count_distinct"), 1)).column("group").drop_null()
        return rows[pc.is_in(groups, several.combine_chunks()).to_numpy(zero_copy_only=False)]

    def shared(self, name: str, pair: str) -> np.ndarray:
        """Return the rows of two splits (`train-test`) whose videos, groups or texts both have."""
        values, rows = self._of_ends(name)
        codes = values.dictionary_encode().indices.fill_null(-1).to_numpy()
        splits = np.asarray(self.triplets.column("split").to_pylist(), object)[rows]
        is_in = [(splits == split) & (codes >= 0) for split in pair.split("-")]
        both = np.intersect1d(*(codes[each] for each in is_in))
        return rows[(is_in[0] | is_in[1]) & np.isin(codes, both)]

    def _of_ends(self, name: str) -> tuple[pa.Array, np.ndarray]:
        if name == "texts":
            return self.triplets.column("modification").combine_chunks(), self.all
        if name == "videos":
            return self.ends
        groups = [self.triplets.column(f"{end}_group_id").combine_chunks() for end in ("reference", "target")]
        return pa.concat_arrays(groups), np.tile(self.all, 2)


def _repeated(values: pa.ChunkedArray, least: int) -> np.ndarray:
    codes = values.combine_chunks().dictionary_encode().indices.to_numpy()
    return np.flatnonzero(np.bincount(codes)[codes] >= least) if len(codes) else np.zeros(0, np.int64)


def html_linked_counts(
    counts: Mapping[str, int] | None, rows: Rows, lists: TripletLists, title: str, back: str
) -> Linked:
    """Return `rules 10, truth 3` with a link at each number."""
    if counts is None:
        return [("unknown", "")]
    pieces: Linked = []
    for name, count in counts.items():
        pieces += [(f"{', ' if pieces else ''}{name} ", ""),
                   (f"{count:,}", lists.link(f"{title} {name}", rows.get(name, ()), back))]  # fmt: skip
    return pieces or [("none", "")]


def triplet_facts(numbers: Mapping[str, Any], rows: RowsOfTriplets, lists: TripletLists) -> list[tuple[str, Linked]]:
    """Return how many triplets and queries there are, the first facts of every page about triplets."""
    whole = numbers["all"]
    by_split = {split: found["triplets"] for split, found in numbers["splits"].items()}
    several = lists.link("Queries with several targets", rows.several_targets, "top")
    return [
        ("Triplets", [(f"{whole['triplets']:,}", lists.every)]),
        ("By split", html_linked_counts(by_split, rows.of("split"), lists, "Split", "top")),
        (
            "Queries",
            [(f"{whole['queries']:,}", lists.every), (", ", ""),
             (f"{whole['queries_with_several_targets']:,}", several), (" with several targets", "")],
        ),
    ]  # fmt: skip


def stats_page_facts(numbers: Mapping[str, Any], rows: RowsOfTriplets, lists: TripletLists) -> list[tuple[str, Linked]]:
    """Return the first facts of the page."""
    whole = numbers["all"]
    duplicates = lists.link("With near-duplicates of their videos", rows.with_duplicates, "top")
    return [
        *triplet_facts(numbers, rows, lists),
        ("Videos", [(f"{whole['videos']:,}", lists.every)]),
        ("Near-duplicate groups", [(f"{whole['groups']:,}", duplicates) if whole["groups"] else ("unknown", "")]),
        ("Distinct texts", [(f"{whole['texts']:,}", lists.every), (f", of {whole['words']:,} words", "")]),
    ]


def html_linked_splits(splits: Sequence[str], rows: RowsOfTriplets, lists: TripletLists) -> dict[str, dict[str, str]]:
    """Return split -> anchors behind its triplets (`all`), and behind its queries with several targets (`several`)."""
    of_split = rows.of("split")
    return {
        split: {
            "all": lists.link(f"Split {split}", of_split.get(split, ()), "splits"),
            "several": lists.link(
                f"Split {split}: queries with several targets",
                np.intersect1d(of_split.get(split, ()), rows.several_targets), "splits",
            ),
        }
        for split in splits
    }  # fmt: skip


def html_linked_leaks(leaks: Mapping[str, Any], rows: RowsOfTriplets, lists: TripletLists) -> dict[str, dict[str, Any]]:
    """Return what two splits share, each number with its anchor; None where it is unknown."""
    return {
        name: counts and {
            pair: (count, lists.link(f"{name.capitalize()} shared by {pair}", rows.shared(name, pair), "splits"))
            for pair, count in counts.items()
        }
        for name, counts in leaks.items()
    }  # fmt: skip


def html_linked_generic(found: Mapping[str, Any] | None, rows: RowsOfTriplets, lists: TripletLists) -> Linked:
    """Return how many triplets have a generic text, in percent."""
    if found is None:
        return [("unknown", "")]
    shared = lists.link(f"Texts that {found['shared_by']} or more share", rows.shared_texts, "worth")
    vague = lists.link("Texts that name nothing", rows.vague, "worth")
    many = f" of triplets have a text that {found['shared_by']} or more share, "
    return [
        (f"{found['shared']:g} %", shared), (many, ""), (f"{found['vague']:g} %", vague), (" name nothing", ""),
    ]  # fmt: skip
