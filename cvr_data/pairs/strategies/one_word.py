"""Pair videos whose captions differ in exactly one word.

"a dog runs on sand" and "a cat runs on sand" give two ordered pairs, dog -> cat and cat -> dog: the word that changes
is what the modification text will have to say. Captions are compared as `cvr_data.language.words` reads them.

Captions that have their first or second half in common with another are hashed once per position of the other half,
with that position blanked; equal hashes are found by sorting, and then compared word by word, so a collision cannot
make a wrong pair. Time grows with the number of words. Captions meet in buckets by their halves
(`cvr_data.pairs.search.halves`), so no more than one bucket of them is in memory.

Source: how WebVid-CoVR was mined, Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.core.runner import Flow
from cvr_data.core.stages import ByColumn, ClaimStep, KeyedStep, Step
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import Captions, blanked_captions_to_mine, read_captions_to_mine
from cvr_data.pairs.search.groups import Groups, blanked_groups, ordered_pairs, rows_with_one_blank
from cvr_data.pairs.search.halves import (
    caption_halves_to_pair,
    captions_with_halves,
    shared_halves,
    videos_of_mining_rows,
)
from cvr_data.pairs.search.pairs import (  # fmt: skip
    CaptionPairs,
    DroppedGroup,
    crowded_groups,
    dropped_pair_group_rows,
    pairs_table,
    pairs_with_video_columns,
)

VERSION = 2
MEET_BY = "caption pair"
BUCKET_VALUES = 300_000
"""Halves of a bucket: they give up to four times as many pairs, which are in memory with them."""
NAME = "one-word"

EXAMPLE = {"a dog runs": ["a cat runs"], "a cat runs": ["a dog runs"], "rain falls": []}


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    min_words: int = field(default=2, metadata=option_range("[2, inf)"))
    """Captions shorter than this are left out: with one word, anything pairs with anything."""
    max_group: int = field(default=50, metadata=option_range("[2, inf)"))
    """A blanked caption that more captions than this share is a template, not a scene: it is dropped as one row."""
    max_videos_per_caption: int = field(default=50, metadata=option_range(SIZE))
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per group that was left out."""
    captions = read_captions_to_mine(videos, config.min_words, config.max_videos_per_caption)
    found, templates = find_pairs(captions, config.max_group)
    return pairs_table(captions, found.changed(captions.vocabulary), [*templates, *crowded_groups(captions)], NAME)


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return the same rows of videos in parts."""
    return videos.then(*one_word_mining_steps(config))


def one_word_mining_steps(config: Config) -> list[Step]:
    """Return the steps that make the same rows of videos in parts."""
    shared = ClaimStep(
        name="find halves", config=config, claims=caption_halves_to_pair, settle=shared_halves,
        run=captions_with_halves, per_value=2, makes_rows=True, is_counted=False,
    )  # fmt: skip
    mined = KeyedStep(
        name=NAME, config=config, key=ByColumn("half"), run=pairs_in_bucket, bucket_values=BUCKET_VALUES,
        makes_rows=True,
    )  # fmt: skip
    return [shared, mined]


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are or are not a pair."""
    before, after = words_of(reference), words_of(target)
    if min(len(before), len(after)) < config.min_words:
        return f"not a pair: a caption has fewer than {config.min_words} words"
    if len(before) != len(after):
        return f"not a pair: {len(before)} words against {len(after)}"
    differing = _words_that_differ_in_pair(before, after)
    if len(differing) != 1:
        return f"not a pair: {len(differing)} words differ, not one"
    return f"a pair: {before[differing[0]]} -> {after[differing[0]]}"


def group_texts(reference: str, target: str) -> list[str]:
    """Return the texts of the groups whose removal would remove the pair of two captions."""
    before, after = words_of(reference), words_of(target)
    differing = _words_that_differ_in_pair(before, after) if len(before) == len(after) else []
    blanks = [blanked_captions_to_mine(before, differing[0])] if len(differing) == 1 else []
    return [*blanks, blanked_captions_to_mine(before, None), blanked_captions_to_mine(after, None)]


def pairs_in_bucket(config: Config, entries: pa.Table) -> pa.Table:
    """Return the pairs of captions that have one half in common, and the groups that were left out.

    Each half is looked through for captions that differ in the other; what belongs to a caption as a whole is told by
    the first half.
    """
    tables, groups = [], []
    for side in (0, 1):
        videos = videos_of_mining_rows(entries.filter(pc.equal(entries.column("side"), side)))
        captions = read_captions_to_mine(videos, config.min_words, config.max_videos_per_caption)
        found, templates = find_pairs(captions, config.max_group, partial(_blanked_halves, side))
        pairs = pairs_table(captions, found.changed(captions.vocabulary), [], NAME)
        tables.append(pairs_with_video_columns(pairs, videos.drop_columns(["captions"])))
        groups += templates + (crowded_groups(captions) if side == 0 else [])
    return pa.concat_tables([*tables, *dropped_pair_group_rows(groups, NAME)], promote_options="permissive")


def _blanked_halves(side: int, ids_NL: np.ndarray) -> Iterator[Groups]:
    """Yield the groups of captions that have the half of a side in common and differ in the other."""
    middle, end = ids_NL.shape[1] // 2, ids_NL.shape[1]
    return blanked_groups(ids_NL, range(middle) if side else range(middle, end))


def find_pairs(
    captions: Captions, max_group: int, groups_of: Callable[[np.ndarray], Iterator[Groups]] = rows_with_one_blank
) -> tuple[CaptionPairs, list[DroppedGroup]]:
    """Return the ordered pairs of distinct captions that lie in a group, and the groups that are too large."""
    parts, templates = [], []
    videos = np.diff(captions.entry_offsets)
    for first, ids_NL in captions.of_each_length():
        words, length = ids_NL.ravel(), ids_NL.shape[1]
        for groups in groups_of(ids_NL):
            is_large = groups.sizes > max_group
            for start, size in zip(groups.starts[is_large], groups.sizes[is_large], strict=True):
                members, positions = np.divmod(groups.members[start : start + size], length)
                text = captions.text_of(ids_NL[members[0]], positions[0])
                total, squares = int(videos[first + members].sum()), int((videos[first + members] ** 2).sum())
                templates.append(DroppedGroup(text, "template_group", len(members), total, total**2 - squares))
            reference, target = ordered_pairs(groups.where(~is_large))
            rows = [(first + entries // length).astype(np.int32) for entries in (reference, target)]
            parts.append(CaptionPairs(rows[0], rows[1], words[reference], words[target]))
    return CaptionPairs.concat(parts), templates


def _words_that_differ_in_pair(before: list[str], after: list[str]) -> list[int]:
    return [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
