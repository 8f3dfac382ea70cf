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

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from cvr_data.core.progress import Progress
from cvr_data.language.slots import MODIFIERS, PARTICIPLES, THINGS, VERBS, Tagged
from cvr_data.language.tagging import tagged
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import Captions, blanked, read_captions
from cvr_data.pairs.search.pairs import ChangedPairs, DroppedGroup, one_change_each, pairs_table
from cvr_data.pairs.search.spans import SpanLimits, SpanPairs, find_spans, span_texts

VERSION = 2
NAME = "one-phrase"

PhraseKind = Literal["noun-or-verb", "noun", "verb", "any"]

_BEFORE_VERB = frozenset(("ADV", "PART"))
_NEVER_FIRST = frozenset(("CCONJ", "SCONJ", "PUNCT"))
_NEVER_LAST = frozenset(("DET", "CCONJ", "SCONJ", "ADP", "PUNCT"))
_WITHIN_NOUN = MODIFIERS | THINGS | {"ADV", "CCONJ", "ADP", "PART"}

EXAMPLE = {
    "a red car drives": ["a vintage motorcycle drives"],
    "a vintage motorcycle drives": ["a red car drives"],
    "rain falls": [],
}


@dataclass(frozen=True, kw_only=True)
class Config:
    max_span: int = 3
    """Words that differ, at most, on each side: article, adjective and noun."""
    min_shared_words: int = 1
    """Words in common, at least, before and after the span together; 3 gives fewer and closer pairs."""
    one_word: bool = True
    """Also make the pairs that differ in one word each, as the strategy one-word does."""
    phrases: PhraseKind = "noun-or-verb"
    """What both spans must be: noun phrases ("on the beach" counts as one), verb phrases, either (not of one kind
    necessarily), or any words at all. Pairs of other spans are dropped as `not_a_phrase`."""
    max_group: int = 50
    """A blanked caption that more captions than this share is a template, not a scene: it is dropped as one row."""
    max_videos_per_caption: int = 50
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""

    def __post_init__(self) -> None:
        if self.max_span < 1 or self.min_shared_words < 1:
            raise ValueError("max_span and min_shared_words must be at least 1.")
        if self.max_span == 1 and not self.one_word:
            raise ValueError("max_span = 1 without one_word leaves nothing; make max_span at least 2.")
        if self.max_group < 2 or self.max_videos_per_caption < 1:
            raise ValueError("max_group must be at least 2 and max_videos_per_caption at least 1.")


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per group that was left out."""
    captions = read_captions(videos, config.min_shared_words + 1, config.max_videos_per_caption)
    found, templates = find_spans(captions, _limits(config))
    crowded = [DroppedGroup(text, "crowded_caption", 1, count) for text, count in captions.crowded]
    return pairs_table(captions, _changed(config, captions, found), [*templates, *crowded], NAME)


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are or are not a pair."""
    before, after = words_of(reference), words_of(target)
    if min(len(before), len(after)) <= config.min_shared_words:
        return f"not a pair: a caption has fewer than {config.min_shared_words + 1} words"
    if before == after:
        return "not a pair: no word differs"
    start, shared = _frame(before, after)
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
    start, shared = _frame(before, after)
    frame = [*before[:start], "_", *before[start + len(before) - shared :]]
    return [" ".join(frame), blanked(before, None), blanked(after, None)]


def _limits(config: Config) -> SpanLimits:
    return SpanLimits(
        max_span=config.max_span, min_shared=config.min_shared_words,
        max_group=config.max_group, one_word=config.one_word,
    )  # fmt: skip


def _changed(config: Config, captions: Captions, found: SpanPairs) -> ChangedPairs:
    reference = found.reference, found.start, found.reference_size
    target = found.target, found.start, found.target_size

    def changes(rows: np.ndarray) -> pa.ListArray:
        sides = (span_texts(captions, *(column[rows] for column in side)) for side in (reference, target))
        return one_change_each(*sides)

    if config.phrases == "any":
        return ChangedPairs(found.reference, found.target, changes)
    both = [np.concatenate(columns) for columns in zip(reference, target, strict=True)]
    is_phrase = np.logical_and(*np.split(are_phrases(captions, config.phrases, *both), 2))
    reasons = pa.array([None, "not_a_phrase"], pa.string()).take(pa.array((~is_phrase).astype(np.int8)))
    return ChangedPairs(found.reference, found.target, changes, {"drop_reason": reasons})


def _frame(before: list[str], after: list[str]) -> tuple[int, int]:
    """Return (how many first words two captions have in common, and how many first and last), leaving one to each."""
    most = max(min(len(before), len(after)) - 1, 0)
    start = next((place for place in range(most) if before[place] != after[place]), most)
    shared = next((start + place for place in range(most - start) if before[-1 - place] != after[-1 - place]), most)
    return start, shared


def kind_of_phrase(caption: Tagged, start: int, size: int) -> Literal["noun", "verb"] | None:
    """Return what words start : start + size of a caption are.

    A verb phrase begins with a verb, or an adverb before it; a noun phrase ends in a noun, an adjective or a number,
    may begin with a preposition ("on the beach"), and may be a part of a longer one ("dark blue" of "dark blue car").
    Neither begins with a conjunction or ends in a word that announces another: an article, a conjunction, an auxiliary
    after other words, a preposition that is no verb's particle.
    """
    parts, tags = caption.parts[start : start + size], caption.tags[start : start + size]
    is_cut = (parts[-1] in _NEVER_LAST and tags[-1] != "RP") or tags[-1] in ("TO", "POS")
    if is_cut or parts[0] in _NEVER_FIRST or (size > 1 and parts[-1] == "AUX"):
        return None
    is_verb = [part in VERBS for part in parts]
    if (
        any(is_verb)
        and all(part in _BEFORE_VERB for part in parts[: is_verb.index(True)])
        and not _is_modified(caption, start, size)
    ):
        return "verb"
    is_nominal = all(part in _WITHIN_NOUN or tag in PARTICIPLES for part, tag in zip(parts, tags, strict=True))
    return "noun" if is_nominal and (parts[-1] in THINGS or parts[-1] in ("ADJ", "NUM")) else None


def _is_modified(caption: Tagged, start: int, size: int) -> bool:
    """Whether the first verb is a participle before a noun of the span: "striped cat", not "holding a cat"."""
    following = caption.parts[start + 1 : start + size]
    return caption.tags[start] in ("VBN", "VBD") and bool(following) and following[0] in (*THINGS, "ADJ")


def are_phrases(
    captions: Captions, wanted: PhraseKind, caption: np.ndarray, start: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Return whether each span (caption, start, size) is a phrase of the wanted kind."""
    spans, span_of_row = np.unique(np.column_stack([caption, start, size]), axis=0, return_inverse=True)
    firsts = np.flatnonzero(np.diff(spans[:, 0], prepend=-1))
    bounds = np.append(firsts, len(spans)).tolist()
    is_phrase = np.zeros(len(spans), bool)
    texts = _texts(captions, spans[firsts, 0])
    with Progress("tag spans", len(texts), "captions") as progress:
        for number, found in enumerate(tagged(texts)):
            for row in range(bounds[number], bounds[number + 1]):
                kind = kind_of_phrase(found, int(spans[row, 1]), int(spans[row, 2]))
                is_phrase[row] = kind is not None and wanted in ("any", "noun-or-verb", kind)
            progress.advance(1)
    return is_phrase[span_of_row.ravel()]


def _texts(captions: Captions, numbers: np.ndarray) -> list[str]:
    return span_texts(captions, numbers, np.zeros(len(numbers), np.int64), captions.lengths[numbers]).to_pylist()
