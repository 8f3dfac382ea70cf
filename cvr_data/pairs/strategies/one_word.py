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
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.ranges import SIZE, Ranged, within
from cvr_data.core.runner import Flow
from cvr_data.core.stages import ClaimStep, KeyedStep, Step
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import Captions, blanked, read_captions
from cvr_data.pairs.search.groups import Groups, blanked_groups, ordered_pairs, rows_with_one_blank
from cvr_data.pairs.search.halves import captions_with_halves, halves, shared_halves, videos_of
from cvr_data.pairs.search.pairs import CaptionPairs, DroppedGroup, group_rows, pairs_table, with_video_columns

VERSION = 2
MEET_BY = "caption pair"
BUCKET_VALUES = 300_000
"""Halves of a bucket: they give up to four times as many pairs, which are in memory with them."""
NAME = "one-word"

EXAMPLE = {"a dog runs": ["a cat runs"], "a cat runs": ["a dog runs"], "rain falls": []}


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    min_words: int = field(default=2, metadata=within("[2, inf)"))
    """Captions shorter than this are left out: with one word, anything pairs with anything."""
    max_group: int = field(default=50, metadata=within("[2, inf)"))
    """A blanked caption that more captions than this share is a template, not a scene: it is dropped as one row."""
    max_videos_per_caption: int = field(default=50, metadata=within(SIZE))
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per group that was left out."""
    captions = read_captions(videos, config.min_words, config.max_videos_per_caption)
    found, templates = find_pairs(captions, config.max_group)
    return pairs_table(captions, found.changed(captions.vocabulary), [*templates, *_crowded(captions)], NAME)


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return the same rows of videos in parts."""
    for step in steps(config):
        videos = videos.then(step)
    return videos


def steps(config: Config) -> list[Step]:
    """Return the steps that make the same rows of videos in parts."""
    shared = ClaimStep(
        name="find halves", config=config, claims=_halves, settle=_shared_halves, run=_captions_with_halves,
        per_value=2, makes_rows=True, is_counted=False,
    )  # fmt: skip
    mined = KeyedStep(
        name=NAME, config=config, key=_half, run=pairs_in_bucket, makes_rows=True, bucket_values=BUCKET_VALUES
    )
    return [shared, mined]


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
    return _pairs_in(captions, max_group, rows_with_one_blank)


def pairs_in_bucket(config: Config, entries: pa.Table) -> pa.Table:
    """Return the pairs of captions that have one half in common, and the groups that were left out.

    Each half is looked through for captions that differ in the other; what belongs to a caption as a whole is told by
    the first half.
    """
    tables, groups = [], []
    for side in (0, 1):
        videos = videos_of(entries.filter(pc.equal(entries.column("side"), side)))
        captions = read_captions(videos, config.min_words, config.max_videos_per_caption)
        found, templates = _pairs_in(captions, config.max_group, _BLANK_IN[side])
        pairs = pairs_table(captions, found.changed(captions.vocabulary), [], NAME)
        tables.append(with_video_columns(pairs, videos.drop_columns(["captions"])))
        groups += templates + (_crowded(captions) if side == 0 else [])
    return pa.concat_tables([*tables, *group_rows(groups, NAME)], promote_options="permissive")


def _blank_in_second(ids_NL: np.ndarray) -> Iterator[Groups]:
    return blanked_groups(ids_NL, range(ids_NL.shape[1] // 2, ids_NL.shape[1]))


def _blank_in_first(ids_NL: np.ndarray) -> Iterator[Groups]:
    return blanked_groups(ids_NL, range(ids_NL.shape[1] // 2))


_BLANK_IN = (_blank_in_second, _blank_in_first)
"""By the half that captions have in common."""


def _halves(config: Config, videos: pa.Table) -> pa.Table:
    return halves(config.min_words, videos)


def _shared_halves(config: Config, claims: pa.Table) -> pa.Table:
    return shared_halves(claims)


def _captions_with_halves(config: Config, videos: pa.Table, shared: pa.Table) -> pa.Table:
    return captions_with_halves(videos, shared)


def _half(config: Config, entries: pa.Table) -> np.ndarray:
    return entries.column("half").to_numpy()


def _pairs_in(
    captions: Captions, max_group: int, groups_of: Callable[[np.ndarray], Iterator[Groups]]
) -> tuple[CaptionPairs, list[DroppedGroup]]:
    parts, templates = [], []
    videos = np.diff(captions.entry_offsets)
    for first, ids_NL in captions.of_each_length():
        words, length = ids_NL.ravel(), ids_NL.shape[1]
        for groups in groups_of(ids_NL):
            is_large = groups.sizes > max_group
            for start, size in zip(groups.starts[is_large], groups.sizes[is_large], strict=True):
                members, positions = np.divmod(groups.members[start : start + size], length)
                text = captions.text_of(ids_NL[members[0]], positions[0])
                templates.append(_template(text, videos[first + members]))
            reference, target = ordered_pairs(groups.where(~is_large))
            rows = _numbers(first, reference // length), _numbers(first, target // length)
            parts.append(CaptionPairs(*rows, words[reference], words[target]))
    return CaptionPairs.concat(parts), templates


def _crowded(captions: Captions) -> list[DroppedGroup]:
    return [DroppedGroup(text, "crowded_caption", 1, count) for text, count in captions.crowded]


def _template(text: str, videos: np.ndarray) -> DroppedGroup:
    total = int(videos.sum())
    return DroppedGroup(text, "template_group", len(videos), total, total**2 - int((videos**2).sum()))


def _numbers(first: int, rows: np.ndarray) -> np.ndarray:
    return (first + rows).astype(np.int32)


def _differing(before: list[str], after: list[str]) -> list[int]:
    return [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
