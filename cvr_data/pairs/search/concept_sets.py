"""The concepts of every video, from its captions or its frames, and how those of two videos differ."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.normalise import normalised
from cvr_data.pairs.search.concept_dimensions import OPEN, dimension_of, stands_for
from cvr_data.pairs.search.concept_folding import Words, folded, read_words
from cvr_data.pairs.search.concept_mentions import KINDS, Mention, mentions_of_all

if TYPE_CHECKING:
    from cvr_data.features.store import FeatureStore

SLOT_ORDER = ("object", "attribute", "scene", "action")
ATTRIBUTE_LIKENESS = 0.35
"""MiniLM cosine from which one attribute takes the place of another: colours have 0.53 and more among each other, sizes
0.39 and more, a colour and a size 0.34 in the middle; where it is less, the one goes and the other comes. It decides
where no dimension does."""


class Concept(NamedTuple):
    """What two videos may have in common."""

    kind: str
    name: str
    """The lemma it is known by after folding."""


class Named(NamedTuple):
    """How one video names a concept."""

    phrase: str
    slot: str
    word: str
    """The lemma as the video has it, whose vector tells what replaces what."""


ConceptSet = Mapping[Concept, Named]


@dataclass(frozen=True)
class Difference:
    """What is in both sets, only in the target's, and only in the reference's; sorted names, and the changes."""

    retained: list[str]
    injected: list[str]
    excluded: list[str]
    changes: list[dict[str, Any]]


def difference(reference: ConceptSet, target: ConceptSet, words: Words) -> Difference:
    """Return how a target differs from a reference; swapping the two swaps injected and excluded."""
    excluded, injected = _without(reference, target), _without(target, reference)
    renamed = _same_words(excluded, injected)
    changes = []
    for slot in SLOT_ORDER:
        before, after = (
            [named for name, named in side.items() if named.slot == slot and name not in renamed]
            for side in (excluded, injected)
        )
        kind = "action" if slot == "action" else "static"
        least = ATTRIBUTE_LIKENESS if slot == "attribute" else -1.0
        for one, other in _matched(before, after, words, least):
            changes.append({"kind": kind, "slot": slot, "before": one, "after": other})
    return Difference(
        retained=sorted({concept.name for concept in {*(reference.keys() & target.keys()), *renamed}}),
        injected=sorted(concept.name for concept in injected if concept not in renamed),
        excluded=sorted(concept.name for concept in excluded if concept not in renamed),
        changes=changes,
    )


def _without(one: ConceptSet, other: ConceptSet) -> dict[Concept, Named]:
    return {concept: one[concept] for concept in sorted(one) if concept not in other}


def _same_words(excluded: ConceptSet, injected: ConceptSet) -> set[Concept]:
    """Return what both sides have, but once as a noun and once as a verb or adjective: a tagger's doubt, no change."""
    same = set()
    for one, before in excluded.items():
        for other, after in injected.items():
            if one.name == other.name or before.phrase == after.phrase:
                same |= {one, other}
    return same


def _matched(
    before: list[Named], after: list[Named], words: Words, least: float
) -> list[tuple[str | None, str | None]]:
    """Return the pairs of like concepts, the most alike first, then those that only one side has."""
    ranked = [row for row in _ranked(before, after, words) if -row[0] >= least]
    left, right = set(range(len(before))), set(range(len(after)))
    pairs: list[tuple[str | None, str | None]] = []
    for _, one, other in ranked:
        if one in left and other in right:
            left.discard(one)
            right.discard(other)
            pairs.append((before[one].phrase, after[other].phrase))
    alone = [(before[one].phrase, None) for one in sorted(left)]
    return [*pairs, *alone, *((None, after[other].phrase) for other in sorted(right))]


def _ranked(before: list[Named], after: list[Named], words: Words) -> list[tuple[float, int, int]]:
    found = []
    for one, first in enumerate(before):
        for other, second in enumerate(after):
            alike = _likeness(first, second, words)
            found.append((-alike, sorted((first.word, second.word)), one, other))
    return [(rank, one, other) for rank, _, one, other in sorted(found)]


def _likeness(first: Named, second: Named, words: Words) -> float:
    """Return how well one word takes the place of another: 1 and more in one dimension, below -1 in two."""
    kind = first.slot if first.slot in ("attribute", "action") else "thing"
    dimensions = {dimension_of(kind, named.word) for named in (first, second)}
    if len(dimensions) == 2 and (kind == "action" or OPEN not in dimensions):
        return -2.0
    alike = words.similarity(first.word, second.word)
    return alike + 2.0 if dimensions != {OPEN} and len(dimensions) == 1 else alike


def mentions_by_video(videos: pa.Table, share: float) -> list[list[Mention]]:
    """Return what each video's captions mention, one mention per kind and key; every distinct caption is read once.

    A concept must be in at least `share` of a video's captions.
    """
    lists = videos.column("captions").combine_chunks()
    said = normalised(pc.list_flatten(lists))
    distinct = pc.unique(said).sort()
    found = list(mentions_of_all(distinct.to_pylist()))
    rows = pc.index_in(said, distinct).to_numpy(zero_copy_only=False).tolist()
    ends = iter(pc.fill_null(pc.list_value_length(lists), 0).to_pylist())
    start, by_video = 0, []
    for count in ends:
        by_video.append(_often(sorted(set(rows[start : start + count])), found, share))
        start += count
    return by_video


def _often(captions: Sequence[int], found: Sequence[list[Mention]], share: float) -> list[Mention]:
    firsts: dict[tuple[str, str], Mention] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for caption in captions:
        alike = {(mention.kind, mention.key): mention for mention in reversed(found[caption])}
        counts.update(alike.keys())
        firsts = {**alike, **firsts}
    return [mention for key, mention in sorted(firsts.items()) if counts[key] >= share * len(captions)]


class Folding(NamedTuple):
    """The words of a corpus."""

    words: Words
    leaders: Mapping[str, Mapping[str, str]]
    """Kind -> word -> the word that it stands for."""


def head_counts(by_video: Iterable[Iterable[Mention]]) -> dict[str, Counter[str]]:
    """Return how often each word is named, by kind."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for mentions in by_video:
        for mention in mentions:
            counts[mention.kind][_head(mention.key)] += 1
    return counts


def folding(counts: Mapping[str, Counter[str]], threshold: float, synonyms: Mapping[str, str]) -> Folding:
    """Return which words stand for which, and the vectors of all."""
    words = read_words(
        {
            *synonyms.values(),
            *(name for kind in KINDS for word in counts[kind] for name in (word, stands_for(kind, word))),
        }
    )
    return Folding(words, {kind: folded(kind, counts[kind], threshold, words, synonyms) for kind in KINDS})


def folded_set(mentions: Iterable[Mention], leaders: Mapping[str, Mapping[str, str]]) -> ConceptSet:
    """Return the concepts of a video."""
    found: dict[Concept, Named] = {}
    for mention in mentions:
        head = _head(mention.key)
        name = leaders[mention.kind][head] + mention.key[len(head) :]
        found.setdefault(Concept(mention.kind, name), Named(mention.phrase, mention.slot, head))
    return found


def _head(key: str) -> str:
    """Return the verb of an action, and the word itself of anything else."""
    return key.split(" ", 1)[0]


class Frames(NamedTuple):
    """The frames of stored videos, and the encoder that puts texts into the same space."""

    store: "FeatureStore"
    texts: Any


def open_frames(embeddings: Path) -> Frames:
    """Return the frames of stored features: videos and texts in one space, or with fitted heads.

    Raises:
        CvrError: there is no such space.
    """
    from cvr_data.features.encoders import ENCODERS
    from cvr_data.features.store import FeatureStore

    texts = ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": embeddings}))
    return Frames(FeatureStore.open(embeddings), texts)


def mentions_in_frames(
    video_ids: Sequence[str], vocabulary: Sequence[Mention], frames: Frames, *, least: float, most: int
) -> list[list[Mention]]:
    """Return the words of the vocabulary that a video's mean frame is nearest to in the shared space, the best first.

    Args:
        video_ids: all stored.
        vocabulary: of words that are a thing and an attribute too, the first counts.
        frames: of the videos.
        least: cosine from which a word is seen.
        most: words of one video.
    """
    words = list({mention.key: mention for mention in reversed(vocabulary)}.values())[::-1]
    words_WD = frames.texts.encode_texts([mention.phrase for mention in words]).pooled_BD
    seen = []
    for start in range(0, len(video_ids), 1024):
        scores_BW = (frames.store.pooled(video_ids[start : start + 1024]) @ words_WD.T).numpy().round(5)
        best_BW = np.argsort(-scores_BW, axis=1, kind="stable")[:, :most]
        for row, best in enumerate(best_BW):
            seen.append([words[word] for word in best if scores_BW[row, word] >= least])
    return seen


def vocabulary_of(uses: Mapping[tuple[str, str], Counter[tuple[str, str]]], most: int) -> list[Mention]:
    """Return the concepts (kind, key) that most videos mention, each in the slot and phrase it mostly has."""
    often = sorted(uses, key=lambda name: (-uses[name].total(), name))[:most]
    found = []
    for kind, key in often:
        slot, phrase = min(uses[kind, key], key=lambda use: (-uses[kind, key][use], use))
        found.append(Mention(kind, key, phrase, slot))
    return found
