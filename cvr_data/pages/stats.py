"""The page of `cvr stats --html`: a dataset in pictures, one file that loads nothing else.

page = stats_page(Path("annotations/quickstart"))
Path("stats.html").write_text(stats_page_html(page), encoding="utf-8")
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.command_line import running_command
from cvr_data.core.lineage import lineage
from cvr_data.pages.behind import Behind, TripletLists, page_links_behind_losses
from cvr_data.pages.cards import TripletCard, captions_on_page, media_on_page, page_cards, random_page_cards
from cvr_data.pages.charts import Figure, FunnelBar
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.funnel import funnel_bars, funnel_figure, words_on_page
from cvr_data.pages.page import page_environment, page_with_clips, show_clips_on_page
from cvr_data.pages.stats_numbers import (
    Linked,
    RowsOfTriplets,
    html_linked_counts,
    html_linked_generic,
    html_linked_leaks,
    html_linked_splits,
    stats_page_facts,
)
from cvr_data.pages.stats_panels import MINED, SIMILARITIES, Panel, StatsPanels
from cvr_data.triplets.answers import FURTHER_ANSWERS
from cvr_data.triplets.card import card_commands
from cvr_data.triplets.dataset import open_dataset
from cvr_data.triplets.evidence import Evidence, triplet_evidence, triplet_evidence_rows
from cvr_data.triplets.likeness import triplet_likeness_line
from cvr_data.triplets.statistics import triplet_counts_text, triplet_statistics

RANDOM = 12
"""Triplets drawn at random."""
ENDS = 4
"""Triplets with the highest, and with the lowest, of each score."""
BEST_FRAME = "best frame score"


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
    facts: list[tuple[str, Linked]]
    steps: list[FunnelBar]
    funnel: Figure | None
    sections: list[tuple[str, str, list[Panel]]]
    """(anchor, title, charts)."""
    splits: dict[str, dict[str, Any]]
    split_links: dict[str, dict[str, str]]
    leaks: dict[str, Any]
    """What two splits share: (number, anchor)."""
    cards: list[TripletCard]
    ranked: list[RankedCards]
    commands: list[str]
    clips: ClipShelf
    captions: dict[str, str]
    worth: list[tuple[str, Linked]]
    """What is known of how hard, complete and human the queries are: title and text."""
    lists: list[Behind]
    """The triplets behind the numbers."""


def stats_page(folder: Path, *, videos: Path | None = None, seed: int = 0, evidence: Sequence[Path] = ()) -> StatsPage:
    """Return what the page says of the triplets in a folder, and of the evidence beside them.

    Raises:
        CvrError: the folder holds no triplets, or the videos have moved or changed.
    """
    dataset = open_dataset(folder, videos=videos)
    triplets, numbers = dataset.triplets, triplet_statistics(dataset.triplets, dataset.videos)
    made_of = lineage([folder])
    rows, lists = RowsOfTriplets(triplets), TripletLists(triplets, seed)
    facts = [*stats_page_facts(numbers, rows, lists), *_sources(numbers["all"], dataset.videos, rows, lists)]
    mined = {artifact.path: artifact.dropped() for artifact in made_of if artifact.stage == MINED}
    steps = funnel_bars(folder, page_links_behind_losses(made_of, lists.lists, seed, mined))
    return StatsPage(
        title=str(dataset.artifact.manifest.get("name") or folder.resolve().name),
        made=date.today().isoformat(),
        command=running_command(),
        seed=seed,
        facts=facts,
        steps=steps,
        funnel=funnel_figure(steps) if steps else None,
        worth=_worth(numbers["all"], dataset.artifact.manifest, triplet_evidence(evidence, triplets), rows, lists),
        sections=StatsPanels(dataset, numbers["all"], rows, lists).sections(made_of, mined),
        splits=numbers["splits"],
        split_links=html_linked_splits(list(numbers["splits"]), rows, lists),
        leaks=html_linked_leaks(numbers["leaks"], rows, lists),
        cards=random_page_cards(triplets, count=RANDOM, seed=seed),
        ranked=_ranked_cards(triplets),
        commands=card_commands(made_of),
        clips=ClipShelf(media_on_page(dataset.videos)),
        captions=captions_on_page(triplets, dataset.videos),
        lists=lists.made,
    )


def stats_page_html(page: StatsPage) -> str:
    """Return the page as HTML that loads nothing from outside itself."""
    made = page_environment()
    show_clips_on_page(made, page.clips, page.captions)
    return page_with_clips(made.get_template("stats.html.j2").render(page=page, words=words_on_page), page.clips)


def _sources(
    whole: Mapping[str, Any], videos: pa.Table | None, rows: RowsOfTriplets, lists: TripletLists
) -> list[tuple[str, Linked]]:
    by_source, by_licence = (rows.of_videos(videos, name) for name in ("source", "licence"))
    return [
        ("Sources of the videos", html_linked_counts(whole["sources"], by_source, lists, "Videos of", "top")),
        ("Licences of the videos", html_linked_counts(whole["licences"], by_licence, lists, "Videos under", "top")),
    ]


def _labels_on_page(labels: Mapping[str, int]) -> str:
    return triplet_counts_text({label.replace("_", " "): count for label, count in labels.items()})


def _worth(
    numbers: dict[str, Any], manifest: Mapping[str, Any], evidence: Evidence, rows: RowsOfTriplets, lists: TripletLists
) -> list[tuple[str, Linked]]:
    further = manifest.get(FURTHER_ANSWERS)
    return [
        ("needs both inputs", _composition(manifest, rows, lists)),
        ("further answers with the target's caption", [("unknown" if further is None else f"{further:,} rows", "")]),
        *((title, [(told, "")]) for title, told in triplet_evidence_rows(evidence)),
        ("generic texts", html_linked_generic(numbers["generic"], rows, lists)),
        ("like people wrote", [(triplet_likeness_line(numbers["likeness"]), "")]),
    ]


def _composition(manifest: Mapping[str, Any], rows: RowsOfTriplets, lists: TripletLists) -> Linked:
    """What was said of the queries before the build chose among them; of those that stayed, links."""
    asked = [
        (f"{split}: {_labels_on_page(told['labels'])}; {told['left_of_1000']} of 1000 remain. ", "")
        for split, told in (manifest.get("composition") or {}).items()
    ]
    if not asked:
        return [("not asked (build-triplets --require composition)", "")]
    if "composition" not in rows.triplets.column_names:
        return asked
    by_label = {words_on_page(label): found for label, found in rows.of("composition").items()}
    counts = {label: len(found) for label, found in by_label.items()}
    return [
        *asked,
        ("In the triplets: ", ""),
        *html_linked_counts(counts, by_label, lists, "One input or both:", "worth"),
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
