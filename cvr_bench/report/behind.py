"""The queries behind the numbers of a report: found and missed ones behind a recall, a slice's behind its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cvr_bench.report.scores import Gain, ScoredModel, SlicePanel
from cvr_bench.scoring.measures import MEAN
from cvr_data.pages.behind import SHOWN, NumberLists, Part
from cvr_data.pages.cards import TripletCard

ORDERS = (MEAN, "MdR", "MnR")
"""Metrics of all ranks: behind them stand the best and the worst queries."""
TIES = "ties"


@dataclass(frozen=True)
class OtherRanks:
    """The ranks of the same queries asked in another way, which a card tells beside the model's own."""

    way: str
    rank_Q: np.ndarray


class QueryLists:
    """Makes the lists of one group of results, which were scored on the same queries."""

    def __init__(self, entries: Sequence[ScoredModel], captions: Mapping[str, str], lists: NumberLists, seed: int = 0):
        self.entries, self.captions, self.lists = entries, captions, lists
        self.tables = {entry.label: entry.result.ranks for entry in entries}
        self.ranks = {label: table.column("rank").to_numpy() for label, table in self.tables.items()}
        self.order = np.random.default_rng(seed).permutation(entries[0].result.ranks.num_rows)
        self.is_aligned = len({tuple(table.column("query_id").to_pylist()) for table in self.tables.values()}) == 1

    def of_metrics(self, metrics: Sequence[str], back: str) -> dict[tuple[str, str], str]:
        """Return (model, metric or `ties`) -> anchor of the list behind it."""
        found = {}
        for entry in self.entries:
            label, ranks = entry.label, self.ranks[entry.label]
            for metric in metrics:
                if metric.startswith("R@"):
                    k = int(metric[2:])
                    best = "in the first place" if k == 1 else f"among the {k} best"
                    parts = [
                        self.drawn(f"With a target {best}", label, np.flatnonzero(ranks <= k)),
                        self.drawn(f"Without one {best}", label, np.flatnonzero(ranks > k)),
                    ]
                    found[label, metric] = self.lists.add(f"{label}, {metric}", parts, back)
            ends = self.lists.add(f"{label}, ranks", self.ends(label), back)
            found |= {(label, metric): ends for metric in ORDERS}
            tied = np.flatnonzero(self.tables[label].column("ties").to_numpy() > 0)
            found[label, TIES] = self.lists.add(f"{label}, queries with ties", [self.drawn("", label, tied)], back)
        return found

    def of_slice(self, name: str, panels: Sequence[SlicePanel], values: Sequence[str], back: str) -> list[SlicePanel]:
        """Return the panels with the anchors of their queries, ranked by the first model."""
        label = self.entries[0].label
        column = np.asarray(self.tables[label].column(name).to_pylist(), object)
        return [
            replace(
                panel,
                link=self.lists.add(
                    f"Queries of {panel.title}, as {label} ranks them",
                    [self.drawn("", label, np.flatnonzero(column == value))], back,
                ),
            )
            for panel, value in zip(panels, values, strict=True)
        ]  # fmt: skip

    def of_gains(self, rows: Sequence[Gain], metrics: Sequence[str], back: str) -> dict[tuple[str, str], str]:
        """Return (difference, R@K) -> anchor of the queries that one of both finds among its K best."""
        found: dict[tuple[str, str], str] = {}
        for row in rows if self.is_aligned else ():
            for metric in metrics:
                if metric.startswith("R@"):
                    k = int(metric[2:])
                    first, second = (self.ranks[label] <= k for label in (row.first, row.second))
                    parts = [
                        self.drawn(f"Found by {row.first} alone", row.first, np.flatnonzero(first & ~second)),
                        self.drawn(f"Found by {row.second} alone", row.second, np.flatnonzero(second & ~first)),
                    ]
                    found[row.label, metric] = self.lists.add(f"{row.label}, {metric}", parts, back)
        return found

    def drawn(self, title: str, label: str, rows: np.ndarray, other: OtherRanks | None = None) -> Part:
        """Return some of these queries, drawn at random."""
        chosen = rows[np.argsort(self.order[rows])][:SHOWN]
        return Part(title, len(rows), self._cards(label, chosen, other))

    def ends(self, label: str, other: OtherRanks | None = None) -> list[Part]:
        """Return the best and the worst, of equal ones in the order of their drawing."""
        order = np.lexsort((self.order, other.rank_Q if other else self.ranks[label]))
        return [
            Part("Best", len(order), self._cards(label, order[:SHOWN], other)),
            Part("Worst", len(order), self._cards(label, order[::-1][:SHOWN], other)),
        ]

    def _cards(self, label: str, rows: np.ndarray, other: OtherRanks | None) -> list[TripletCard]:
        cards = [self._card(row) for row in self.tables[label].take(pa.array(rows, pa.int64())).to_pylist()]
        if other is None:
            return cards
        told = (f"{other.way}: rank {rank:,}" for rank in other.rank_Q[rows].tolist())
        return [replace(card, facts=[*card.facts, fact]) for card, fact in zip(cards, told, strict=True)]

    def _card(self, row: Mapping) -> TripletCard:
        best = int(np.argmin(row["target_ranks"])) if row["target_ranks"] else 0
        target, reference = row["target_ids"][best], row["reference_id"] or ""
        facts = [f"rank {row['rank']:,} of {row['allowed']:,}"]
        if row["top"] and row["top"][0] != target:
            facts.append(f"first: {self.captions.get(row['top'][0]) or row['top'][0]}")
        return TripletCard(
            triplet_id=row["query_id"],
            reference_id=reference,
            reference_caption=self.captions.get(reference, ""),
            modification=row["modification"] or "",
            target_id=target,
            target_caption=self.captions.get(target, ""),
            changes=[],
            facts=facts,
        )
