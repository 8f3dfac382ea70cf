"""The queries behind the numbers of audits: asked with one input alone, with other frames, of a label, or leaked.

A number that counts queries is a link only to so many; one that averages has its best and its worst queries behind it,
and a gap those that one of both ways finds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.audit.composition import Unimodal, composition_labels
from cvr_bench.audit.data_leaks import LEAKS_FILE
from cvr_bench.audit.leak import LEAKS
from cvr_bench.audit.record import FOLDER, TEMPORAL
from cvr_bench.audit.temporal import ALL
from cvr_bench.report.behind import OtherRanks, QueryLists
from cvr_bench.report.scores import ScoredModel
from cvr_bench.results.result import Result
from cvr_bench.results.single_inputs import COMPOSITION
from cvr_bench.scoring.measures import MEAN
from cvr_bench.scoring.metrics import recall_values
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import read_parquet
from cvr_data.language.normalise import normalised


@dataclass(frozen=True)
class AuditLists:
    """Makes the lists of the audits of one group of results."""

    queries: QueryLists
    back: str
    """Anchor of the section where the numbers stand."""
    triplets: pa.Table | None = None
    """What was scored, as far as the page knows it."""

    def of_audit(self, entry: ScoredModel, audit: Mapping[str, Any], k: int) -> dict[str, str]:
        """Return what a number of an audit is called -> anchor of what is behind it.

        Args:
            entry: the audited model.
            audit: its audit.json.
            k: what labels go by, beside 1.
        """
        every = self.queries.lists.add(f"{entry.label}, ranks", self.queries.ends(entry.label), self.back)
        links = {"all": every, ALL: every, "queries": every, **self._of_time(entry, audit["temporal"])}
        if "gap" in audit["composition"]:
            links |= self._of_composition(entry, audit["composition"], k)
        return links | (self._of_leaks(entry, audit["leaks"]) if audit.get("leaks") else {})

    def _of_composition(self, entry: ScoredModel, part: Mapping[str, Any], k: int) -> dict[str, str]:
        ways = _audited_ranks(entry.result, COMPOSITION, [name for name in part["recalls"] if name != "composed"])
        links = {name.replace("-", " "): self._ends(entry, name, rank_Q) for name, rank_Q in ways.items()}
        for metric in (f"R@{entry.result.ks[0]}", MEAN):
            best = part["gap"][metric]["best"]
            links[f"gap {metric}"] = self._gap(entry, metric, ("all inputs", best), ways[best])
        scorers = [name for name in ways if name.endswith("(baseline)")] or list(ways)  # older audits had no pool
        pool = [Unimodal("text-only", "baseline", ways[name]) for name in scorers]  # labels go by all inputs alike
        for one in sorted({1, k}):
            labels = np.asarray(composition_labels(self.queries.ranks[entry.label], pool, one), object)
            for label, count in part["labels_at"].get(str(one), {}).items():
                rows, name = np.flatnonzero(labels == label), f"{label.replace('_', ' ')} @{one}"
                links[name] = self._listed(entry, name, rows) if len(rows) == count else ""
        return links

    def _of_time(self, entry: ScoredModel, part: Mapping[str, Any]) -> dict[str, str]:
        ways = _audited_ranks(entry.result, TEMPORAL, [name for name in part["recalls"] if name != ALL])
        links = {name: self._ends(entry, f"{name} frames", rank_Q) for name, rank_Q in ways.items()}
        best = part["gap"][MEAN]["best"]
        return links | {"gap of time": self._gap(entry, MEAN, (ALL, f"{best} frames"), ways[best])}

    def _of_leaks(self, entry: ScoredModel, leaks: Mapping[str, Any]) -> dict[str, str]:
        path = entry.result.path / LEAKS_FILE
        if not path.exists():
            return {}
        found = check_columns(read_parquet(path), LEAKS, str(path))
        shared = {kind: found.filter(pc.equal(found.column("kind"), kind)).column("test") for kind in _LEAKED}
        about = self._about_videos(entry, shared["video"])
        rows = {"videos": about, **{f"{kind}s": self._saying(entry, kind, shared[kind]) for kind in _LEAKED[1:]}}
        links = {name: self._listed(entry, f"about {name} like train's", those) for name, those in rows.items()}
        return links | {"about": links["videos"] if len(about) == leaks["queries"]["about_leaked_videos"] else ""}

    def _ends(self, entry: ScoredModel, way: str, rank_Q: np.ndarray) -> str:
        ends = self.queries.ends(entry.label, OtherRanks(way, rank_Q))
        return self.queries.lists.add(f"{entry.label}, {way}", ends, self.back)

    def _gap(self, entry: ScoredModel, metric: str, ways: tuple[str, str], rank_Q: np.ndarray) -> str:
        ks = entry.result.ks if metric == MEAN else [int(metric.partition("@")[2])]
        gain_Q = recall_values(self.queries.ranks[entry.label], ks) - recall_values(rank_Q, ks)
        verb = "Better by" if metric == MEAN else "Found by"
        other = OtherRanks(ways[1], rank_Q)
        parts = [
            self.queries.drawn(f"{verb} {way}", entry.label, np.flatnonzero(is_ahead_Q), other)
            for way, is_ahead_Q in zip(ways, (gain_Q > 0, gain_Q < 0), strict=True)
        ]
        return self.queries.lists.add(f"{entry.label}, {metric}: {ways[0]} − {ways[1]}", parts, self.back)

    def _listed(self, entry: ScoredModel, name: str, rows: np.ndarray) -> str:
        title = f"{entry.label}, queries: {name}"
        return self.queries.lists.add(title, [self.queries.drawn("", entry.label, rows)], self.back)

    def _about_videos(self, entry: ScoredModel, leaked: pa.ChunkedArray) -> np.ndarray:
        names = set(leaked.to_pylist())
        ranks = self.queries.tables[entry.label].select(["reference_id", "target_ids"]).to_pylist()
        return np.flatnonzero([not names.isdisjoint([row["reference_id"], *row["target_ids"]]) for row in ranks])

    def _saying(self, entry: ScoredModel, kind: str, leaked: pa.ChunkedArray) -> np.ndarray:
        """The rows of the queries with a text of the same words as a leaked one."""
        ranks = self.queries.tables[entry.label]
        if kind == "modification":
            return np.flatnonzero(_has_words(ranks.column(kind), leaked))
        if self.triplets is None:
            return np.zeros(0, np.int64)
        is_said = [_has_words(self.triplets.column(f"{end}_caption"), leaked) for end in ("reference", "target")]
        about = self.triplets.column("query_id").filter(pa.array(is_said[0] | is_said[1]))
        return np.flatnonzero(pc.is_in(ranks.column("query_id"), about.combine_chunks()).to_numpy())


_LEAKED = ("video", "caption", "modification")


def _has_words(texts: pa.ChunkedArray, of: pa.ChunkedArray) -> np.ndarray:
    return pc.is_in(normalised(texts), normalised(of)).to_numpy(zero_copy_only=False)


def _audited_ranks(result: Result, name: str, ways: Sequence[str]) -> dict[str, np.ndarray]:
    """The ranks of each way, in the order of the result's queries. Raises CvrError: the file has others."""
    path = result.path / FOLDER / name
    columns = {way: re.sub(r"\W+", "_", way).strip("_") + "_rank" for way in ways}
    wanted = [pa.field(column, pa.int64(), nullable=False) for column in columns.values()]
    table = check_columns(read_parquet(path), pa.schema([("query_id", pa.string()), *wanted]), str(path))
    if not table.column("query_id").equals(result.ranks.column("query_id")):
        raise CvrError(f"{path} is not of the result's queries; make it again: cvr audit {result.path} --overwrite")
    return {way: table.column(column).to_numpy() for way, column in columns.items()}
