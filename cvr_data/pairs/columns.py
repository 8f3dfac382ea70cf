"""Columns of pairs that only some filters read, added by a step of their own when the first filter asks for them.

How often the words of a change are in the captions of the corpus: a rare word is a name, a slip or a foreign one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import whole_column, with_column
from cvr_data.core.parts import Bucket, read_artifact_bucket
from cvr_data.core.runner import Flow
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.core.text_bands import MINILM
from cvr_data.features.similarities import embedding_phrase_differences, text_similarities, visual_similarities
from cvr_data.language.normalise import word_ids
from cvr_data.language.tagging import ENGLISH
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.frames_by import TellsFrames
from cvr_data.videos.recordings import video_recording_segments

SHOWN_BY = {
    "splits": "reference_split", "text_similarity": "text_similarity", "visual_similarity": "visual_similarity",
    "change_words": "change_words", "change_counts": "change_counts",
    "change_reasons": "change_reasons", "seen_changes": "seen_changes", "segments": "reference_recording",
}  # fmt: skip
"""What a filter can need -> the column that shows it is there."""
OF_VIDEOS = ("splits", "segments")
"""What is known of each video, and comes with the pairs from the strategy."""
NOT_KEPT = ("reference_split", "target_split", "change_words", "change_counts", "change_reasons",
    "reference_recording",
    "reference_start_s", "reference_end_s", "target_recording", "target_start_s", "target_end_s")  # fmt: skip
"""Columns that only filters read; dropped rows keep them, so that `cvr why-not` can tell the value."""
SEGMENT_COLUMNS = ("url", "path", "start_s", "end_s", "recording_id", "recording_start_s", "recording_end_s")
CHANGE_COUNT = pa.struct([("before", pa.int64()), ("after", pa.int64())])


class WordUses(NamedTuple):
    """How often each word is in the captions of a corpus."""

    words: pa.Array
    uses: np.ndarray


def pair_column_step(
    name: str, embeddings: Path | None, uses: Side | None, encoder: str = MINILM, language: str = ENGLISH,
    frames: Side | None = None,
) -> Step:  # fmt: skip
    """Return the step that adds what `name` in SHOWN_BY stands for, unless the strategy gave it.

    Args:
        name: what a filter needs.
        embeddings: stored features; without them a visual similarity is null, and captions are encoded.
        uses: of words, for their counts.
        encoder: of the text similarity.
        language: of the captions, for their parts of speech.
        frames: who tells frames; None: the rules.
    """
    sides = (uses,) if name == "change_counts" and uses else ()
    if frames is not None and name in ("change_words", "change_reasons"):
        sides = (frames,)
    is_network = name in ("text_similarity", "seen_changes")
    return Step(
        name=name,
        run=_with_column,
        config=(name, embeddings, encoder, language),
        sides=sides,
        is_counted=False,
        on_gpu=is_network,
    )


def pair_columns_of_videos(with_segments: bool, videos: pa.Table) -> pa.Table:
    """Return `video_id`, `captions` and what filters read of a video."""
    found = videos.select(["video_id", "captions", "split", "group_id"])
    if with_segments:
        for name, column in zip(
            ("recording", "start_s", "end_s"), video_recording_segments(videos).columns, strict=True
        ):
            found = found.append_column(name, column)
    return found


def mining_word_uses(videos: Flow) -> Side:
    """Return a side of how often each word is in the captions of all videos."""
    counted = Step(name="count words", run=count_words_to_mine, makes_rows=True, is_counted=False)
    together = KeyedStep(
        name="count words", run=sum_mining_word_counts, key=ByColumn("word"), makes_rows=True, is_counted=False
    )
    return videos.run.side(videos.then(counted).then(together), load_mining_word_uses)


def load_mining_word_uses(bucket: Bucket) -> WordUses:
    """Return the counts that lie there."""
    table = pa.concat_tables(read_artifact_bucket(bucket)).combine_chunks()
    return WordUses(table.column("word").combine_chunks(), table.column("uses").to_numpy())


def pair_change_rarity(pairs: pa.Table, uses: WordUses) -> pa.ListArray:
    """Return, aligned with `changes`, how often the rarest word of each phrase is in the videos' captions.

    Null where a phrase has no word.
    """
    changes = pairs.column("changes").combine_chunks()
    structs = pc.list_flatten(changes)
    sides = [_rarest_word_of_pair(pc.struct_field(structs, side), uses) for side in ("before", "after")]
    lengths = pc.fill_null(pc.list_value_length(changes), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(sides, fields=list(CHANGE_COUNT)))


def _rarest_word_of_pair(phrases: pa.Array, uses: WordUses) -> pa.Array:
    named = phrases.dictionary_encode()
    words = word_ids(named.dictionary)
    rows = pc.index_in(words.vocabulary, uses.words).to_numpy(zero_copy_only=False)
    known = np.where(np.isnan(rows), 0, np.append(uses.uses, 0)[np.nan_to_num(rows, nan=-1).astype(np.int64)])
    has_words = np.diff(words.offsets) > 0
    counts = np.zeros(len(named.dictionary), np.int64)
    if has_words.any():
        counts[has_words] = np.minimum.reduceat(known[words.ids], words.offsets[:-1][has_words])
    return pa.array(counts, mask=~has_words).take(named.indices)


def count_words_to_mine(config: None, videos: pa.Table) -> pa.Table:
    """Return each word of the captions of a part, and how often it is there."""
    corpus = word_ids(pc.list_flatten(videos.column("captions")))
    uses = np.bincount(corpus.ids, minlength=len(corpus.vocabulary))
    return pa.table({"word": corpus.vocabulary, "uses": uses})


def sum_mining_word_counts(config: None, counts: pa.Table) -> pa.Table:
    """Return the counts of equal words as one, sorted by the words."""
    sums = counts.group_by("word").aggregate([("uses", "sum")]).sort_by("word")
    return sums.rename_columns(["word", "uses"])


def _with_column(about: tuple[str, Path | None, str, str], pairs: pa.Table, *sides: Any) -> pa.Table:
    name, embeddings, encoder, language = about
    if name == "text_similarity" and name not in pairs.column_names:
        return with_column(pairs, name, text_similarities(pairs, embeddings, encoder))
    if name == "change_words" and name not in pairs.column_names:
        return type_changes(pairs, with_words=True, language=language, frames=next(iter(sides), None))
    return pairs if SHOWN_BY[name] in pairs.column_names else _ADDERS[name](embeddings, pairs, *sides)


def _add_visual(embeddings: Path | None, pairs: pa.Table) -> pa.Table:
    if embeddings is None:
        return with_column(pairs, "visual_similarity", pa.nulls(pairs.num_rows, pa.float32()))
    return with_column(pairs, "visual_similarity", visual_similarities(pairs, embeddings))


def _add_seen(embeddings: Path | None, pairs: pa.Table) -> pa.Table:
    """Add, aligned with `changes`, by how much the frames with what comes or goes fit it better than those without.

    Null where both sides are filled, or features of a video are not stored.
    """
    changes = pairs.column("changes").combine_chunks()
    structs, rows = pc.list_flatten(changes), pc.list_parent_indices(changes)
    before, after = (pc.fill_null(pc.struct_field(structs, side), "") for side in ("before", "after"))
    goes = pc.equal(after, "")
    phrases = pc.if_else(goes, before, pc.if_else(pc.equal(before, ""), after, None))
    ids = [whole_column(pairs.column(f"{side}_id")).take(rows) for side in ("reference", "target")]
    having, lacking = pc.if_else(goes, *ids), pc.if_else(goes, *ids[::-1])
    if embeddings is None:
        found = pa.nulls(len(structs), pa.float32())
    else:
        found = pa.array(embedding_phrase_differences(phrases, having, lacking, embeddings), from_pandas=True)
    lengths = pc.fill_null(pc.list_value_length(changes), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    return with_column(pairs, "seen_changes", pa.ListArray.from_arrays(offsets, found))


def _add_reasons(embeddings: Path | None, pairs: pa.Table, frames: TellsFrames | None = None) -> pa.Table:
    return type_changes(pairs, with_reasons=True, frames=frames)


def _add_counts(embeddings: Path | None, pairs: pa.Table, uses: WordUses) -> pa.Table:
    return with_column(pairs, "change_counts", pair_change_rarity(pairs, uses))


_ADDERS: Mapping[str, Callable[..., pa.Table]] = {
    "visual_similarity": _add_visual, "seen_changes": _add_seen, "change_counts": _add_counts,
    "change_reasons": _add_reasons,
}  # fmt: skip
