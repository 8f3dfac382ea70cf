"""What a report shows of a dataset: the funnel from its videos to its triplets, and some of the triplets.

The funnel is read from manifests, following inputs from the triplets back to the videos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_bench.charts import NARROW, WIDE, Figure, FunnelBar, funnel
from cvr_bench.clips import ClipShelf
from cvr_bench.datasets.triplets import read_triplets, task_name
from cvr_data.artifacts import MANIFEST, Artifact
from cvr_data.dataset import open_dataset
from cvr_data.lineage import funnel_of_one, lineage
from cvr_data.statistics import counts_text, statistics

SHOWN = 20
"""Triplets drawn at random."""

UNITS = {"import": "videos", "split": "videos", "mine": "pairs", "generate": "texts", "build": "triplets"}
"""First word of a stage's name -> what its rows are; other stages (embed, fit-heads) are no part of the funnel."""


@dataclass(frozen=True)
class TripletCard:
    """One triplet as a reader sees it."""

    triplet_id: str
    reference_id: str
    reference_caption: str
    modification: str
    target_id: str
    target_caption: str
    changes: list[str]
    facts: list[str]


@dataclass(frozen=True, kw_only=True)
class DatasetPart:
    """Everything the page says of the triplets."""

    name: str
    facts: list[tuple[str, str]]
    bars: list[FunnelBar]
    funnel: Figure | None
    cards: list[TripletCard]
    clips: ClipShelf
    captions: dict[str, str]
    """video_id -> its first caption."""


def dataset_part(path: Path, *, videos: Path | None, seed: int) -> DatasetPart:
    """Return the part of the page about the triplets of a folder or file; only a folder has a funnel and clips.

    Raises:
        CvrError: there are none, or their videos have moved or changed.
    """
    if (path / MANIFEST).exists():
        dataset = open_dataset(path, videos=videos)
        triplets, table, found = dataset.triplets, dataset.videos, funnel_bars(path)
    else:
        triplets, table, found = read_triplets(path), None, []
    return DatasetPart(
        name=task_name(path),
        facts=_facts(triplets, table),
        bars=found,
        funnel=_funnel_figure(found) if found else None,
        cards=triplet_cards(triplets, count=SHOWN, seed=seed),
        clips=ClipShelf(_media(table)),
        captions=_captions(triplets, table),
    )


def funnel_bars(triplets: Path) -> list[FunnelBar]:
    """Return one bar per step that keeps or loses rows, from the import to the triplets."""
    bars: list[FunnelBar] = []
    for artifact in lineage([triplets]):
        kind = artifact.stage.split("-")[0]
        if kind in UNITS:
            bars += _bars(artifact, UNITS[kind], follows=kind != "generate")
    return bars


def triplet_cards(triplets: pa.Table, *, count: int, seed: int) -> list[TripletCard]:
    """Return `count` triplets drawn at random, in the order drawn."""
    generator = np.random.default_rng(seed)
    chosen = generator.choice(triplets.num_rows, size=min(count, triplets.num_rows), replace=False)
    return [_card(row) for row in triplets.take(pa.array(chosen)).to_pylist()]


def change_line(change: dict[str, Any]) -> str:
    """Return a change as words: `red → blue (attribute)`."""
    before, after = change["before"] or "nothing", change["after"] or "nothing"
    slot = change["slot"] or change["kind"] or "change"
    return f"{before} → {after} ({slot})"


def _bars(artifact: Artifact, unit: str, *, follows: bool) -> list[FunnelBar]:
    """The recorded steps; texts of several sources stand side by side, under the names of their folders.

    A step that makes rows of another kind loses none of them: what it left out is told in words only.
    """
    return [
        FunnelBar(
            unit=unit,
            label=words(step.step if follows else artifact.path.name),
            before=step.rows_out if step.rows_in is None else step.rows_in,
            after=step.rows_out,
            losses=_losses(step.dropped),
            follows=follows,
        )
        for step in funnel_of_one(artifact.manifest)
    ]


def _funnel_figure(found: Sequence[FunnelBar]) -> Figure:
    title = "Rows kept at each step: " + ", ".join(f"{bar.label} {bar.after:,} of {bar.before:,}" for bar in found)
    drawn = merged(found)
    return Figure(*(funnel(drawn, width=width, title=title) for width in (WIDE, NARROW)))


def merged(found: Sequence[FunnelBar]) -> list[FunnelBar]:
    """Return the bars with each run of steps that removed nothing as one; the first step of a unit stands alone."""
    runs: list[list[FunnelBar]] = []
    was_idle, unit = False, ""
    for bar in found:
        is_idle = bar.unit == unit and bar.follows and bar.before == bar.after
        if is_idle and was_idle:
            runs[-1].append(bar)
        else:
            runs.append([bar])
        was_idle, unit = is_idle, bar.unit
    return [
        run[0] if len(run) == 1 else replace(run[0], label=f"{run[0].label} to {run[-1].label}, {len(run)} steps")
        for run in runs
    ]


def _facts(triplets: pa.Table, videos: pa.Table | None) -> list[tuple[str, str]]:
    numbers = statistics(triplets, videos)
    splits = {split: found["triplets"] for split, found in numbers["splits"].items()}
    whole = numbers["all"]
    return [
        ("Triplets", f"{whole['triplets']:,}"),
        ("By split", counts_text(splits)),
        ("Queries", f"{whole['queries']:,}"),
        ("Videos in triplets", f"{whole['videos']:,}"),
        ("Sources of text", counts_text(whole["sources_of_text"])),
        ("Changes", counts_text(whole["changes"]["slots"])),
        ("Licences of the videos", counts_text(whole["licences"])),
    ]


def _media(videos: pa.Table | None) -> dict[str, Path]:
    if videos is None:
        return {}
    rows = zip(videos.column("video_id").to_pylist(), videos.column("path").to_pylist(), strict=True)
    return {video_id: Path(path) for video_id, path in rows if path}


def _captions(triplets: pa.Table, videos: pa.Table | None) -> dict[str, str]:
    captions: dict[str, str] = {}
    for end in ("reference", "target"):
        columns = (triplets.column(f"{end}_{name}").to_pylist() for name in ("id", "caption"))
        captions.update((name, caption) for name, caption in zip(*columns, strict=True) if caption)
    if videos is not None:
        columns = (videos.column(name).to_pylist() for name in ("video_id", "captions"))
        captions.update((name, listed[0]) for name, listed in zip(*columns, strict=True) if listed)
    return captions


def _losses(dropped: Mapping[str, int]) -> list[tuple[str, int]]:
    ranked = sorted(dropped.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(words(reason), count) for reason, count in ranked if count]


def words(name: str) -> str:
    """Return a name of the command line or of a column as words."""
    return name.replace("_", " ").replace("-", " ")


def _card(row: dict[str, Any]) -> TripletCard:
    facts = [f"{name} {row[name]}" for name in ("split", "style", "backend") if row.get(name)]
    if row.get("text_similarity") is not None:
        facts.append(f"caption similarity {row['text_similarity']:.2f}")
    if row.get("visual_similarity") is not None:
        facts.append(f"visual similarity {row['visual_similarity']:.2f}")
    return TripletCard(
        triplet_id=row["triplet_id"],
        reference_id=row["reference_id"],
        reference_caption=row["reference_caption"] or "",
        modification=row["modification"],
        target_id=row["target_id"],
        target_caption=row["target_caption"] or "",
        changes=[change_line(change) for change in row["changes"] or []],
        facts=facts,
    )
