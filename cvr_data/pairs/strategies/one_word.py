"""Pair videos whose captions differ in exactly one word.

"a dog runs on sand" and "a cat runs on sand" give two ordered pairs, dog -> cat and cat -> dog: the word that changes
is what the modification text will have to say. Captions are compared as `cvr_data.language.words` reads them.

Captions that have their first or second half in common with another are hashed once per position of the other half,
with that position blanked; equal hashes are found by sorting, and then compared word by word, so a collision cannot
make a wrong pair. Time grows with the number of words, and memory with the captions of the most common length and with
the pairs found. On several processes or machines, the captions are dealt out by their halves
(`cvr_data.pairs.search.halves`); the pairs are the same.

Source: how WebVid-CoVR was mined, Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.jobs import current_engine, map_jobs
from cvr_data.core.progress import Progress
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import Captions, blanked, read_captions
from cvr_data.pairs.search.groups import ordered_pairs, rows_with_one_blank
from cvr_data.pairs.search.halves import buckets, pairs_in_bucket, sharing_a_half
from cvr_data.pairs.search.pairs import CaptionPairs, DroppedGroup, pairs_table

VERSION = 2
NAME = "one-word"

EXAMPLE = {"a dog runs": ["a cat runs"], "a cat runs": ["a dog runs"], "rain falls": []}


@dataclass(frozen=True, kw_only=True)
class Config:
    min_words: int = 2
    """Captions shorter than this are left out: with one word, anything pairs with anything."""
    max_group: int = 50
    """A blanked caption that more captions than this share is a template, not a scene: it is dropped as one row."""
    max_videos_per_caption: int = 50
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""

    def __post_init__(self) -> None:
        if self.min_words < 2:
            raise ValueError(f"min_words must be at least 2, got {self.min_words}.")
        if self.max_group < 2 or self.max_videos_per_caption < 1:
            raise ValueError("max_group must be at least 2 and max_videos_per_caption at least 1.")


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per group that was left out."""
    if not current_engine().is_here:
        videos = sharing_a_half(videos, config.min_words)
    captions = read_captions(videos, config.min_words, config.max_videos_per_caption)
    find = find_pairs if current_engine().is_here else find_pairs_in_buckets
    found, templates = find(captions, config.max_group)
    crowded = [DroppedGroup(text, "crowded_caption", 1, count) for text, count in captions.crowded]
    return pairs_table(captions, found.changed(captions.vocabulary), [*templates, *crowded], NAME)


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are or are not a pair."""
    before, after = words_of(reference), words_of(target)
    if min(len(before), len(after)) < config.min_words:
        return f"not a pair: a caption has fewer than {config.min_words} words"
    if len(before) != len(after):
        return f"not a pair: {len(before)} words against {len(after)}"
    differing = _differing(before, after)
    if len(differing) != 1:
        return f"not a pair: {len(differing)} words differ, not one"
    return f"a pair: {before[differing[0]]} -> {after[differing[0]]}"


def group_texts(reference: str, target: str) -> list[str]:
    """Return the texts of the groups whose removal would remove the pair of two captions."""
    before, after = words_of(reference), words_of(target)
    differing = _differing(before, after) if len(before) == len(after) else []
    blanks = [blanked(before, differing[0])] if len(differing) == 1 else []
    return [*blanks, blanked(before, None), blanked(after, None)]


def find_pairs(captions: Captions, max_group: int) -> tuple[CaptionPairs, list[DroppedGroup]]:
    """Return the ordered pairs of distinct captions, and the groups that are too large."""
    parts, templates = [], []
    videos = np.diff(captions.entry_offsets)
    for first, ids_NL in captions.of_each_length():
        words, length = ids_NL.ravel(), ids_NL.shape[1]
        for groups in rows_with_one_blank(ids_NL):
            is_large = groups.sizes > max_group
            for start, size in zip(groups.starts[is_large], groups.sizes[is_large], strict=True):
                members, positions = np.divmod(groups.members[start : start + size], length)
                text = captions.text_of(ids_NL[members[0]], positions[0])
                templates.append(_template(text, videos[first + members]))
            reference, target = ordered_pairs(groups.where(~is_large))
            rows = _numbers(first, reference // length), _numbers(first, target // length)
            parts.append(CaptionPairs(*rows, words[reference], words[target]))
    return CaptionPairs.concat(parts), templates


def find_pairs_in_buckets(captions: Captions, max_group: int) -> tuple[CaptionPairs, list[DroppedGroup]]:
    """Return what `find_pairs` does, a job per bucket of captions that have one half in common."""
    parts, templates = [], []
    videos = np.diff(captions.entry_offsets)
    jobs = buckets(captions)
    with Progress("find pairs", len(jobs), "buckets") as progress:
        for _, found in map_jobs(pairs_in_bucket, jobs, shared=(max_group,)):
            parts.append(CaptionPairs(*found.pairs))
            for blanked_ids, position, members in found.large:
                templates.append(_template(captions.text_of(blanked_ids, position), videos[members]))
            progress.advance()
    return CaptionPairs.concat(parts), templates


def _template(text: str, videos: np.ndarray) -> DroppedGroup:
    total = int(videos.sum())
    return DroppedGroup(text, "template_group", len(videos), total, total**2 - int((videos**2).sum()))


def _numbers(first: int, rows: np.ndarray) -> np.ndarray:
    return (first + rows).astype(np.int32)


def _differing(before: list[str], after: list[str]) -> list[int]:
    return [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
