"""How many queries one input alone answers, from what `cvr audit` or `cvr bench` wrote down."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import check_json_value_types, reading
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.single_inputs import BOTH

COMPOSITION = "composition.parquet"
BOTH_LABELS = (BOTH, "composition_required")
"""Of plain scorers, and of a model's audit."""


@dataclass(frozen=True, kw_only=True)
class Shortcuts:
    """Shares, in percent, of the audited queries."""

    queries: int
    k: int
    """A query is answered when a target is among so many best."""
    text_only: float
    visual_only: float
    model: str
    """That was asked; `plain scorers` where it was the pool of `cvr audit`."""
    both: float | None = None
    """Queries that only both inputs together answer; None where the audit has no labels."""
    both_by_chance: float | None = None
    """What random orders would be said to need; None of a model's audit."""

    @property
    def both_text(self) -> str:
        """How many need both inputs, beside what chance gives."""
        if self.both is None:
            return "unknown"
        chance = "" if self.both_by_chance is None else f" (by chance {self.both_by_chance:.1f} %)"
        return f"{self.both:.1f} %{chance}"


def triplet_shortcuts(folder: Path, triplets: pa.Table) -> Shortcuts:
    """Return the shares of an audit folder, or of the result folder that it lies in.

    Of an input that was tried in several ways (the model without its other input, a baseline), the best counts.

    Raises:
        CvrError: no audit with unimodal ranks, or one of queries that are not among the triplets.
    """
    folder = folder if (folder / COMPOSITION).exists() else folder / "audit"
    if not (folder / COMPOSITION).exists():
        raise CvrError(f"--audit {folder.parent if folder.name == 'audit' else folder}: there is no {COMPOSITION}.")
    with reading(path := open_artifact(folder).path / "audit.json", "an audit"):
        check_json_value_types(record := read_json(path, dict), {"composition": {"k": int}})
    ranks = read_triplet_composition(folder)
    ours = set(triplets.column("query_id").to_pylist())
    others = [name for name in ranks.column("query_id").to_pylist() if name not in ours]
    if others or not ranks.num_rows:
        raise CvrError(
            f"--audit {folder}: {len(others)} of its {ranks.num_rows} queries are not among the triplets that are "
            "published; audit these."
        )
    k = record["composition"]["k"]
    shares = {modality: _share(ranks, modality, k) for modality in ("text_only", "visual_only")}
    asked = "plain scorers" if "pool_version" in record["composition"] else "unknown"
    found = Shortcuts(queries=ranks.num_rows, k=k, model=str(record.get("model") or asked), **shares)
    return replace(found, both=_both(ranks), both_by_chance=_both_by_chance(record["composition"], ranks.num_rows))


def read_triplet_composition(folder: Path) -> pa.Table:
    """Return the table of an audit: `query_id` and ranks, which are whole numbers. Raises CvrError: it is another."""
    table = read_parquet(folder / COMPOSITION)
    ranks = [pa.field(name, pa.int64(), nullable=False) for name in table.column_names if name.endswith("_rank")]
    wanted = pa.schema([pa.field("query_id", pa.string(), nullable=False), *ranks])
    return check_columns(table, wanted, str(folder / COMPOSITION))


def _both(table: pa.Table) -> float | None:
    """Percent of the queries that are labelled as needing both inputs."""
    if "label" not in table.column_names or not table.num_rows:
        return None
    labels = table.column("label").to_pylist()
    return 100 * sum(label in BOTH_LABELS for label in labels) / len(labels)


def _both_by_chance(composition: dict[str, Any], queries: int) -> float | None:
    if "pool_version" not in composition or not queries:
        return None
    chance = composition.get("chance_at", {}).get(str(composition["k"]), {}).get(BOTH)
    return None if chance is None else 100 * float(chance) / queries


def _share(ranks: pa.Table, modality: str, k: int) -> float:
    """Percent of the queries whose rank is at most k in the way that answers most, or by any scorer of the pool."""
    found = [name for name in ranks.column_names if name.startswith(modality) and name.endswith("_rank")]
    found += [name for name in [f"{modality.partition('_')[0]}_rank"] if name in ranks.column_names]
    shares = [float(np.mean(ranks.column(name).to_numpy() <= k)) for name in found]
    return 100 * max(shares, default=0.0)
