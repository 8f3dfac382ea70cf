"""Reads the pairs that were mined in videos without splits, and deals the videos by the queries these pairs make.

Pairs of one reference and the same two captions are one query. A pair is as strong as its videos look alike or, where
that is not known, as its captions read alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import artifact_bucket_table, hash_bucket_keys, mix_hash_bits
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.core.whole_files import read_parquet
from cvr_data.language.normalise import normalised
from cvr_data.videos.deal import LEAST, Dealt, PairGraph, deal_videos_to_splits
from cvr_data.videos.kin import Kin

_ENDS = ("reference_id", "target_id")
_CAPTIONS = ("reference_caption", "target_caption")
_SIMILARITIES = ("visual_similarity", "text_similarity")


@dataclass(frozen=True, kw_only=True)
class Queries:
    """How many queries splits should have."""

    pairs: Path
    """Made by `cvr mine-pairs` of the same videos."""
    wanted: Mapping[str, int]
    """Split -> queries; train gets the rest."""


def video_split_queries(pairs: Path | None, test: int | None, val: int | None, keep: Path | None) -> Queries | None:
    """Return what the options of the command ask for; None where they ask for nothing.

    Raises:
        CvrError: one that needs another, or cannot go with it.
    """
    if test is None:
        if pairs is not None or val is not None:
            raise CvrError("--pairs and --val-queries are for --test-queries, which says how many test should have.")
        return None
    if pairs is None:
        raise CvrError("--test-queries needs --pairs: what cvr mine-pairs finds in the videos before they have splits.")
    if keep is not None:
        raise CvrError("--keep keeps the splits of an earlier output, which --test-queries would deal anew; give one.")
    return Queries(pairs=pairs, wanted={"test": test, "val": test // 2 if val is None else val})


def check_video_split_queries(videos: Path, queries: Queries, *, reads_given: bool) -> None:
    """Refuse what cannot be dealt, before anything is written.

    Raises:
        CvrError: no pairs, or videos with splits that are to be read.
    """
    open_artifact(queries.pairs, "mine-pairs")
    tables = [read_parquet(path, ["split"]) for path in open_artifact(videos).part_paths] if reads_given else []
    if given := sum(table.num_rows - table.column("split").null_count for table in tables):
        raise CvrError(
            f"{videos}: {given} videos have a split that the corpus gave, which --test-queries would deal anew; "
            "-o given=ignore lets it."
        )


def deal_kin_by_queries(run: StageRun, queries: Queries, kin: Side, seed: int) -> Dealt:
    """Return the split of each kin that a pair has a video of.

    Raises:
        CvrError: there are fewer queries than are asked for.
    """
    rows = run.read(queries.pairs, (*_ENDS, *_CAPTIONS, *_SIMILARITIES), (*_ENDS, *_CAPTIONS))
    graph_edges = Step(name="graph", run=_pair_graph_edges, sides=(kin,), makes_rows=True, is_counted=False)
    found = run.side(rows.then(graph_edges), artifact_bucket_table)
    edges = artifact_bucket_table(*found.arguments)
    names = ("first", "second", "query", "strength")
    first, second, query, strength = (edges.column(name).to_numpy() for name in names)
    _, place, sizes = np.unique(query, return_inverse=True, return_counts=True)
    shares = 1.0 / sizes[place]
    if (asked := sum(queries.wanted.values())) > len(sizes):
        run.writer.discard()
        raise CvrError(f"{queries.pairs} makes {len(sizes)} queries, fewer than the {asked} of --test-queries and val.")
    graph = PairGraph.of(first, second, strength * shares, shares)
    return deal_videos_to_splits(graph, {split: float(number) for split, number in queries.wanted.items()}, seed=seed)


def _pair_graph_edges(config: None, pairs: pa.Table, kin: Kin) -> pa.Table:
    """The kins of both ends of each pair, its query and its strength."""
    ends = [kin.of(hash_bucket_keys(pairs.column(name)))[1] for name in _ENDS]
    query = hash_bucket_keys(pairs.column("reference_id"))
    for name in _CAPTIONS:
        query = mix_hash_bits(query ^ hash_bucket_keys(normalised(pairs.column(name))))
    known = [pairs.column(name) for name in _SIMILARITIES if name in pairs.column_names]
    strength = pc.coalesce(*known, pa.scalar(1.0, pa.float32())).to_numpy().astype(np.float64)
    strength = np.nan_to_num(strength, nan=1.0).clip(LEAST, 1.0)
    return pa.table({"first": ends[0], "second": ends[1], "query": query, "strength": strength})


def video_split_record(dealt: Dealt) -> dict[str, Any]:
    """Return what the manifest tells of how the queries were dealt."""
    return {
        "queries": {
            **{split: round(number) for split, number in dealt.queries.items()},
            "cut": round(dealt.cut_queries),
            "strength_of_cut": round(dealt.cut_strength, 4),
            "strength_of_kept": round(dealt.kept_strength, 4),
        }
    }


def video_split_text(told: Mapping[str, Any]) -> str:
    """Return that as one line."""
    kept = {split: told[split] for split in ("train", "val", "test")}
    whole = sum(kept.values()) + told["cut"]
    counts = ", ".join(f"{number} {split}" for split, number in kept.items())
    line = (
        f"queries: {counts}; {told['cut']} of {whole} ({100 * told['cut'] / max(whole, 1):.1f} %) straddle and are lost"
    )
    if not told["cut"]:
        return line
    return f"{line} (mean similarity {told['strength_of_cut']:.2f}, of those kept {told['strength_of_kept']:.2f})"
