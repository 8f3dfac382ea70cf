"""The page of `cvr stats --html`: a dataset in pictures, one file that loads nothing else.

page = stats_page(Path("annotations/quickstart"))
Path("stats.html").write_text(stats_page_html(page), encoding="utf-8")
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact
from cvr_data.core.command_line import running_command
from cvr_data.core.lineage import lineage
from cvr_data.language.words import words_of
from cvr_data.pages.cards import TripletCard, captions_on_page, media_on_page, page_cards, random_page_cards
from cvr_data.pages.charts import NARROW, Bar, Figure, FunnelBar, bar_chart
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.funnel import funnel_bars, funnel_figure, words_on_page
from cvr_data.pages.histogram import Bound, histogram, histogram_counts
from cvr_data.pages.page import page_environment, page_with_clips, show_clips_on_page
from cvr_data.triplets.answers import FURTHER_ANSWERS
from cvr_data.triplets.card import card_commands
from cvr_data.triplets.dataset import Dataset, open_dataset
from cvr_data.triplets.evidence import Evidence, evidence_of, evidence_rows
from cvr_data.triplets.likeness import generic_text, likeness_text
from cvr_data.triplets.statistics import triplet_counts_text, triplet_statistics

RANDOM = 12
"""Triplets drawn at random."""
ENDS = 4
"""Triplets with the highest, and with the lowest, of each score."""
BEST_FRAME = "best frame score"
SIMILARITIES = {"text_similarity": "Caption similarity", "visual_similarity": "Visual similarity"}


@dataclass(frozen=True)
class Panel:
    """One chart under its title."""

    title: str
    note: str
    drawing: str


@dataclass(frozen=True)
class RankedCards:
    """The triplets at both ends of one score."""

    score: str
    low: list[TripletCard]
    high: list[TripletCard]


@dataclass(frozen=True, kw_only=True)
class StatsPage:
    """Everything on the page."""

    title: str
    made: str
    command: str
    seed: int
    facts: list[tuple[str, str]]
    steps: list[FunnelBar]
    funnel: Figure | None
    sections: list[tuple[str, str, list[Panel]]]
    """(anchor, title, charts)."""
    splits: dict[str, dict[str, Any]]
    leaks: dict[str, Any]
    cards: list[TripletCard]
    ranked: list[RankedCards]
    commands: list[str]
    clips: ClipShelf
    captions: dict[str, str]
    worth: list[tuple[str, str]]
    """What is known of how hard, complete and human the queries are: title and text."""


def stats_page(folder: Path, *, videos: Path | None = None, seed: int = 0, evidence: Sequence[Path] = ()) -> StatsPage:
    """Return what the page says of the triplets in a folder, and of the evidence beside them.

    Raises:
        CvrError: the folder holds no triplets, or the videos have moved or changed.
    """
    dataset = open_dataset(folder, videos=videos)
    triplets, numbers = dataset.triplets, triplet_statistics(dataset.triplets, dataset.videos)
    made_of, steps = lineage([folder]), funnel_bars(folder)
    return StatsPage(
        title=str(dataset.artifact.manifest.get("name") or folder.resolve().name),
        made=date.today().isoformat(),
        command=running_command(),
        seed=seed,
        facts=_facts_on_page(numbers),
        steps=steps,
        funnel=funnel_figure(steps) if steps else None,
        sections=[section for section in _sections(dataset, numbers["all"], made_of) if section[2]],
        splits=numbers["splits"],
        leaks=numbers["leaks"],
        cards=random_page_cards(triplets, count=RANDOM, seed=seed),
        ranked=_ranked_cards(triplets),
        commands=card_commands(made_of),
        clips=ClipShelf(media_on_page(dataset.videos)),
        captions=captions_on_page(triplets, dataset.videos),
        worth=_worth(numbers["all"], dataset.artifact.manifest, evidence_of(evidence, triplets)),
    )


def stats_page_html(page: StatsPage) -> str:
    """Return the page as HTML that loads nothing from outside itself."""
    made = page_environment()
    show_clips_on_page(made, page.clips, page.captions)
    return page_with_clips(made.get_template("stats.html.j2").render(page=page, words=words_on_page), page.clips)


def _facts_on_page(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    whole = numbers["all"]
    return [
        ("Triplets", f"{whole['triplets']:,}"),
        ("By split", triplet_counts_text({split: found["triplets"] for split, found in numbers["splits"].items()})),
        ("Queries", f"{whole['queries']:,}, {whole['queries_with_several_targets']:,} with several targets"),
        ("Videos", f"{whole['videos']:,}"),
        ("Near-duplicate groups", f"{whole['groups']:,}" if whole["groups"] else "unknown"),
        ("Distinct texts", f"{whole['texts']:,}, of {whole['words']:,} words"),
        ("Sources of the videos", triplet_counts_text(whole["sources"])),
        ("Licences of the videos", triplet_counts_text(whole["licences"])),
    ]


def _labels_on_page(labels: Mapping[str, int]) -> str:
    return triplet_counts_text({label.replace("_", " "): count for label, count in labels.items()})


def _worth(numbers: dict[str, Any], manifest: Mapping[str, Any], evidence: Evidence) -> list[tuple[str, str]]:
    composition = manifest.get("composition") or {}
    asked = [
        f"{split}: {_labels_on_page(told['labels'])}; {told['left_of_1000']} of 1000 remain."
        for split, told in composition.items()
    ]
    further = manifest.get(FURTHER_ANSWERS)
    return [
        ("needs both inputs", " ".join(asked) or "not asked (build-triplets --require composition)"),
        ("further answers with the target's caption", "unknown" if further is None else f"{further:,} rows"),
        *evidence_rows(evidence),
        ("generic texts", generic_text(numbers["generic"])),
        ("like people wrote", likeness_text(numbers["likeness"])),
    ]


def _sections(
    dataset: Dataset, numbers: dict[str, Any], made_of: Sequence[Artifact]
) -> list[tuple[str, str, list[Panel]]]:
    texts = dataset.triplets.column("modification").to_pylist()
    length_of = {found: len(words_of(found)) for found in set(texts)}
    changes = numbers["changes"]
    top = [(name.replace("->", "→"), count) for name, count in changes["top"]]
    text_panels = [
        _distribution("Words per text", [length_of[found] for found in texts], "words", whole=True),
        _counted_panel("Styles", numbers["styles"]),
        _counted_panel("Who wrote them", numbers["sources_of_text"]),
    ]
    change_panels = [
        _counted_panel("Kinds of change", changes["kinds"]),
        _counted_panel("What changes", changes["slots"]),
        _counted_panel("Most frequent changes", dict(top[:12]), note=f"{changes['distinct']:,} distinct"),
    ]
    frequent = _counted_panel("Most frequent texts", dict(numbers["top_texts"][:12]))
    similar = [_similarity(name, title, dataset.triplets, made_of) for name, title in SIMILARITIES.items()]
    return [
        ("texts", "Texts", _drawn_panels([*text_panels, frequent])),
        ("changes", "Changes", _drawn_panels(change_panels)),
        ("similarity", "Similarity of reference and target", _drawn_panels(similar)),
        ("videos", "Videos", _drawn_panels(_of_videos(dataset))),
    ]


def _drawn_panels(panels: Sequence[Panel | None]) -> list[Panel]:
    return [panel for panel in panels if panel is not None]


def _distribution(title: str, values: Sequence[float], unit: str, *, whole: bool = False) -> Panel | None:
    if not len(values):
        return None
    median = f"median {np.median(values):.3g}, mean {np.mean(values):.3g}"
    drawing = histogram(histogram_counts(values, whole=whole), width=NARROW, title=f"{title}: {median}", x_label=unit)
    return Panel(title, median, drawing)


def _counted_panel(title: str, counts: dict[str, int], note: str = "") -> Panel | None:
    if not counts:
        return None
    ranked = sorted(counts.items(), key=lambda entry: -entry[1])
    rows = [Bar(name, count, f"{count:,}") for name, count in ranked]
    named = f"{title}: " + ", ".join(f"{name} {count}" for name, count in ranked)
    return Panel(title, note, bar_chart(rows, width=NARROW, title=named))


def _of_videos(dataset: Dataset) -> list[Panel | None]:
    if dataset.videos is None:
        return []
    ends = [dataset.triplets.column(f"{end}_id").combine_chunks() for end in ("reference", "target")]
    used = dataset.videos.filter(pc.is_in(dataset.videos["video_id"], pa.concat_arrays(ends)))
    seconds = used["duration_s"].drop_null().to_pylist()
    lengths = [len(words_of(captions[0])) for captions in used["captions"].to_pylist() if captions]
    return [
        _distribution("Seconds per video", seconds, "seconds"),
        _distribution("Words per caption", lengths, "words", whole=True),
    ]


def _similarity(name: str, title: str, triplets: pa.Table, made_of: Sequence[Artifact]) -> Panel | None:
    """The similarity of the pairs that were mined, those a filter left out above, with its bounds.

    Where the pairs are not on this machine, that of the triplets.
    """
    kept, lost, bounds = [], [], []
    for artifact in made_of:
        if artifact.stage == "mine-pairs":
            kept += _known_scores(artifact.read(), name)
            lost += _known_scores(artifact.dropped(), name)
            bounds += _filter_bounds(artifact, name)
    if not kept:
        kept = _known_scores(triplets, name)
    if not kept:
        return None
    distinct = list({bound.label: bound for bound in bounds}.values())
    note = "kept and left out" if lost else "cosine"
    drawing = histogram(
        histogram_counts(kept, lost), width=NARROW, x_label="cosine", bounds=distinct,
        title=f"{title}: {len(kept):,} kept, {len(lost):,} left out; " + ", ".join(bound.label for bound in distinct),
    )  # fmt: skip
    return Panel(title, note, drawing)


def _known_scores(table: pa.Table, name: str) -> list[float]:
    return table.column(name).drop_null().to_pylist() if name in table.column_names else []


def _filter_bounds(artifact: Artifact, name: str) -> list[Bound]:
    filters = artifact.manifest["config"].get("filters", [])
    found = [settings for settings in filters if settings.get("name") == name.replace("_", "-")]
    return [
        Bound(settings[end], f"{bound} {settings[end]:g}")
        for settings in found
        for end, bound in (("low", "at least"), ("high", "at most"))
        if -1 < settings.get(end, -1) < 1
    ]


def _ranked_cards(triplets: pa.Table) -> list[RankedCards]:
    """The triplets at the ends of every score: each column of floats, and the best of the frame scores."""
    scores = {
        field.name: triplets.column(field.name).to_pylist()
        for field in triplets.schema
        if pa.types.is_floating(field.type)
    }
    frames = triplets.column("frame_scores").to_pylist()
    scores[BEST_FRAME] = [max(found) if found else None for found in frames]
    ids = triplets.column("triplet_id").to_pylist()
    ranked = []
    for name, values in scores.items():
        known = sorted((value, ids[row], row) for row, value in enumerate(values) if value is not None)
        if len(known) < 2 or known[0][0] == known[-1][0]:
            continue
        low, high = known[:ENDS], known[::-1][:ENDS]
        cards = []
        for end in (low, high):
            more = None if name in SIMILARITIES else [f"{words_on_page(name)} {value:.3f}" for value, _, _ in end]
            cards.append(page_cards(triplets, [row for _, _, row in end], more))
        ranked.append(RankedCards(SIMILARITIES.get(name, words_on_page(name)).lower(), *cards))
    return ranked
