"""Counts of triplets that add up, so that a dataset of any size is counted part by part: facts, then counts.

    triplet_facts(triplets), triplet_facts_of_videos(videos)   what a part says: name, split, value, how often
    triplet_counts(facts)                                      of all facts of the values that met here: summands

Facts of one value meet by its hash. All are integers (similarities and seconds in ten-thousandths), so their sums
are the same in any order and for any cut into parts.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import hash_bucket_keys
from cvr_data.language.stop_words import EDIT_WORDS
from cvr_data.language.words import content_words, words_of
from cvr_data.tables import SPLITS
from cvr_data.triplets.likeness import OTHER as UNLISTED
from cvr_data.triplets.likeness import human_triplet_texts

TOP = 20
"""How many of the most frequent changes, texts and words are listed."""
STEPS = 10_000
"""Of a similarity or second that are told apart."""
LISTED = ("triplets", "style", "source_of_text", "change_kind", "change_slot", "words_per_text", "text_similarity",
          "visual_similarity", "with_frame_scores", "without_change", "first_words", "words", "vague",
          "composition")  # fmt: skip
"""Of each value is told how often it is there; of others, how many values there are."""
SPREAD = ("query", "target", "text")
"""Also how many values are there once, twice, ..."""
SHARED = ("video", "group", "text")
"""Also how many values two splits share."""
RANKED = ("text", "change")
"""Also the most frequent values."""
SOURCE, SECONDS = "source_of_video", "seconds_of_video"
"""Facts of videos, which count where triplets use these."""
FACTS = pa.schema(
    [("name", pa.string()), ("split", pa.int8()), ("key", pa.uint64()), ("value", pa.string()), ("count", pa.int64())]
)
COUNTS = pa.schema([("scope", pa.string()), ("name", pa.string()), ("value", pa.string()), ("count", pa.int64())])
OTHER = len(SPLITS)
"""Number of a split that is none."""
SCOPES = ("all", *SPLITS)


def triplet_facts(config: Any, triplets: pa.Table) -> pa.Table:
    """Return what triplets say, each value of each split once."""
    splits = pc.fill_null(pc.index_in(triplets.column("split"), pa.array(SPLITS)), OTHER).to_numpy().astype(np.int8)
    found = [_facts(*fact) for fact in (*_of_rows(triplets, splits), *_of_texts(triplets, splits))]
    found += [_facts(*fact) for fact in _of_changes(triplets, splits)]
    return pa.concat_tables(found)


def triplet_facts_of_videos(config: Any, videos: pa.Table) -> pa.Table:
    """Return where videos come from, with their licence, and how long they last."""
    of_licence = pc.binary_join_element_wise(videos.column("source"), videos.column("licence"), "\n")
    sources = pc.coalesce(of_licence, videos.column("source")).combine_chunks()  # without a licence: the source alone
    seconds = triplet_values_in_steps(videos.column("duration_s"))
    is_known = pc.is_valid(seconds)
    keys = hash_bucket_keys(videos.column("video_id"))
    zeros = np.zeros(videos.num_rows, np.int64)
    return pa.concat_tables(
        [
            _table(SOURCE, zeros, keys, sources, zeros),
            _table(SECONDS, zeros, keys, pa.nulls(len(keys), pa.string()), seconds.fill_null(0)).filter(is_known),
        ]
    )


def triplet_facts_by_value(config: Any, facts: pa.Table) -> np.ndarray:
    """Return what facts meet by."""
    return facts.column("key").to_numpy()


def triplet_counts(config: Any, facts: pa.Table) -> pa.Table:
    """Return what there is to count of these values, of each split (`scope`) and of all triplets."""
    rows: list[tuple[str, str, str, int]] = []
    for name in pc.unique(facts.column("name")).to_pylist():
        if name in (SOURCE, SECONDS):
            continue
        met = _Met(facts.filter(pc.equal(facts.column("name"), name)))
        rows += [("all", f"{name}.shared", *said) for said in (met.shared() if name in SHARED else ())]
        about = _VideoFacts(met.keys, facts) if name == "video" else None
        for scope, counts in met.scopes():
            rows += [(scope, *said) for said in _said(name, met.values, counts)]
            rows += [(scope, *said) for said in (about.said(counts > 0) if about else ())]
    columns: Any = zip(*rows, strict=True) if rows else [[]] * len(COUNTS)
    return pa.table([pa.array(column, field.type) for field, column in zip(COUNTS, columns, strict=True)], COUNTS)


def summed_triplet_counts(config: Any, counts: pa.Table) -> pa.Table:
    """Return the sum of each count."""
    names = ["scope", "name", "value"]
    return counts.group_by(names).aggregate([("count", "sum")]).rename_columns(COUNTS.names).sort_by(
        [(name, "ascending") for name in names]
    )  # fmt: skip


def triplet_values_in_steps(values: pa.ChunkedArray) -> pa.Array:
    """Return similarities or seconds as whole numbers of ten-thousandths; NaN is unknown."""
    numbers = pc.round(pc.multiply(values.cast(pa.float64()), float(STEPS)))
    return pc.if_else(pc.is_finite(numbers), numbers, None).cast(pa.int64()).combine_chunks()


class _Met:
    """The facts of one name: how often each value is in each split."""

    def __init__(self, facts: pa.Table):
        self.keys, first, places = np.unique(facts.column("key").to_numpy(), return_index=True, return_inverse=True)
        self.values = facts.column("value").take(pa.array(first))
        self.counts = np.zeros((len(self.keys), OTHER + 1), np.int64)
        np.add.at(self.counts, (places, facts.column("split").to_numpy()), facts.column("count").to_numpy())

    def scopes(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield how often each value is there, in all and in each split."""
        yield "all", self.counts.sum(axis=1)
        yield from zip(SPLITS, self.counts.T[:OTHER], strict=True)

    def shared(self) -> Iterator[tuple[str, int]]:
        """Yield how many values two splits share."""
        for (a, first), (b, second) in combinations(zip(SPLITS, self.counts.T[:OTHER] > 0, strict=True), 2):
            yield f"{a}-{b}", int((first & second).sum())


class _VideoFacts:
    """What is known of the videos of these keys; of a video that is there twice, what comes first."""

    def __init__(self, keys: np.ndarray, facts: pa.Table):
        self.facts = []
        for name in (SOURCE, SECONDS):
            found = facts.filter(pc.equal(facts.column("name"), name))
            known, first = np.unique(found.column("key").to_numpy(), return_index=True)
            is_used = np.isin(known, keys)
            values = found.take(pa.array(first[is_used]))
            texts = values.column("value" if name == SOURCE else "count").cast(pa.string())
            self.facts.append((name, np.searchsorted(keys, known[is_used]), texts))

    def said(self, is_used: np.ndarray) -> Iterator[tuple[str, str, int]]:
        """Yield name, value and number of the videos that are used."""
        for name, places, texts in self.facts:
            for entry in pc.value_counts(texts.filter(pa.array(is_used[places]))).to_pylist():
                yield name, entry["values"], entry["counts"]


def _said(name: str, values: pa.ChunkedArray, counts: np.ndarray) -> Iterator[tuple[str, str, int]]:
    """Yield name, value and number of what is told of values that are there so often."""
    present = counts[counts > 0]
    if name not in LISTED:
        yield f"{name}.distinct", "", len(present)
    if name in SPREAD:
        for times, number in zip(*np.unique(present, return_counts=True), strict=True):
            yield f"{name}.spread", str(times), int(number)
    if name in LISTED or name in RANKED:
        listed = pa.table({"value": values.filter(pa.array(counts > 0)), "count": present})
        order = [("count", "descending"), ("value", "ascending")]
        best = listed if name in LISTED else pc.select_k_unstable(listed, TOP, sort_keys=order)
        best = best if isinstance(best, pa.Table) else listed.take(best)
        for value, count in zip(best.column("value").to_pylist(), best.column("count").to_pylist(), strict=True):
            yield name if name in LISTED else f"{name}.top", value, count


Fact = tuple[str, np.ndarray, pa.Array | pa.ChunkedArray]
"""Name, split of each value, and the values, of which nulls are none."""


def _of_rows(triplets: pa.Table, splits: np.ndarray) -> Iterator[Fact]:
    nothing = pa.scalar(None, pa.string())
    yield "triplets", splits, pa.repeat("", len(splits))
    for name, column in (("query", "query_id"), ("reference", "reference_id"), ("target", "target_id")):
        yield name, splits, triplets.column(column)
    for name, column in (("video", "id"), ("group", "group_id")):
        ends = [triplets.column(f"{end}_{column}").combine_chunks() for end in ("reference", "target")]
        yield name, np.tile(splits, 2), pa.concat_arrays(ends)
    yield "style", splits, pc.fill_null(triplets.column("style"), "unknown")
    yield "source_of_text", splits, triplet_text_makers(triplets)
    for name in ("text_similarity", "visual_similarity"):
        if name in triplets.column_names:
            yield name, splits, triplet_values_in_steps(triplets.column(name)).cast(pa.string())
    if "composition" in triplets.column_names:
        yield "composition", splits, triplets.column("composition")
    yield "with_frame_scores", splits, pc.if_else(pc.is_valid(triplets.column("frame_scores")), "", nothing)


def _of_texts(triplets: pa.Table, splits: np.ndarray) -> Iterator[Fact]:
    texts = triplets.column("modification").combine_chunks().dictionary_encode()
    words = [words_of(text) for text in texts.dictionary.to_pylist()]
    codes = texts.indices.to_numpy()
    yield "text", splits, triplets.column("modification")
    lengths = np.array([len(found) for found in words], np.int64)
    yield "words_per_text", splits, pa.array(lengths[codes]).cast(pa.string())
    places, splits_of_place = np.divmod(np.unique(codes.astype(np.int64) * len(SCOPES) + splits), len(SCOPES))
    flat = pa.array([word for place in places.tolist() for word in words[place]], pa.string())
    yield "word", np.repeat(splits_of_place, lengths[places]), flat
    yield from _of_wording(words, codes, splits)


def _of_wording(words: Sequence[Sequence[str]], codes: np.ndarray, splits: np.ndarray) -> Iterator[Fact]:
    """What is compared with people's texts, of words that these have, and the texts that name nothing."""
    human = human_triplet_texts()
    first = [found[0] if found and found[0] in human["first_words"] else UNLISTED for found in words]
    yield "first_words", splits, pa.array(first, pa.string()).take(pa.array(codes))
    lengths = np.array([len(found) for found in words], np.int64)
    known = pa.array([word if word in human["words"] else UNLISTED for found in words for word in found], pa.string())
    starts = np.append(0, np.cumsum(lengths))[codes]
    within = np.arange(lengths[codes].sum()) - np.repeat(np.cumsum(lengths[codes]) - lengths[codes], lengths[codes])
    yield "words", np.repeat(splits, lengths[codes]), known.take(pa.array(np.repeat(starts, lengths[codes]) + within))
    is_vague = pa.array(map(is_vague_triplet_text, words), pa.bool_())
    yield "vague", splits, pc.if_else(is_vague.take(pa.array(codes)), "", pa.scalar(None, pa.string()))


def _of_changes(triplets: pa.Table, splits: np.ndarray) -> Iterator[Fact]:
    lists = triplets.column("changes").combine_chunks()
    changes = pc.list_flatten(lists)
    of_change = splits[pc.list_parent_indices(lists).to_numpy()]
    kind, slot, before, after = (
        pc.fill_null(pc.struct_field(changes, name), "") for name in ("kind", "slot", "before", "after")
    )
    for name, values in (("change_kind", kind), ("change_slot", slot)):
        yield name, of_change, pc.if_else(pc.equal(values, ""), "unknown", values)
    yield "change", of_change, pc.binary_join_element_wise(before, after, " -> ")
    has_none = pc.equal(pc.fill_null(pc.list_value_length(lists), 0), 0)
    yield "without_change", splits, pc.if_else(has_none, "", pa.scalar(None, pa.string()))


def is_vague_triplet_text(words: Sequence[str]) -> bool:
    """Return whether the words of a text name nothing beyond the edit itself."""
    return all(word in EDIT_WORDS for word in content_words(words))


def triplet_text_makers(triplets: pa.Table) -> pa.ChunkedArray:
    """Return backend and model of each text as one name."""
    backend, model = (pc.fill_null(triplets.column(name), "") for name in ("backend", "model"))
    both = pc.binary_join_element_wise(backend, model, " ")
    same_or_none = pc.or_(pc.equal(backend, model), pc.equal(model, ""))
    named = pc.if_else(same_or_none, backend, pc.if_else(pc.equal(backend, ""), model, both))
    return pc.if_else(pc.equal(named, ""), "unknown", named)


def _facts(name: str, splits: np.ndarray, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return each known value of each split once, with how often it is there."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    keys, is_known = hash_bucket_keys(whole), pc.is_valid(whole).to_numpy(zero_copy_only=False)
    tables = [_table(name, *(np.zeros(0, np.int64),) * 2, pa.nulls(0, pa.string()), np.zeros(0, np.int64))]
    for split in np.unique(splits):
        rows = np.flatnonzero(is_known & (splits == split))
        found, first, counts = np.unique(keys[rows], return_index=True, return_counts=True)
        is_told = name in LISTED or name in RANKED
        told = whole.take(pa.array(rows[first])) if is_told else pa.nulls(len(found), pa.string())
        tables.append(_table(name, np.full(len(found), split), found, told, counts))
    return pa.concat_tables(tables)


def _table(name: str, splits: np.ndarray, keys: np.ndarray, values: Any, counts: Any) -> pa.Table:
    columns = [pa.repeat(name, len(keys)), splits, keys, values, counts]
    return pa.table([pa.array(column).cast(field.type) if isinstance(column, np.ndarray) else column
                     for column, field in zip(columns, FACTS, strict=True)], FACTS)  # fmt: skip
