"""Strategy, then filters in order, then typed changes: captioned videos to pairs, with the funnel of every step.

A column that a filter needs (a similarity, the splits) is computed when the first filter asks for it, so only for the
pairs that are still there. Where embeddings are given, all pairs get all columns; else a similarity is null that no
filter needs.

How often the words of a change are in the captions of the corpus: a rare word is a name, a slip or a foreign one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.core.stages import count_reasons, split_dropped, write_parts
from cvr_data.features.similarities import text_similarities, visual_similarities
from cvr_data.filters import FILTERS, FilterModule, HasVersion, NeedsColumns
from cvr_data.language.normalise import word_ids
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.strategies import MINING, ReadsFiles, StrategyModule
from cvr_data.tables import PAIRS, VIDEOS
from cvr_data.videos.recordings import segments

VERSION = 2
DEFAULT_FILTERS = (
    "straddling", "min-words", "max-words", "digits", "templates", "text-similarity", "caption-pair-cap",
)  # fmt: skip

_MARKS = {
    "splits": "reference_split", "text_similarity": "text_similarity", "visual_similarity": "visual_similarity",
    "change_words": "change_words", "change_counts": "change_counts", "segments": "reference_recording",
}  # fmt: skip
"""What a filter can need -> the column that shows it is there."""
_ALWAYS = ("splits", "text_similarity", "visual_similarity")
_NOT_KEPT = ("reference_split", "target_split", "change_words", "change_counts", "reference_recording",
    "reference_start_s", "reference_end_s", "target_recording", "target_start_s", "target_end_s")  # fmt: skip
"""Columns that only filters read; dropped rows keep them, so that `cvr why-not` can tell the value."""


@dataclass(frozen=True)
class Strategy:
    """A strategy with its options."""

    name: str
    module: StrategyModule
    config: Any

    def identity(self) -> dict[str, Any]:
        """Return what of it can change the rows."""
        return {"name": self.name, "version": self.module.VERSION, **config_dict(self.config)}

    def inputs(self) -> dict[str, Path]:
        """Return the files that it reads beside the videos."""
        return self.module.inputs(self.config) if isinstance(self.module, ReadsFiles) else {}


@dataclass(frozen=True)
class Filter:
    """A filter with its options."""

    name: str
    module: FilterModule
    config: Any

    def identity(self) -> dict[str, Any]:
        """Return what of it can change the rows."""
        version = {"version": self.module.VERSION} if isinstance(self.module, HasVersion) else {}
        return {"name": self.name, **version, **config_dict(self.config)}


def parse_filter(text: str) -> Filter:
    """Return the filter of `NAME` or `NAME:key=value,key=value`; a value may be a list: `allowed=NOUN,VERB`."""
    name, _, options = text.partition(":")
    found = [option for option in re.split(r",(?=[\w-]+=|$)", options) if option]
    return Filter(name, FILTERS.get(name), FILTERS.config(name, found))


def strategy_of(name: str, options: Sequence[str]) -> Strategy:
    """Return a mining strategy with its options."""
    return Strategy(name, MINING.get(name), MINING.config(name, options))


def mine_pairs(
    videos: Path,
    embeddings: Path | None,
    strategy: Strategy,
    filters: Sequence[Filter],
    out: Path,
    *,
    overwrite: bool,
) -> Artifact:
    """Write the pairs of a corpus, and every removed one with its reason.

    Raises:
        CvrError: the videos lack a column, a filter needs embeddings that are not given, or `out` holds another thing.
    """
    writer = ArtifactWriter(
        out,
        stage="mine-pairs",
        version=VERSION,
        config={"strategy": strategy.identity(), "filters": [chosen.identity() for chosen in filters]},
        inputs={"videos": videos, **({"embeddings": embeddings} if embeddings else {}), **strategy.inputs()},
        overwrite=overwrite,
    )
    if (done := writer.finished()) is not None:
        return done
    table = check_columns(open_artifact(videos).read(), VIDEOS, str(videos))
    with writer:
        kept, dropped, funnel = _mine(table, strategy, filters, _Columns(table, embeddings))
        write_parts(writer, kept, dropped)
        return writer.finish(funnel=funnel)


class _Columns:
    """Adds the columns that filters need to the pairs that are left."""

    def __init__(self, videos: pa.Table, embeddings: Path | None):
        self.videos, self.embeddings = videos, embeddings

    def always(self) -> tuple[str, ...]:
        """Return what pairs get though no filter needs it; without features, encoding captions takes too long."""
        return _ALWAYS if self.embeddings else _ALWAYS[:1]

    def add(self, pairs: pa.Table, name: str) -> pa.Table:
        """Return the pairs with the columns that `name` in _MARKS stands for."""
        adders: Mapping[str, Callable[[pa.Table], pa.Table]] = {
            "splits": self._add_splits, "text_similarity": self._add_text, "visual_similarity": self._add_visual,
            "change_words": self._add_words, "change_counts": self._add_counts, "segments": self._add_segments,
        }  # fmt: skip
        return adders[name](pairs)

    def _add_splits(self, pairs: pa.Table) -> pa.Table:
        pairs = self._add_of_both(pairs, self.videos.select(["split", "group_id"]))
        return with_column(pairs, "split", pairs.column("target_split"))

    def _add_text(self, pairs: pa.Table) -> pa.Table:
        return with_column(pairs, "text_similarity", text_similarities(pairs, self.embeddings))

    def _add_visual(self, pairs: pa.Table) -> pa.Table:
        if self.embeddings is None:
            return with_column(pairs, "visual_similarity", pa.nulls(pairs.num_rows, pa.float32()))
        return with_column(pairs, "visual_similarity", visual_similarities(pairs, self.embeddings))

    def _add_words(self, pairs: pa.Table) -> pa.Table:
        with Progress("tag captions", None, "captions") as progress:
            return type_changes(pairs, progress.advance, with_words=True)

    def _add_counts(self, pairs: pa.Table) -> pa.Table:
        return with_column(pairs, "change_counts", change_counts(pairs, self.videos))

    def _add_segments(self, pairs: pa.Table) -> pa.Table:
        return self._add_of_both(pairs, segments(self.videos))

    def _add_of_both(self, pairs: pa.Table, of_videos: pa.Table) -> pa.Table:
        """Return the pairs with the columns that the videos have, once of the reference and once of the target."""
        ids = self.videos.column("video_id").combine_chunks()
        for side in ("reference", "target"):
            rows = pc.index_in(pairs.column(f"{side}_id"), ids)
            for name in of_videos.column_names:
                pairs = with_column(pairs, f"{side}_{name}", of_videos.column(name).take(rows))
        return pairs


def _mine(
    videos: pa.Table, strategy: Strategy, filters: Sequence[Filter], columns: _Columns
) -> tuple[pa.Table, pa.Table, list[dict[str, Any]]]:
    kept, removed = split_dropped(strategy.module.run(strategy.config, videos, columns.embeddings))
    funnel = [_step(strategy.name, None, kept, removed)]
    dropped = [_with_step(removed, 0)]
    for number, chosen in enumerate(filters, 1):
        need = chosen.module.NEEDS if isinstance(chosen.module, NeedsColumns) else None
        if need and need not in _MARKS:
            raise CvrError(f"The filter {chosen.name!r} needs the column {need!r}, which nothing computes.")
        if need and _MARKS[need] not in kept.column_names:
            kept = columns.add(kept, need)
        before = kept.num_rows
        kept, removed = split_dropped(chosen.module.run(chosen.config, kept))
        funnel.append(_step(chosen.name, before, kept, removed))
        dropped.append(_with_step(removed, number))
    for name in columns.always():
        if _MARKS[name] not in kept.column_names:
            kept = columns.add(kept, name)
    with Progress("tag captions", None, "captions") as progress:
        kept = type_changes(kept, progress.advance)
    extra = [name for name in _NOT_KEPT if name in kept.column_names]
    kept = check_columns(kept.drop_columns(extra), PAIRS, strategy.name)
    return kept, pa.concat_tables(dropped, promote_options="permissive"), funnel


def _step(name: str, rows_in: int | None, kept: pa.Table, removed: pa.Table) -> dict[str, Any]:
    return {"step": name, "in": rows_in, "out": kept.num_rows, "dropped": count_reasons(removed)}


def _with_step(removed: pa.Table, number: int) -> pa.Table:
    """Return the dropped rows with `drop_step`: 0 for the strategy, then the filters as ordered."""
    return removed.append_column("drop_step", pa.array(np.full(removed.num_rows, number, np.int32)))


CHANGE_COUNT = pa.struct([("before", pa.int64()), ("after", pa.int64())])


def change_counts(pairs: pa.Table, videos: pa.Table) -> pa.ListArray:
    """Return, aligned with `changes`, how often the rarest word of each phrase is in the videos' captions.

    Null where a phrase has no word.
    """
    corpus = word_ids(pc.list_flatten(videos.column("captions")))
    uses = np.bincount(corpus.ids, minlength=len(corpus.vocabulary))
    changes = pairs.column("changes").combine_chunks()
    structs = pc.list_flatten(changes)
    sides = [_rarest(pc.struct_field(structs, side), corpus.vocabulary, uses) for side in ("before", "after")]
    lengths = pc.fill_null(pc.list_value_length(changes), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(sides, fields=list(CHANGE_COUNT)))


def _rarest(phrases: pa.Array, vocabulary: pa.Array, uses: np.ndarray) -> pa.Array:
    named = phrases.dictionary_encode()
    words = word_ids(named.dictionary)
    rows = pc.index_in(words.vocabulary, vocabulary).to_numpy(zero_copy_only=False)
    known = np.where(np.isnan(rows), 0, np.append(uses, 0)[np.nan_to_num(rows, nan=-1).astype(np.int64)])
    has_words = np.diff(words.offsets) > 0
    counts = np.zeros(len(named.dictionary), np.int64)
    if has_words.any():
        counts[has_words] = np.minimum.reduceat(known[words.ids], words.offsets[:-1][has_words])
    return pa.array(counts, mask=~has_words).take(named.indices)
