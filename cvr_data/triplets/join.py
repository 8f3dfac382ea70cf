"""Join modification texts with their pairs into triplets: drop, de-duplicate, cap, keep the splits apart.

    modifications (ok) ─┬─▶ triplets     dropped, in this order: the text's own first reason (rejected or error), empty,
    pairs ──────────────┘                pair_not_found, reference_is_target, straddles_splits, too_many_answers,
                                         duplicate, over_target_cap, over_text_cap, not_of_test_source,
                                         shares_test_video

Texts and pairs meet by pair; what looks at all triplets asks by claims of a few numbers. Rows that share `query_id` are
one query with several targets. A text of two sources, word for word the same for the same two videos, is one triplet:
it stays with the folder that comes first, there with the lowest modification_id.

Where some folders alone give the test triplets, all their pairs are test, whatever split they had. Of the others, test
triplets are dropped as `not_of_test_source`, and those that use a video of a test triplet, a near-duplicate, the same
file or a clip of the same recording, whichever corpus it comes from, as `shares_test_video`.
"""

from dataclasses import dataclass
from itertools import starmap
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import KeyedStep, Side, Step
from cvr_data.tables import MODIFICATIONS, PAIRS, SPLITS, TRIPLETS, query_id, triplet_id
from cvr_data.triplets.claims import (
    FOLDER,
    IS_TEST,
    Keys,
    rank_triplet_claims,
    triplet_claims,
    triplet_dropping_step,
    triplet_keys_of_tests,
)
from cvr_data.triplets.sources_of_tests import steps_of_test_sources

VERSION = 5
TEXT_COLUMNS = ("modification_id", "pair_id", "modification", "style", "backend", "model", "status", "reasons")
KEPT_APART = "splits"
"""Name of the step after which no triplet straddles; there the further answers are listed (`triplets.answers`)."""
FURTHER = "review"
"""Strategy of a pair whose target a person found to be correct too; one that was mined counts before it."""
OF_PAIR = "pair."
"""Before the names of pairs' columns, where texts and pairs are one table."""
ORDER = ("split", "reference_id", "modification", "target_id", "modification_id")


@dataclass(frozen=True, kw_only=True)
class Config:
    max_per_target: int = 0
    """Triplets that may share a target, within a split and a source of texts (style, backend); 0 is no limit."""
    max_per_text: int = 0
    """Triplets that may share a text, likewise; a frequent text is a short cut. 0 is no limit."""
    max_answers: int = 50
    """A val or test query lists all videos of its split that have its target's caption; one with more than so many is
    dropped. 0: as they were mined."""
    composition_k: int = 0
    """`--require composition` drops a query that one input alone has among so many best; 0: one in a hundred."""
    default_split: Literal["train", "val", "test"] = "train"
    """Split of pairs that carry none (no split by the corpus, and `cvr split` was not run)."""

    def __post_init__(self):
        for name in ("max_per_target", "max_per_text", "max_answers", "composition_k"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (no limit) or more, got {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class SourceFolder:
    """A folder that rows are read from."""

    path: str
    number: int
    """Among the folders of texts."""
    is_test: bool = False


def texts_to_join(source: SourceFolder, part: pa.Table) -> pa.Table:
    """Return modifications as what meets pairs."""
    texts = check_columns(part, pa.schema([MODIFICATIONS.field(name) for name in TEXT_COLUMNS]), source.path)
    texts = texts.select(TEXT_COLUMNS)
    texts = texts.append_column(FOLDER, pa.array(np.full(texts.num_rows, source.number, np.int32)))
    return texts.append_column(IS_TEST, _all(texts, source.is_test))


def pairs_to_join(source: SourceFolder, part: pa.Table) -> pa.Table:
    """Return pairs as what meets texts."""
    pairs = check_columns(part, PAIRS, source.path)
    if source.is_test:
        pairs = with_column(pairs, PAIRS.field("split"), ["test"] * pairs.num_rows)
    return packed_pairs_to_join(pairs, _all(pairs, source.is_test))


def packed_pairs_to_join(pairs: pa.Table, is_test: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return pairs with columns that none of texts' has the name of, but for those that they meet by."""
    named = pairs.rename_columns([OF_PAIR + name for name in pairs.column_names])
    return named.append_column("pair_id", pairs.column("pair_id")).append_column(IS_TEST, is_test)


def joined_texts_and_pairs(bucket: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the texts and the pairs that met, pairs under their own names and with IS_TEST."""
    is_text = pc.is_valid(bucket.column(FOLDER))
    pairs = bucket.filter(pc.invert(is_text))
    names = [name for name in bucket.column_names if name.startswith(OF_PAIR)]
    unpacked = pairs.select([*names, IS_TEST]).rename_columns([*(name[len(OF_PAIR) :] for name in names), IS_TEST])
    return bucket.filter(is_text).select([*TEXT_COLUMNS, FOLDER, IS_TEST]), unpacked


def triplets_join_key(config: Any, rows: pa.Table) -> np.ndarray:
    """Return what texts and pairs meet by."""
    return hash_bucket_keys(rows.column("pair_id"))


def _pair_names(rows: pa.Table) -> pa.ChunkedArray:
    """Return the pair of each row, those of test sources apart."""
    return pc.binary_join_element_wise(rows.column(IS_TEST).cast(pa.string()), rows.column("pair_id"), " ")


def triplet_steps(config: Config, *, tests_kin: Side | None) -> list[Step]:
    """Return the steps from texts and pairs that met to triplets; the first is the join.

    Args:
        config: the caps.
        tests_kin: where some folders alone give the tests, a side of which videos of all corpora are kin.

    Caps keep the visually most similar pairs first, then the lowest pair_id, so that they keep the same pairs of every
    source of texts.
    """
    found: list[Step] = [
        KeyedStep(
            name="join", run=join_triplets, key=triplets_join_key, config=config, makes_rows=True, is_counted=False
        ),
        Step(name="texts", run=_drop_unusable),
        triplet_dropping_step(KEPT_APART, "straddles_splits", _video_claims, _less_protected),
        triplet_dropping_step("duplicates", "duplicate", _triplet_claims, _repeated),
    ]
    for column, most in (("target_id", config.max_per_target), ("modification", config.max_per_text)):
        if most:
            cap = _Cap(column, most, "over_target_cap" if column == "target_id" else "over_text_cap")
            found.append(triplet_dropping_step(cap.reason, cap.reason, _cap_claims, _over_cap, config=cap, per_value=4))
    if tests_kin is not None:
        found += steps_of_test_sources(tests_kin)
    return found


def join_triplets(config: Config, bucket: pa.Table) -> pa.Table:
    """Return the columns of a triplet for every text; those of an unknown pair are null.

    Raises:
        CvrError: a pair is in two splits, or in one that is none.
    """
    texts, pairs = joined_texts_and_pairs(bucket)
    is_further = pc.equal(pairs.column("strategy"), FURTHER)
    mined, further = pairs.filter(pc.invert(is_further)), pairs.filter(is_further)
    pairs = pa.concat_tables([mined, further])
    names = pa.concat_arrays([_checked_names(mined), _pair_names(further).combine_chunks()])
    found = pairs.take(pc.index_in(_pair_names(texts), names))
    split = pc.fill_null(found.column("split"), config.default_split)
    if unknown := sorted(set(split.to_pylist()) - set(SPLITS)):
        raise CvrError(f"pairs: unknown split {first_few(map(repr, unknown))}; allowed: {', '.join(SPLITS)}.")
    columns = {name: found.column(name) for name in TRIPLETS.names if name in PAIRS.names}
    columns |= {name: texts.column(name) for name in TRIPLETS.names if name in TEXT_COLUMNS} | {"split": split}
    words = pc.fill_null(columns["modification"], "").to_pylist()
    ends = [pc.fill_null(columns[name], "").to_pylist() for name in ("reference_id", "target_id")]
    columns["triplet_id"] = pa.array(map(triplet_id, ends[0], words, ends[1]), pa.string())
    columns["query_id"] = pa.array(starmap(query_id, zip(ends[0], words, strict=True)), pa.string())
    columns["frame_scores"] = pa.nulls(len(words), TRIPLETS.field("frame_scores").type)
    own = {*PAIRS.names, *TRIPLETS.names, "drop_reason", "drop_detail", IS_TEST}
    scores = {name: found.column(name) for name in pairs.column_names if name not in own}
    of_texts = {name: texts.column(name) for name in ("status", "reasons", FOLDER, IS_TEST)}
    return pa.table({name: columns[name] for name in TRIPLETS.names} | scores | of_texts)


def _checked_names(pairs: pa.Table) -> pa.Array:
    """Return `_pair_names` of pairs, of which the first of a name counts. Raises CvrError: a pair is in two splits."""
    names = _pair_names(pairs).combine_chunks()
    first = pairs.column("split").take(pc.index_in(names, names))
    splits = [pc.fill_null(column, "") for column in (first, pairs.column("split"))]
    for row in np.flatnonzero(pc.not_equal(*splits).to_numpy())[:1].tolist():
        found = [column[row].as_py() for column in (pairs.column("pair_id"), first, pairs.column("split"))]
        raise CvrError(f"Pair {found[0]} is in split {found[1]!r} and in {found[2]!r}; use one pairs folder.")
    return names


def _drop_unusable(config: Any, rows: pa.Table) -> pa.Table:
    """Drop texts that are not ok, say nothing, or whose pair is not there or none."""
    status = rows.column("status").combine_chunks()
    bad = np.flatnonzero(pc.not_equal(status, "ok").to_numpy(zero_copy_only=False))
    reasons: list[str | None] = [None] * rows.num_rows
    bad_rows = rows.select(["status", "reasons"]).take(pa.array(bad))
    own = zip(bad_rows.column("status").to_pylist(), bad_rows.column("reasons").to_pylist(), strict=True)
    for row, (state, listed) in zip(bad.tolist(), own, strict=True):
        reasons[row] = (listed or [state])[0]
    rows = rows.drop_columns(["status", "reasons"]).append_column("drop_reason", pa.array(reasons, pa.string()))
    said = pc.utf8_trim_whitespace(pc.fill_null(rows.column("modification"), ""))
    rows = mark(rows, pc.equal(said, ""), "empty")
    rows = mark(rows, pc.is_null(rows.column("reference_id")), "pair_not_found")
    return mark(rows, pc.equal(rows.column("reference_id"), rows.column("target_id")), "reference_is_target")


def _video_claims(config: Any, rows: pa.Table) -> pa.Table:
    """Return a claim of each row on its two videos, or on the near-duplicate groups where these are known."""
    keys: Keys = []
    for end in ("reference", "target"):
        groups, videos = (rows.column(f"{end}_{what}") for what in ("group_id", "id"))
        is_grouped = pc.greater(pc.binary_length(pc.fill_null(groups, "")), 0)
        named = pc.if_else(is_grouped, _joined("group", groups), _joined("video", videos))
        keys.append(triplet_keys_of_tests(rows, hash_bucket_keys(named)))
    level = pc.index_in(rows.column("split"), pa.array(SPLITS)).to_numpy().astype(np.int8)
    return triplet_claims(keys, rows, {"level": level})


def _less_protected(config: Any, claims: pa.Table) -> pa.Table:
    """Return the claims on what a more protected split uses too."""
    _, codes = np.unique(claims.column("key").to_numpy(), return_inverse=True)
    level = claims.column("level").to_numpy()
    highest = np.zeros(codes.max(initial=-1) + 1, level.dtype)
    np.maximum.at(highest, codes, level)
    return claims.select(["row", PIECE]).filter(pa.array(level < highest[codes]))


def _triplet_claims(config: Any, rows: pa.Table) -> pa.Table:
    names = (FOLDER, "modification_id")
    return triplet_claims(
        [triplet_keys_of_tests(rows, hash_bucket_keys(rows.column("triplet_id")))],
        rows,
        {n: rows.column(n) for n in names},
    )


def _repeated(config: Any, claims: pa.Table) -> pa.Table:
    """Return all claims of a triplet but the first."""
    ranked = rank_triplet_claims(claims, ((FOLDER, "ascending"), ("modification_id", "ascending")))
    return ranked.filter(pc.greater(ranked.column("place"), 0)).select(["row", PIECE])


@dataclass(frozen=True)
class _Cap:
    column: str
    most: int
    reason: str


def _cap_claims(cap: _Cap, rows: pa.Table) -> pa.Table:
    """Return a claim of each row on its split, style, backend and value of the column."""
    key = np.zeros(rows.num_rows, np.uint64)
    for name in ("split", "style", "backend", cap.column):
        key = mix_hash_bits(key + hash_bucket_keys(rows.column(name)))
    similarity = pc.fill_null(rows.column("visual_similarity"), -2.0)
    ids = {name: rows.column(name) for name in ("pair_id", "modification_id")}
    return triplet_claims([triplet_keys_of_tests(rows, key)], rows, {"similarity": similarity, **ids})


def _over_cap(cap: _Cap, claims: pa.Table) -> pa.Table:
    """Return the claims that so many better ones come before."""
    order = (("similarity", "descending"), ("pair_id", "ascending"), ("modification_id", "ascending"))
    ranked = rank_triplet_claims(claims, order)
    return ranked.filter(pc.greater_equal(ranked.column("place"), cap.most)).select(["row", PIECE])


def _joined(kind: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(kind, pc.fill_null(values, ""), " ")


def _all(table: pa.Table, value: bool) -> pa.Array:
    return pa.array(np.full(table.num_rows, value))
