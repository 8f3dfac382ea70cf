"""The dataset card: a README.md that says what a dataset is, how it was made, and what is not known of it.

Everything in it comes from the tables and manifests; what they do not say is written as unknown.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from cvr_data.core.artifacts import Artifact
from cvr_data.core.lineage import FunnelStep
from cvr_data.tables import SPLITS
from cvr_data.triplets.evidence import triplet_evidence_rows
from cvr_data.triplets.licences import triplet_licence_id, triplet_licence_on_hub, triplet_licence_redistributes
from cvr_data.triplets.likeness import generic_triplet_line, triplet_likeness_line
from cvr_data.triplets.shortcuts import Shortcuts
from cvr_data.triplets.statistics import triplet_counts_text, triplet_summary_text

EXAMPLES = 20
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
EXAMPLE_COLUMNS = ("triplet_id", "split", "style", "reference_id", "target_id", "reference_caption", "target_caption",
                   "modification", "backend")  # fmt: skip
MARKUP = re.compile(r"([\\`*_{}\[\]<#|~])")


@dataclass(frozen=True, kw_only=True)
class SourceOfVideos:
    """The videos of one source under one licence."""

    source: str
    licence: str
    videos: int
    is_redistributable: bool


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that the card tells."""

    name: str
    repo: str | None = None
    """The dataset's place on the Hub; None on a card that lies beside local files."""
    triplets: pa.Table
    """The rows that the examples are drawn from, as they are published."""
    numbers: Mapping[str, Any]
    """What `triplet_statistics` gave."""
    funnel: Sequence[FunnelStep]
    lineage: Sequence[Artifact]
    sources: Sequence[SourceOfVideos]
    configs: Mapping[str, Mapping[str, str]]
    """Config name -> split -> glob of its files."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path -> sha256."""
    versions: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()
    is_guarded: bool = False
    """Whether captions and media of sources that do not allow it were left out."""
    with_videos: bool = False
    clips: int = 0
    """Used videos that are clips of longer files."""
    revision: str = "main"
    pictures: Mapping[str, str] = field(default_factory=dict)
    """Video id -> path of its thumbnail."""
    shortcuts: Shortcuts | None = None
    """How many queries one input alone answers; None if that was not audited."""
    coverage: Mapping[str, Any] | None = None
    """What `cvr check-media --drop-missing` found; None if it was not run."""
    composition: Mapping[str, Any] = field(default_factory=dict)
    """By split, what `build-triplets --require composition` dropped and kept; empty if that was not asked."""
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was found out after the build (`triplets.evidence`)."""
    further_answers: int | None = None
    """Rows of further videos with the target's caption; None where nobody looked for them."""


def render_card(card: Card) -> str:
    """Return the text of the card: YAML front matter and Markdown."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    environment.filters.update(
        cell=card_cell,
        fenced=card_fenced,
        summary=triplet_summary_text,
        counts=triplet_counts_text,
        generic=generic_triplet_line,
        likeness=triplet_likeness_line,
    )
    return environment.get_template("dataset_card.md.j2").render(
        card=card,
        front_matter=yaml.safe_dump(card_front_matter(card), sort_keys=False, allow_unicode=True),
        examples=card_examples(card.triplets),
        limits=card_limits(card),
        evidence=triplet_evidence_rows(card.evidence, without=("shortcuts",)),
        leak_rules=card_leak_rules(card.lineage, card.funnel),
        splits=[(split, card.numbers["splits"][split]) for split in SPLITS if split in card.numbers["splits"]],
        all=card.numbers["all"],
        leaks=card.numbers["leaks"],
    )


def card_front_matter(card: Card) -> dict[str, Any]:
    """Return the YAML block that the Hub and `datasets` read."""
    rows = card.numbers["all"]["triplets"]
    configs = [
        {"config_name": name, "data_files": [{"split": split, "path": glob} for split, glob in splits.items()],
         **({"default": True} if name == "default" else {})}
        for name, splits in card.configs.items()
    ]  # fmt: skip
    return {
        "pretty_name": card.name,
        "license": triplet_licence_on_hub([source.licence for source in card.sources]),
        "task_categories": ["other"],
        "tags": ["composed-video-retrieval", "video-retrieval", "cvr"],
        "size_categories": [next((label for limit, label in SIZES if rows < limit), "n>1M")],
        "configs": configs,
    }


def card_examples(triplets: pa.Table) -> list[dict[str, Any]]:
    """Return rows drawn by their content hash, in turn from each split and style; the same for the same dataset."""
    queues = _queues(triplets)
    chosen = [queue[place] for place in range(EXAMPLES) for queue in queues if place < len(queue)][:EXAMPLES]
    return triplets.select(EXAMPLE_COLUMNS).take(pa.array(chosen, pa.int64())).to_pylist()


def card_example_rows(config: Any, triplets: pa.Table) -> pa.Table:
    """Return the rows of a part of the triplets that can be among the examples of all."""
    rows = [row for queue in _queues(triplets) for row in queue]
    return triplets.select(EXAMPLE_COLUMNS).take(pa.array(rows, pa.int64()))


def _queues(triplets: pa.Table) -> list[list[int]]:
    """Return the first rows of each split and style by content hash, at most as many as there are examples."""
    order = pc.sort_indices(triplets.column("triplet_id"))
    queues: dict[tuple[str, str], list[int]] = defaultdict(list)
    kinds = list(zip(triplets.column("split").to_pylist(), triplets.column("style").to_pylist(), strict=True))
    for row in order.to_pylist():
        if len(queues[kinds[row]]) < EXAMPLES:
            queues[kinds[row]].append(row)
    return [queues[kind] for kind in sorted(queues)]


def card_sources(videos: pa.Table | None, used: set[str]) -> list[SourceOfVideos]:
    """Return the used videos by source and licence; without a videos table all of them are of an unknown one."""
    counts: Counter[tuple[str, str | None]] = Counter()
    known = set()
    if videos is not None:
        names = ("video_id", "source", "licence")
        for video_id, source, licence in zip(*(videos.column(name).to_pylist() for name in names), strict=True):
            if video_id in used and video_id not in known:
                known.add(video_id)
                counts[source, licence] += 1
    counts["unknown", None] += len(used - known)
    return card_sources_in(counts)


def card_sources_in(videos: Mapping[tuple[str, str | None], int]) -> list[SourceOfVideos]:
    """Return numbers of videos by source and licence, of licences as they are written."""
    counts: Counter[tuple[str, str]] = Counter()
    for (source, licence), count in videos.items():
        counts[source, triplet_licence_id(licence)] += count
    return [
        SourceOfVideos(
            source=source, licence=licence, videos=count, is_redistributable=triplet_licence_redistributes(licence)
        )
        for (source, licence), count in sorted(counts.items())
        if count
    ]


def card_commands(lineage: Sequence[Artifact]) -> list[str]:
    """Return the command lines that made the artifacts, in order, each once."""
    return list(dict.fromkeys(artifact.manifest["command"] for artifact in lineage))


def card_leak_rules(lineage: Sequence[Artifact], funnel: Sequence[FunnelStep]) -> list[str]:
    """Return sentences on how the splits were kept apart."""
    rules = []
    for artifact in lineage:
        if artifact.stage == "split":
            settings = json.dumps(artifact.manifest["config"], sort_keys=True)
            rules.append(f"Near-duplicate videos were grouped before mining (`cvr split`, {settings}).")
    if not rules:
        rules.append("Near-duplicate videos were not looked for: whether splits share near-duplicates is unknown.")
    straddling = sum(count for step in funnel for reason, count in step.dropped.items() if "straddl" in reason)
    near = sum(count for step in funnel for reason, count in step.dropped.items() if "near_duplicate" in reason)
    rules.append(f"Rows whose videos, or their groups, straddle two splits were dropped: {straddling}.")
    rules.append(f"Videos dropped as near-duplicates of one in a more protected split: {near}.")
    if of_recording := sum(n for step in funnel for reason, n in step.dropped.items() if "same_recording" in reason):
        rules.append(f"Videos dropped as clips of a recording in a more protected split: {of_recording}.")
    return rules


def card_limits(card: Card) -> list[str]:
    """Return sentences on what a user should not rely on."""
    everything = card.numbers["all"]
    found = [
        f"The modification texts were written by: {triplet_counts_text(everything['sources_of_text'])}. "
        "Whether a person has checked them is unknown.",
        _answer_limits(card.further_answers),
        *_shortcut_limits(card.shortcuts),
        *_composition_limits(card.composition),
    ]
    without = everything["triplets"] - everything["with_frame_scores"]
    if without:
        found.append(f"{without} of {everything['triplets']} triplets have no `frame_scores`.")
    if not card.with_videos:
        found.append(f"The videos are not part of this dataset; {_coverage_text(card.coverage)}.")
    if card.clips:
        found.append(
            f"{card.clips} videos are clips of longer files: of these only the seconds from `reference_start_s` to "
            "`reference_end_s`, and from `target_start_s` to `target_end_s`, are meant."
        )
    shared = sum((card.numbers["leaks"]["texts"] or {}).values())
    if shared:
        found.append(f"{shared} texts occur in more than one split (the videos do not).")
    return found


def _shortcut_limits(shortcuts: Shortcuts | None) -> list[str]:
    """Return a sentence on queries that one input answers."""
    if shortcuts is None:
        return ["How many queries can be answered from the text alone, or from the reference alone, is unknown."]
    return [
        f"By an audit of {shortcuts.queries} queries with {shortcuts.model}, {shortcuts.text_only:.1f} % have a target "
        f"among the {shortcuts.k} best by the text alone, {shortcuts.visual_only:.1f} % by the reference alone; "
        f"needs both inputs: {shortcuts.both_text}."
    ]


def _answer_limits(further: int | None) -> str:
    """Return a sentence on right answers that are not marked."""
    others = "other videos may answer a query as well (false negatives; `cvr find-positives` looks for them)."
    if further is None:
        return f"Only mined targets are marked as correct: {others}"
    return (
        "Of val and test queries every video of the split with the target's caption, word for word, is marked as "
        f"correct ({further} rows beside those that were mined): {others}"
    )


def _composition_limits(composition: Mapping[str, Any]) -> list[str]:
    """Return a sentence per split on what one input alone solved before it was dropped."""
    return [
        f"Of {sum(told['labels'].values())} {split} queries those were dropped that a fixed pool of scorers finds by "
        f"one input ({triplet_counts_text(told['labels'])}): {told['left_of_1000']} of 1000 remain."
        for split, told in composition.items()
    ]


def _coverage_text(coverage: Mapping[str, Any] | None) -> str:
    """Return how many videos can still be had, and when that was looked at."""
    if coverage is None:
        return "how many can still be downloaded is unknown"
    when = datetime.fromtimestamp(coverage["checked_s"][0], UTC).date().isoformat()
    return (
        f"of {coverage['videos']} videos that it had, those that were gone on {when} were dropped with their triplets "
        f"({triplet_counts_text(coverage['statuses'])})"
    )


def card_cell(value: object) -> str:
    """Return a value as the text of a Markdown table cell: one line, its markup shown and not obeyed."""
    if value is None or value == "":
        return "unknown"
    return MARKUP.sub(r"\\\1", " ".join(str(value).split())).replace("://", ":\u200b//").replace("www.", "www\\.")


def card_fenced(value: object) -> str:
    """Return a text as one line of a fenced block, which it cannot end."""
    return " ".join(str(value).split()).replace("```", "'''")
