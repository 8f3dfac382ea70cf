"""The charts of the stats page: every bar is a link to triplets behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact
from cvr_data.core.parts import column_names
from cvr_data.language.words import words_of
from cvr_data.pages.behind import TripletLists, page_rows_by_bin
from cvr_data.pages.charts import NARROW, Bar, bar_chart
from cvr_data.pages.histogram import Bound, chart_bin_counts, chart_number, histogram
from cvr_data.pages.stats_numbers import Rows, RowsOfTriplets
from cvr_data.triplets.dataset import Dataset

SIMILARITIES = {"text_similarity": "Caption similarity", "visual_similarity": "Visual similarity"}
MINED = "mine-pairs"
"""The stage of the pairs whose similarities are drawn."""
MOST = 12
"""Of the most frequent changes and texts, so many are drawn."""


@dataclass(frozen=True)
class Panel:
    """One chart under its title."""

    title: str
    note: str
    drawing: str


class StatsPanels:
    """Draws the charts of one dataset."""

    def __init__(self, dataset: Dataset, numbers: Mapping[str, Any], rows: RowsOfTriplets, lists: TripletLists):
        self.dataset, self.numbers, self.rows, self.lists = dataset, numbers, rows, lists

    def sections(
        self, made_of: Sequence[Artifact], dropped: Mapping[Path, pa.Table]
    ) -> list[tuple[str, str, list[Panel]]]:
        """Return (anchor, title, charts), of those that have any; `dropped` are the removed rows of mined pairs."""
        mined = [
            (artifact, _read_scores(artifact), dropped[artifact.path])
            for artifact in made_of
            if artifact.stage == MINED
        ]
        similar = [self._similarity(name, title, mined) for name, title in SIMILARITIES.items()]
        found = [
            ("texts", "Texts", self._of_texts()),
            ("changes", "Changes", self._of_changes()),
            ("similarity", "Similarity of reference and target", similar),
            ("videos", "Videos", self._of_videos()),
        ]
        drawn = [(anchor, title, [panel for panel in panels if panel is not None]) for anchor, title, panels in found]
        return [section for section in drawn if section[2]]

    def _of_texts(self) -> list[Panel | None]:
        texts = self.dataset.triplets.column("modification").to_pylist()
        length_of = {text: len(words_of(text)) for text in set(texts)}
        lengths = np.array([length_of[text] for text in texts], float)
        return [
            self._distribution("Words per text", lengths, lengths, self.rows.all, "words", "texts", whole=True),
            self._counted("Styles", self.numbers["styles"], self.rows.style, "texts", "Style"),
            self._counted(
                "Who wrote them", self.numbers["sources_of_text"], self.rows.source_of_text, "texts", "Text by"
            ),
            self._counted(
                "Most frequent texts", dict(self.numbers["top_texts"][:MOST]), self.rows.of("modification"), "texts",
                "Text",
            ),
        ]  # fmt: skip

    def _of_changes(self) -> list[Panel | None]:
        changes, of = self.numbers["changes"], self.rows.changes
        top = {name.replace("->", "→"): count for name, count in changes["top"][:MOST]}
        rows = {name.replace("->", "→"): of["change"].get(name, self.rows.all[:0]) for name, _ in changes["top"]}
        note = f"{changes['distinct']:,} distinct"
        return [
            self._counted("Kinds of change", changes["kinds"], of["kinds"], "changes", "Kind of change"),
            self._counted("What changes", changes["slots"], of["slots"], "changes", "What changes:"),
            self._counted("Most frequent changes", top, rows, "changes", "Change", note=note),
        ]

    def _counted(
        self, title: str, counts: Mapping[str, int], rows: Rows, back: str, named: str, *, note: str = ""
    ) -> Panel | None:
        if not counts:
            return None
        ranked = sorted(counts.items(), key=lambda entry: -entry[1])
        bars = [
            Bar(name, count, f"{count:,}", self.lists.link(f"{named} {name}", rows.get(name, ()), back))
            for name, count in ranked
        ]
        told = f"{title}: " + ", ".join(f"{name} {count}" for name, count in ranked)
        return Panel(title, note, bar_chart(bars, width=NARROW, title=told))

    def _distribution(
        self, title: str, values: np.ndarray, of_rows: np.ndarray, rows: np.ndarray, unit: str, back: str, *,
        whole: bool = False,
    ) -> Panel | None:  # fmt: skip
        """A histogram of values; behind a bar are the `rows` whose value, `of_rows`, lies in it."""
        if not len(values):
            return None
        median = f"median {np.median(values):.3g}, mean {np.mean(values):.3g}"
        counts = chart_bin_counts(values.tolist(), whole=whole)
        links = self._bin_links(title, counts.edges, of_rows, rows, back)
        named = f"{title}: {median}"
        return Panel(title, median, histogram(counts, width=NARROW, title=named, x_label=unit, links=links))

    def _bin_links(
        self, title: str, edges: Sequence[float], values: np.ndarray, rows: np.ndarray, back: str
    ) -> list[str]:
        return [
            self.lists.link(f"{title}: {chart_number(round(low, 3))} to {chart_number(round(high, 3))}", found, back)
            for low, high, found in zip(edges, edges[1:], page_rows_by_bin(values, edges, rows), strict=False)
        ]

    def _of_videos(self) -> list[Panel | None]:
        if self.dataset.videos is None:
            return []
        ids, _ = self.rows.ends
        used = self.dataset.videos.filter(pc.is_in(self.dataset.videos["video_id"], ids))
        seconds = np.array(used["duration_s"].to_pylist(), float)
        lengths = [len(words_of(captions[0])) if captions else np.nan for captions in used["captions"].to_pylist()]
        return [
            self._by_video("Seconds per video", used, seconds, "seconds"),
            self._by_video("Words per caption", used, np.array(lengths, float), "words", whole=True),
        ]

    def _by_video(
        self, title: str, videos: pa.Table, values: np.ndarray, unit: str, *, whole: bool = False
    ) -> Panel | None:
        """A histogram with a value per video; behind a bar are the triplets of its videos."""
        ids, rows = self.rows.ends
        places = pc.index_in(ids, videos["video_id"].combine_chunks()).fill_null(-1).to_numpy()
        of_rows = np.where(places < 0, np.nan, values[places]) if len(values) else np.full(len(ids), np.nan)
        return self._distribution(title, values[~np.isnan(values)], of_rows, rows, unit, "videos", whole=whole)

    def _similarity(self, name: str, title: str, mined: Sequence[tuple[Artifact, pa.Table, pa.Table]]) -> Panel | None:
        """The similarity of the pairs that were mined, those a filter left out above, with its bounds.

        Where the pairs are not on this machine, that of the triplets.
        """
        kept, lost, bounds = [], [], []
        for artifact, pairs, dropped in mined:
            kept += _known_scores(pairs, name)
            lost += _known_scores(dropped, name)
            bounds += _filter_bounds(artifact, name)
        if not kept:
            kept = _known_scores(self.dataset.triplets, name)
        if not kept:
            return None
        distinct = list({bound.label: bound for bound in bounds}.values())
        counts = chart_bin_counts(kept, lost)
        own = np.full(self.dataset.triplets.num_rows, np.nan)
        if name in self.dataset.triplets.column_names:
            own = np.array(self.dataset.triplets.column(name).to_pylist(), float)
        told = f"{title}: {len(kept):,} kept, {len(lost):,} left out; " + ", ".join(bound.label for bound in distinct)
        links = self._bin_links(f"{title} of triplets", counts.edges, own, self.rows.all, "similarity")
        drawing = histogram(counts, width=NARROW, x_label="cosine", bounds=distinct, title=told, links=links)
        return Panel(title, "kept and left out" if lost else "cosine", drawing)


def _read_scores(pairs: Artifact) -> pa.Table:
    names = column_names(pairs.part_paths[0]) if pairs.part_paths else []
    return pairs.read([name for name in SIMILARITIES if name in names])


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
