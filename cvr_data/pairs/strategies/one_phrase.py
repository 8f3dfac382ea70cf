"""Pair videos whose captions differ in one phrase of a few words.

"a red car drives by" and "a vintage motorcycle drives by" give two ordered pairs, red car -> vintage motorcycle and
back. The spans that differ may have different numbers of words, at least one each; the captions need not be equally
long. A pair of one word each is what `one-word` finds. The words in common are as many as possible, so a word that one
caption has more is told with the one after it: "a dog" and "a big dog" give dog -> big dog.

Every caption is hashed once per span with that span left out; equal hashes are found by sorting and then compared word
by word, so a collision cannot make a wrong pair. Both spans must be phrases, which spaCy's tags tell: of every caption
in a candidate pair, once. `-o phrases=any` leaves that out and takes seconds where tagging takes minutes.

Source: one-word mining as in WebVid-CoVR, Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746), widened here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.core.runner import Flow
from cvr_data.core.stages import ByColumn, ClaimStep, KeyedStep, Step
from cvr_data.language.normalise import normalised
from cvr_data.language.phrases import kind_of_phrase
from cvr_data.language.tagging import tagged
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import Captions, blanked_captions_to_mine, read_captions_to_mine
from cvr_data.pairs.search.halves import (
    captions_with_halves,
    mined_caption_ends,
    mined_span_first_end,
    shared_halves,
    videos_of_mining_rows,
)
from cvr_data.pairs.search.pairs import (  # fmt: skip
    ChangedPairs,
    crowded_groups,
    dropped_pair_group_rows,
    one_change_each,
    pairs_table,
    pairs_with_video_columns,
)
from cvr_data.pairs.search.spans import Frames, SpanLimits, SpanPairs, find_pair_spans, pair_span_texts

VERSION = 3
NAME = "one-phrase"

MEET_BY = "caption pair"
BUCKET_VALUES = 300_000
"""Ends of a bucket."""
TAGGED_AS = 16
"""Claims for the tags of a pair, for the number of buckets: they carry captions, so there are more than of numbers."""
SPAN = ("span_start", "reference_span", "target_span")
"""Columns of pairs whose spans nobody looked at yet: first word, and words of either."""
FOUND = "found_reason"
"""Has their `drop_reason` until then."""

PhraseKind = Literal["noun-or-verb", "noun", "verb", "any"]

EXAMPLE = {
    "a red car drives": ["a vintage motorcycle drives"],
    "a vintage motorcycle drives": ["a red car drives"],
    "rain falls": [],
}


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    max_span: int = field(default=3, metadata=option_range(SIZE))
    """Words that differ, at most, on each side: article, adjective and noun."""
    min_shared_words: int = field(default=1, metadata=option_range(SIZE))
    """Words in common, at least, before and after the span together; 3 gives fewer and closer pairs."""
    one_word: bool = True
    """Also make the pairs that differ in one word each, as the strategy one-word does."""
    phrases: PhraseKind = "noun-or-verb"
    """What both spans must be: noun phrases ("on the beach" counts as one), verb phrases, either (not of one kind
    necessarily), or any words at all. Pairs of other spans are dropped as `not_a_phrase`."""
    max_group: int = field(default=50, metadata=option_range("[2, inf)"))
    """A blanked caption that more captions than this share is a template, not a scene: it is dropped as one row."""
    max_videos_per_caption: int = field(default=50, metadata=option_range(SIZE))
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_span == 1 and not self.one_word:
            raise ValueError("max_span = 1 without one_word leaves nothing; make max_span at least 2.")


def languages(config: Config) -> tuple[str, ...]:
    """Return English, whose tags tell phrases, unless any words are one."""
    return () if config.phrases == "any" else ("en",)


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per group that was left out."""
    captions = read_captions_to_mine(videos, config.min_shared_words + 1, config.max_videos_per_caption)
    found, templates = find_pair_spans(captions, _one_phrase_limits(config))
    pairs = pairs_table(
        captions, _spans_of_pairs(config, captions, found), [*templates, *crowded_groups(captions)], NAME
    )
    if config.phrases == "any":
        return pairs
    pairs = _undecided_pairs(pairs)
    return _decided_pairs(config, pairs, _spans_to_drop(config, _span_claims(config, pairs)))


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return the same rows of videos in parts."""
    return videos.then(*one_phrase_mining_steps(config))


def one_phrase_mining_steps(config: Config) -> list[Step]:
    """Return the steps that make the same rows of videos in parts."""
    about: dict[str, Any] = {"config": config, "makes_rows": True}
    shared = ClaimStep(
        name="find ends", claims=mined_caption_ends, settle=shared_halves, run=captions_with_halves,
        per_value=2 * config.max_span, is_counted=False, **about,
    )  # fmt: skip
    if config.phrases == "any":
        return [
            shared,
            KeyedStep(name=NAME, key=ByColumn("half"), run=pairs_in_bucket, bucket_values=BUCKET_VALUES, **about),
        ]
    spans = KeyedStep(
        name="find spans",
        key=ByColumn("half"),
        run=_spans_in_bucket,
        bucket_values=BUCKET_VALUES,
        is_counted=False,
        **about,
    )
    tagging = ClaimStep(
        name=NAME, claims=_span_claims, settle=_spans_to_drop, run=_decided_pairs, per_value=TAGGED_AS, **about
    )
    return [shared, spans, tagging]


def pairs_in_bucket(config: Config, entries: pa.Table) -> pa.Table:
    """Return the pairs of captions that have an end of what is around their spans in common, and the groups left out.

    What belongs to a caption as a whole is told with its longest frames.
    """
    codes = entries.column("side").to_numpy()
    tables, groups = [], []
    for code in np.unique(codes).tolist() or [2 * config.min_shared_words]:
        shared, is_last = divmod(code, 2)
        middle = mined_span_first_end(shared)
        only = Frames(shared, range(middle) if is_last else range(middle, shared + 1))
        videos = videos_of_mining_rows(entries.filter(pa.array(codes == code)))
        captions = read_captions_to_mine(videos, config.min_shared_words + 1, config.max_videos_per_caption)
        found, templates = find_pair_spans(captions, _one_phrase_limits(config), only)
        pairs = pairs_table(captions, _spans_of_pairs(config, captions, found), [], NAME)
        tables.append(pairs_with_video_columns(pairs, videos.drop_columns(["captions"])))
        groups += [
            *templates,
            *(each for each in crowded_groups(captions) if not is_last and each.text.count(" ") == shared),
        ]
    return pa.concat_tables([*tables, *dropped_pair_group_rows(groups, NAME)], promote_options="permissive")


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are or are not a pair."""
    before, after = words_of(reference), words_of(target)
    if min(len(before), len(after)) <= config.min_shared_words:
        return f"not a pair: a caption has fewer than {config.min_shared_words + 1} words"
    if before == after:
        return "not a pair: no word differs"
    start, shared = _frame_of_pair(before, after)
    sizes = len(before) - shared, len(after) - shared
    if shared < config.min_shared_words:
        return f"not a pair: {shared} words around what differs are equal, of {config.min_shared_words} needed"
    if max(sizes) > config.max_span:
        return f"not a pair: {sizes[0]} words differ from {sizes[1]}, at most {config.max_span} may"
    if max(sizes) == 1 and not config.one_word:
        return "not a pair: one word differs, which one_word = false leaves out"
    phrases = [" ".join(said[start : start + size]) for said, size in zip((before, after), sizes, strict=True)]
    if config.phrases != "any":
        for said, size, phrase in zip((before, after), sizes, phrases, strict=True):
            kind = kind_of_phrase(next(tagged([" ".join(said)])), start, size)
            if kind is None or config.phrases not in ("noun-or-verb", kind):
                return f"not a pair: {phrase!r} is not a phrase of the kind {config.phrases}"
    return f"a pair: {phrases[0]} -> {phrases[1]}"


def group_texts(reference: str, target: str) -> list[str]:
    """Return the texts of the groups whose removal would remove the pair of two captions."""
    before, after = words_of(reference), words_of(target)
    start, shared = _frame_of_pair(before, after)
    frame = [*before[:start], "_", *before[start + len(before) - shared :]]
    return [" ".join(frame), blanked_captions_to_mine(before, None), blanked_captions_to_mine(after, None)]


def _one_phrase_limits(config: Config) -> SpanLimits:
    return SpanLimits(
        max_span=config.max_span, min_shared=config.min_shared_words,
        max_group=config.max_group, one_word=config.one_word,
    )  # fmt: skip


def _spans_of_pairs(config: Config, captions: Captions, found: SpanPairs) -> ChangedPairs:
    """Return the pairs and, unless any phrase will do, where in their captions the spans are."""

    def changes(rows: np.ndarray) -> pa.ListArray:
        sides = (found.reference, found.reference_size), (found.target, found.target_size)
        texts = (pair_span_texts(captions, caption[rows], found.start[rows], size[rows]) for caption, size in sides)
        return one_change_each(*texts)

    spans = (found.start, found.reference_size, found.target_size)
    columns = {name: pa.array(column) for name, column in zip(SPAN, spans, strict=True)}
    return ChangedPairs(found.reference, found.target, changes, {} if config.phrases == "any" else columns)


def _spans_in_bucket(config: Config, entries: pa.Table) -> pa.Table:
    return _undecided_pairs(pairs_in_bucket(config, entries))


def _undecided_pairs(pairs: pa.Table) -> pa.Table:
    return pairs.rename_columns([FOUND if name == "drop_reason" else name for name in pairs.column_names])


def _span_claims(config: Config, pairs: pa.Table) -> pa.Table:
    """Return each span of each caption once; `row` is its number."""
    uses = _phrase_uses_of_pairs(pairs)
    said = uses.texts.take(pa.array(uses.spans[:, 0]))
    numbers = np.arange(len(said), dtype=np.uint32)
    spans = {name: uses.spans[:, place].astype(np.int32) for place, name in ((1, "start"), (2, "size"))}
    return pa.table({"key": hash_bucket_keys(said), "row": numbers, "said": said, **spans})


def _spans_to_drop(config: Config, claims: pa.Table) -> pa.Table:
    """Return the spans that are no phrases of the wanted kind; each caption is tagged once."""
    claims = claims.sort_by([("said", "ascending"), ("start", "ascending"), ("size", "ascending")])
    bounds = claims.column("start").to_numpy(), claims.column("size").to_numpy()
    said = claims.column("said").combine_chunks()
    is_first = np.append(True, pc.not_equal(said[1:], said[:-1]).to_numpy(zero_copy_only=False))[: len(said)]
    firsts = np.flatnonzero(is_first)
    ends = np.append(firsts, len(said))[1:]
    is_phrase = np.zeros(len(said), bool)
    for found, first, end in zip(tagged(said.take(pa.array(firsts)).to_pylist()), firsts, ends, strict=True):
        for row in range(first, end):
            kind = kind_of_phrase(found, int(bounds[0][row]), int(bounds[1][row]))
            is_phrase[row] = kind is not None and config.phrases in ("noun-or-verb", kind)
    return claims.filter(pa.array(~is_phrase)).drop_columns(["key", "said", "start", "size"])


def _decided_pairs(config: Config, pairs: pa.Table, losing: pa.Table) -> pa.Table:
    """Return the pairs with the reasons that were found before, or that a span of theirs is no phrase."""
    uses = _phrase_uses_of_pairs(pairs)
    is_lost = np.zeros(len(uses.spans), bool)
    is_lost[losing.column("row").to_numpy() if losing.num_rows else []] = True
    lost = np.zeros(pairs.num_rows, bool)
    lost[uses.rows] = np.logical_or(*np.split(is_lost[uses.of_row], 2))
    reasons = pc.if_else(pa.array(lost), pa.scalar("not_a_phrase"), pairs.column(FOUND).cast(pa.string()))
    return pairs.set_column(pairs.column_names.index(FOUND), "drop_reason", reasons).drop_columns(list(SPAN))


class _Uses(NamedTuple):
    rows: np.ndarray
    """Of the pairs that have spans."""
    texts: pa.Array
    """Distinct captions, normalised."""
    spans: np.ndarray
    """(text, start, size) of each distinct span."""
    of_row: np.ndarray
    """The spans of the references of `rows`, then those of the targets."""


def _phrase_uses_of_pairs(pairs: pa.Table) -> _Uses:
    rows = np.flatnonzero(pc.is_valid(pairs.column(SPAN[0])).to_numpy())
    some = pairs.take(pa.array(rows)).combine_chunks()
    texts = pa.concat_arrays([some.column(f"{side}_caption").combine_chunks() for side in ("reference", "target")])
    written = texts.dictionary_encode()
    said = normalised(written.dictionary).dictionary_encode()
    text = said.indices.to_numpy()[written.indices.to_numpy()].astype(np.int64)
    start, *sizes = (some.column(name).to_numpy() for name in SPAN)
    spans, of_row = np.unique(
        np.column_stack([text, np.tile(start, 2), np.concatenate(sizes)]), axis=0, return_inverse=True
    )
    return _Uses(rows, said.dictionary, spans, of_row.ravel())


def _frame_of_pair(before: list[str], after: list[str]) -> tuple[int, int]:
    """Return (how many first words two captions have in common, and how many first and last), leaving one to each."""
    most = max(min(len(before), len(after)) - 1, 0)
    start = next((place for place in range(most) if before[place] != after[place]), most)
    shared = next((start + place for place in range(most - start) if before[-1 - place] != after[-1 - place]), most)
    return start, shared
