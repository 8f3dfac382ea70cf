"""Strategy, then filters in order, then typed changes: captioned videos to pairs, with the funnel of every step.

A column that a filter needs (a similarity, word counts) is computed when the first filter asks for it, so only for the
pairs that are still there. Where embeddings are given, all pairs get all columns; else a similarity is null that no
filter needs. A strategy and the filters after it are one pass over the parts, up to a filter whose groups lie apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.chosen import Chosen, choose_registered_components, parse_component_choice
from cvr_data.core.columns import check_columns, set_drop_reason_column
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ClaimStep, KeyedStep, Side, Step
from cvr_data.core.text_bands import MINILM, check_default_band
from cvr_data.features.similarities import check_text_frame_similarity, text_encoder_of
from cvr_data.filters import (
    FILTERS,
    ClaimsPlaces,
    FilterModule,
    MeetsInGroups,
    NeedsColumns,
)
from cvr_data.language.tagging import ENGLISH, spacy_model_name
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.columns import (
    NOT_KEPT,
    OF_VIDEOS,
    SEGMENT_COLUMNS,
    SHOWN_BY,
    mining_word_uses,
    pair_column_step,
    pair_columns_of_videos,
)
from cvr_data.pairs.frames_by import TellsFrames, mining_frames_side
from cvr_data.pairs.languages_read import check_strategy_languages
from cvr_data.pairs.strategies import (
    STRATEGIES,
    NeedsFilter,
    ReadsDescriptions,
    ReadsFiles,
    ReadsFrames,
    StrategyModule,
)
from cvr_data.tables import PAIRS, VIDEOS

VERSION = 6
DEFAULT_FILTERS = (
    "straddling", "min-words", "max-words", "digits", "templates", "invisible-change", "text-similarity",
    "caption-pair-cap",
)  # fmt: skip
KNOWING_ENGLISH = ("invisible-change", "text-similarity")
"""Default filters that captions of another language do without."""
BY_FRAMES, SEEN = "visual-similarity", "seen_changes"
"""The filter that goes by frames alone, and the column for which frames are compared with words: both need features of
frames. Other filters read a similarity of frames only where there is one."""
GUARD = "straddling"
"""The filter that keeps test videos out of training pairs; it runs first unless it is taken out by name."""

_ALWAYS = ("text_similarity", "visual_similarity")
"""What pairs get though no filter needs it, where features are given: without, encoding captions takes too long."""


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


Filter = Chosen[FilterModule]


def parse_mining_filter(text: str) -> Filter:
    """Return the filter of `NAME` or `NAME:key=value,key=value`."""
    return parse_component_choice(FILTERS, text)


def choose_mining_filters(texts: Sequence[str], language: str | None = None) -> list[Filter]:
    """Return the filters that `--filter` names, in order, after the guard against leaks (`core.chosen`).

    Raises:
        CvrError: an unknown name or option, or `none` or `-NAME` where there is nothing to take out.
    """
    return choose_registered_components(FILTERS, texts, default_mining_filters(language), GUARD)


def strategy_of(name: str, options: Sequence[str]) -> Strategy:
    """Return a mining strategy with its options."""
    return Strategy(name, STRATEGIES.get(name), STRATEGIES.config(name, options))


def default_mining_filters(language: str | None) -> tuple[str, ...]:
    """Return the names of the filters that captions of a language get where none are given."""
    is_english = language in (None, ENGLISH)
    return DEFAULT_FILTERS if is_english else tuple(name for name in DEFAULT_FILTERS if name not in KNOWING_ENGLISH)


def mine_pairs(
    videos: Path,
    embeddings: Path | None,
    strategy: Strategy,
    filters: Sequence[Filter],
    out: Path,
    *,
    overwrite: bool,
    language: str | None = None,
    frames: Path | None = None,
) -> Artifact:
    """Write the pairs of a corpus, and every removed one with its reason.

    The language is that of the captions: `en`, or what `spacy_model_of_language` takes; None is English unless the
    import told else. `frames` is an artifact that tells what captions say instead of the rules.

    Raises:
        CvrError: the videos lack a column, a filter needs embeddings that are not given, `out` holds another thing, or
            captions are in a language that a filter or the strategy does not read.
    """
    inputs = {"videos": videos, **({"embeddings": embeddings} if embeddings else {}), **strategy.inputs()}
    inputs |= {"frames": frames} if frames is not None else {}
    config = {"strategy": strategy.identity(), "filters": [chosen.identity() for chosen in filters]}
    if (spoken := language or ENGLISH) != ENGLISH:
        config["language"] = spacy_model_name(spoken)
    run = StageRun(out, stage="mine-pairs", version=VERSION, config=config, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    needs = [_need(chosen) for chosen in filters]
    _check_frames(strategy, filters, embeddings)
    encoder = _text_encoder(strategy, filters, embeddings)
    check_strategy_languages(videos, [strategy, *filters], language)
    read = _Read("segments" in needs, _reads_descriptions(strategy), str(videos))
    with run:
        told = mining_frames_side(run, frames) if frames is not None else None
        corpus = _videos(run, videos, read)
        uses = mining_word_uses(corpus) if "change_counts" in needs else None
        if told is not None and isinstance(strategy.module, ReadsFrames):
            pairs = strategy.module.mined_by(strategy.config, corpus, embeddings, told)
        else:
            pairs = strategy.module.mined(strategy.config, corpus, embeddings)
        pairs = _filtered(pairs, strategy, filters, _Columns(embeddings, uses, encoder, spoken, told))
        sides = () if told is None else (told,)
        pairs = pairs.then(Step(name="changes", run=_typed, config=spoken, sides=sides, is_counted=False))
        return run.write(pairs, PAIRS, sort_by=("reference_id", "target_id", "pair_id"), text_encoder=encoder)


def _check_frames(strategy: Strategy, filters: Sequence[Filter], embeddings: Path | None) -> None:
    """Raise CvrError where features of frames are to be looked at, and are not given or nobody looks."""
    names = [chosen.name for chosen in filters]
    seeing = [chosen.name for chosen in filters if _need(chosen) == SEEN]
    wanted = next((name for name in names if name == BY_FRAMES or name in seeing), None)
    if embeddings is None and wanted is not None:
        raise CvrError(f"--filter {wanted} looks at features of frames; pass --embeddings.")
    if embeddings is not None and seeing:
        check_text_frame_similarity(embeddings)
    needed = strategy.module.needed_filter(strategy.config) if isinstance(strategy.module, NeedsFilter) else None
    if needed is not None and needed not in names:
        raise CvrError(f"{strategy.name} leaves it to a filter what is a change; give --filter +{needed}, too.")


def _reads_descriptions(strategy: Strategy) -> bool:
    module = strategy.module
    return isinstance(module, ReadsDescriptions) and module.reads_descriptions(strategy.config)


def _text_encoder(strategy: Strategy, filters: Sequence[Filter], embeddings: Path | None) -> str:
    """Return the encoder that the text similarity is by: the strategy's where it searches by one, else the filter's.

    Raises:
        CvrError: a band is of another encoder.
    """
    wanted = next((chosen.config.encoder for chosen in filters if chosen.name == "text-similarity"), None)
    if (searched := getattr(strategy.config, "text_encoder", None)) is None:
        return wanted or MINILM
    searched = text_encoder_of(embeddings) if embeddings else searched
    try:
        check_default_band(searched, (strategy.config.low, strategy.config.high))
    except ValueError as error:
        raise CvrError(f"{strategy.name}: {error}") from None
    if wanted not in (None, searched):
        raise CvrError(
            f"{strategy.name} searches by {searched}, and the band of the filter text-similarity is of {wanted}; give "
            f"--filter +text-similarity:encoder={searched},low=LOW,high=HIGH, which `cvr calibrate` finds."
        )
    return searched


@dataclass
class _Columns:
    """Which columns the pairs have by now, and what others are made of."""

    embeddings: Path | None
    uses: Side | None
    text_encoder: str
    """Of the text similarity: one for the whole column."""
    language: str
    frames: Side | None = None
    known: tuple[str, ...] = OF_VIDEOS

    def with_column(self, pairs: Flow, name: str | None) -> Flow:
        """Return the pairs with what a filter needs, unless they have it."""
        if name is None or name in self.known:
            return pairs
        self.known = (*self.known, name)
        return pairs.then(
            pair_column_step(name, self.embeddings, self.uses, self.text_encoder, self.language, self.frames)
        )


def _need(chosen: Filter) -> str | None:
    need = chosen.module.NEEDS if isinstance(chosen.module, NeedsColumns) else None
    if need and need not in SHOWN_BY:
        raise CvrError(f"The filter {chosen.name!r} needs the column {need!r}, which nothing computes.")
    return need


@dataclass(frozen=True)
class _Read:
    """What is read of videos, and where."""

    with_segments: bool
    with_descriptions: bool
    folder: str


def _videos(run: StageRun, videos: Path, read: _Read) -> Flow:
    """Return the videos with what filters read of them."""
    columns = ["video_id", "captions", "split", "group_id", *(SEGMENT_COLUMNS if read.with_segments else ())]
    columns += ["description"] if read.with_descriptions else []
    required = [field.name for field in VIDEOS if not field.nullable]
    return run.read(videos, columns, required).then(Step(name="read", run=_read, config=read, is_counted=False))


def _read(config: _Read, part: pa.Table) -> pa.Table:
    schema = pa.schema([VIDEOS.field(name) for name in ("video_id", "captions", "split", "group_id")])
    checked = check_columns(part, schema, config.folder)
    found = pair_columns_of_videos(config.with_segments, checked)
    if config.with_descriptions and "description" in part.column_names:
        found = found.append_column("description", part.column("description").cast(pa.string()))
    return found


def _filtered(pairs: Flow, strategy: Strategy, filters: Sequence[Filter], columns: _Columns) -> Flow:
    """Return the pairs with the filters in order, and the columns that they need and all pairs get."""
    meet_by = strategy.module.MEET_BY
    for chosen in filters:
        pairs = columns.with_column(pairs, _need(chosen))
        about = {"name": chosen.name, "run": chosen.module.run, "config": chosen.config}
        if isinstance(chosen.module, ClaimsPlaces):
            about["run"] = partial(_lost, chosen.module.REASON)
            pairs = pairs.then(
                ClaimStep(**about, claims=chosen.module.claims, settle=chosen.module.settle, per_value=2)
            )
        elif isinstance(chosen.module, MeetsInGroups) and chosen.module.MEET_BY != meet_by:
            meet_by = chosen.module.MEET_BY
            pairs = pairs.then(KeyedStep(**about, key=chosen.module.key))
        else:
            pairs = pairs.then(Step(**about))
    for name in _ALWAYS if columns.embeddings else ():
        pairs = columns.with_column(pairs, name)
    return pairs


def _lost(reason: str, config: Any, pairs: pa.Table, losing: pa.Table) -> pa.Table:
    return set_drop_reason_column(pairs, losing.column("row").to_numpy(), reason)


def _typed(language: str, pairs: pa.Table, frames: TellsFrames | None = None) -> pa.Table:
    typed = type_changes(pairs, language=language, frames=frames)
    return typed.drop_columns([name for name in NOT_KEPT if name in typed.column_names])
