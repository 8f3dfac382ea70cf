"""Pair videos of which the same is told but for a thing or two that exclude each other: a guitar here, a piano there.

Each caption is parsed, and what it states is told as slots: who, does what, to what, where, when, of what colour. Two
videos are a pair if captions of theirs fill the same slot with words that exclude each other (siblings under a hypernym
of WordNet, two colours, a man and a woman), and nothing else that they tell clashes. What only one of them tells is no
change, as silence is not absence; with `additions=take`, a thing is added or removed that several captions of the one
video name, or a caption and its description, and none of many of the other, nor its description of many things. They
must have something specific in common, a thing that is no person or what is done, and much, next to what one tells
alone; rare words weigh more. No caption of the reference may tell what comes in, and none of the target's what goes
out. The captions of a pair are those that state its changes.

Statements are found by their specific words, so most of the corpus is never compared.

Source: the concepts that a pair retains, injects and excludes are those of FineCVR-1M, FDCA, Wu et al., ICLR 2025
(https://openreview.net/forum?id=wGa2plE8ka); its prompts and code were not released.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError
from cvr_data.core.mapped_rows import MappedRows, mapped
from cvr_data.core.parts import mix_hash_bits
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.core.reading import read_text
from cvr_data.core.runner import Flow
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.language.words import words_of
from cvr_data.pairs.columns import sum_mining_word_counts
from cvr_data.pairs.frames_by import TellsFrames
from cvr_data.pairs.search.concept_pairs import best_pairs, pair_columns
from cvr_data.pairs.search.pairs import pairs_with_video_columns
from cvr_data.pairs.search.statement_pairs import Limits, Words, compare_statement_pairs
from cvr_data.pairs.search.statement_search import Search, mine_paired_statements
from cvr_data.pairs.search.statement_tables import (
    NAMED,
    STATED,
    encode_mining_words,
    load_minilm_mining_words,
    load_mining_words,
    mining_caption_statements,
    mining_structs_column,
    mining_word_document_counts,
    mining_word_rarities,
    number_mining_statements,
    sentences_to_mine,
    statements_to_pair,
)  # fmt: skip
from cvr_data.tables import pair_id

VERSION = 4
LANGUAGES = ("en",)
NAME = "concept"
MEET_BY = "reference"
CAPTIONS = 8192
"""Captions of a job that parses them."""
FOUND = 100_000
"""Pairs of statements of a job that makes pairs of videos of them."""

EXAMPLE = {
    "a red car drives by": ["a blue car drives by"],
    "a blue car drives by": ["a red car drives by"],
    "rain falls": [],
}


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    targets: int = field(default=30, metadata=option_range(SIZE))
    """Targets of a reference, at most: those that it has most in common with."""
    max_changes: int = field(default=2, metadata=option_range(SIZE))
    """Slots that change, at most; more are another scene."""
    min_common: float = field(default=0.25, metadata=option_range("[0, 1]"))
    """What both tell, by weight, of that and half of what one of them tells alone; changes do not count."""
    min_rarity: float = 1.5
    """Weight of a word that can be all that two videos have in common: 1.5 is a word of every fifth video, 3 of every
    twentieth; ln((videos + 100) / (videos that name it + 1))."""
    caption_share: float = field(default=0.1, metadata=option_range("[0, 1]"))
    """Of a video's captions, those that must name what fills a slot: with one to ten captions, any."""
    max_group: int = field(default=2000, metadata=option_range("[2, inf)"))
    """Statements that are all compared because they have one word in common; of more, those that are most alike."""
    additions: Literal["drop", "take", "seen"] = "drop"
    """Whether a thing that several captions of one video name (three, and three in ten), or one and its description, is
    a change if none of five or more of the other does, nor a description that names eight things: "add a dog". Of such
    pairs of MSR-VTT an eighth to a third was good as read; a microphone may be there unsaid. `seen`: whatever one
    caption names and the other video's do not, which the filter seen-addition then judges by frames alone."""
    tie_breaker: Literal["none", "minilm"] = "none"
    """What decides whether two nouns that WordNet does not relate exclude each other: nothing, so that they are a
    change only where all else is the same, or how near MiniLM finds them (tablet, phone)."""
    synonyms: Path | None = None
    """Groups of words that are one, a line each: `big, large, huge`."""

    def limits(self) -> Limits:
        """Return what a pair of statements is."""
        takes, is_seen = self.additions != "drop", self.additions == "seen"
        return Limits(self.min_rarity, self.min_common, self.max_changes, takes, is_seen)


def reads_descriptions(config: Config) -> bool:
    """Return whether descriptions are evidence of what is there, and what is not."""
    return config.additions != "drop"


def needed_filter(config: Config) -> str | None:
    """Return the filter without which silence would be taken for absence."""
    return "seen-addition" if config.additions == "seen" else None


def inputs(config: Config) -> dict[str, Path]:
    """Return the files that are read beside the videos."""
    return {"synonyms": config.synonyms} if config.synonyms is not None else {}


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return one row per ordered pair, and one with `drop_reason` per pair or video that was left out.

    Raises:
        CvrError: the file of synonyms cannot be read.
    """
    return mined_by(config, videos, embeddings, None)


def mined_by(config: Config, videos: Flow, embeddings: Path | None, frames: Side | None) -> Flow:
    """Return what `mined` does, of frames that somebody else tells.

    Raises:
        CvrError: the file of synonyms cannot be read.
    """
    run = videos.run
    about: dict[str, Any] = {"config": config, "makes_rows": True, "is_counted": False}
    sides = () if frames is None else (frames,)
    parsed = KeyedStep(name="parse", run=_told, key=ByColumn("video_id"), bucket_values=CAPTIONS, sides=sides, **about)
    rows = run.rested(videos.then(parsed))
    counts = rows.then(Step(name="words", run=mining_word_document_counts, **about))
    load = load_mining_words if config.tie_breaker == "none" else load_minilm_mining_words
    words = run.side(
        counts.then(KeyedStep(name="count words", run=sum_mining_word_counts, key=ByColumn("word"), **about)), load
    )
    known, total = mapped(rows.then(Step(name="stated", run=_stated, **about)), "video_id")
    found = mine_paired_statements(run, known, total, words, Search(config.limits(), config.max_group))
    left_out = rows.then(Step(name="left out", run=_left_out, **about))
    pairs = KeyedStep(
        name=NAME, run=_pairs, key=_by_reference, config=config, sides=(known, words), makes_rows=True,
        bucket_values=FOUND,
    )  # fmt: skip
    return run.meet([found, left_out], pairs)


def explain(config: Config, reference: str, target: str) -> str:
    """Return what of two captions excludes each other; how rare their words are is not asked."""
    return explain_by(config, reference, target, None)


def explain_by(config: Config, reference: str, target: str, frames: TellsFrames | None) -> str:
    """Return what `explain` does, of frames that somebody else tells."""
    captions = (reference, target)
    if frames is not None:
        told = mining_caption_statements(captions, read_strategy_synonyms(config.synonyms), frames)
        if lacking := next((each for each in captions if told[each].frame is None), None):
            return f"not a pair: no frame came of {lacking!r}"
        stated, named = zip(*(statements_to_pair([each], told, 0) for each in captions), strict=True)
    else:
        stated, named = zip(*(_stated_once(each, config.synonyms) for each in captions), strict=True)
    if not all(stated):
        return "not a pair: a caption names nothing that can be seen"
    names = pa.array(sorted({each["word"] for words in named for each in words}), pa.string())
    words = mining_word_rarities(
        names, np.ones(len(names)), 100, None if config.tie_breaker == "none" else encode_mining_words
    )
    found = number_mining_statements(mining_structs_column(stated, STATED), *words)
    ones, others = (np.flatnonzero(found.video_N == side) for side in (0, 1))
    rows = np.repeat(ones, len(others)), np.tile(others, len(ones))
    limits = replace(config.limits(), rarity=0)
    sides = [found.statements.take(each) for each in rows]
    pairs = compare_statement_pairs(sides[0], sides[1], words[1], limits)
    if not len(pairs.rows):
        return "not a pair: no slot of theirs is filled with words that exclude each other while the rest stays"
    best = np.argmax(pairs.mass_P)
    ends = found.statements.words_NS[[each[pairs.rows[best]] for each in rows]]
    changed = [" -> ".join(names[int(word)].as_py().split(" ", 1)[1] for word in ends[:, slot])
               for slot in np.flatnonzero(pairs.changes_PS[best])]  # fmt: skip
    told_so = "no other caption of either tells both sides, and what they share is rare"
    return f"a pair if {told_so}, among the {config.targets} best of the reference: {', '.join(changed)}"


def read_strategy_synonyms(path: Path | None) -> dict[str, str]:
    """Return word -> first word of its line, in a file of groups of words that are one.

    Raises:
        CvrError: no such file, or a word in two groups.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise CvrError(f"No file of synonyms at {path}; it has one group a line: big, large, huge")
    stands_for: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        group = [said for word in line.split(",") if (said := " ".join(words_of(word)))]
        for word in group:
            if stands_for.setdefault(word, group[0]) != group[0]:
                raise CvrError(f"{path}, line {number}: {word!r} is in two groups; a word stands for one other only.")
    return stands_for


@lru_cache(maxsize=1000)
def _stated_once(caption: str, synonyms: Path | None) -> tuple[Any, Any]:
    """What one caption states and names: it is asked for with each caption of the other video."""
    return statements_to_pair([caption], mining_caption_statements([caption], read_strategy_synonyms(synonyms)), 0)


def _told(config: Config, videos: pa.Table, frames: TellsFrames | None = None) -> pa.Table:
    """Return the videos with what their captions state and name, and not the captions."""
    captions = videos.column("captions").to_pylist()
    described = [sentences_to_mine(text) for text in _descriptions(videos)]
    said = [caption for found in (*captions, *described) for caption in found or ()]
    told = mining_caption_statements(said, read_strategy_synonyms(config.synonyms), frames)
    rows = [
        statements_to_pair(found or (), told, config.caption_share, sentences)
        for found, sentences in zip(captions, described, strict=True)
    ]
    stated, named = zip(*rows, strict=True) if rows else ((), ())
    videos = videos.drop_columns([name for name in ("captions", "description") if name in videos.column_names])
    return videos.append_column("stated", mining_structs_column(stated, STATED)).append_column(
        "named", mining_structs_column(named, NAMED)
    )


def _descriptions(videos: pa.Table) -> list[str | None]:
    return videos.column("description").to_pylist() if "description" in videos.column_names else [None] * len(videos)


def _is_stated(videos: pa.Table) -> pa.ChunkedArray:
    return pc.greater(pc.list_value_length(videos.column("stated")), 0)


def _stated(config: Config, videos: pa.Table) -> pa.Table:
    return videos.filter(_is_stated(videos))


def _left_out(config: Config, videos: pa.Table) -> pa.Table:
    """Return the videos that are in no pair, as nothing that they tell can be seen."""
    videos = videos.filter(pc.invert(_is_stated(videos))).drop_columns(["stated", "named"])
    return videos.append_column("reason", pa.repeat("no_concepts", videos.num_rows).cast(pa.string()))


def _by_reference(config: Config, found: pa.Table) -> np.ndarray:
    if "reference" not in found.column_names:
        return ByColumn("video_id")(config, found)
    return mix_hash_bits(found.column("reference").to_numpy().astype(np.uint64))


def _pairs(config: Config, found: pa.Table, known: MappedRows, words: tuple[pa.Array, Words]) -> pa.Table:
    """Return the best pairs of the videos that were found, and those that were left out."""
    left_out = found.filter(pc.is_valid(found.column("reason")))
    of_videos = [name for name in left_out.column_names if name in known.tables[0].column_names]
    found = found.filter(pc.is_valid(found.column("reference")))
    numbers, local = np.unique([found.column(name).to_numpy() for name in ("reference", "target")], return_inverse=True)
    videos = known.take(numbers.astype(np.int64), [*of_videos, "stated", "named"])
    best = best_pairs(config.limits(), config.targets, found, local.reshape(2, -1), videos, words)
    pairs = pair_columns(best, videos, NAME)
    dropped = _dropped(left_out)
    of_all = pa.concat_tables([videos.select(of_videos), left_out.select(of_videos)])
    return pairs_with_video_columns(pa.concat_tables([pairs, dropped], promote_options="permissive"), of_all)


def _dropped(left_out: pa.Table) -> pa.Table:
    """Return one dropped row per video that was left out."""
    rows = [
        {
            "pair_id": pair_id(row["video_id"], "", "", ""),
            "reference_id": row["video_id"],
            "strategy": NAME,
            "drop_reason": row["reason"],
        }
        for row in sorted(left_out.select(["video_id", "reason"]).to_pylist(), key=lambda row: row["video_id"])
    ]
    names = ("pair_id", "reference_id", "strategy", "drop_reason")
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))
