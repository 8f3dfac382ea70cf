"""Drop clips that bear a mark, a logo or a watermark, which other clips of their source bear in the same place.

Edges that stand still in a clip are kept, coarsely; where many clips of one source have the same, something was laid
over all of them (Dekel et al., "On the effectiveness of visible watermarks", 2017, find one by median gradients). A
mark that moves, or that one clip alone has, is not found. Every clip of WebVid bears one.
"""

# Shapes: N clips, D directions, S side, E edges (directions x cells).

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.columns import with_column
from cvr_data.core.ranges import SHARE, Ranged, option_range
from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows
from cvr_data.videos.kin import video_kin_components
from cvr_data.videos.seen import Seen, seen_video_cells

COLUMN = "watermark"
EDGES = "still_edges"
FIELDS = (pa.field(EDGES, pa.binary()),)
READS = ("source", EDGES)
MEASURED = 1
SIDE = 64
"""Cells along a side: four pixels of 256."""
CLEAR = 5.0
"""Levels that neighbouring cells differ by at an edge."""
LEAST_CLIPS, MOST_CLIPS = 8, 1024
"""Clips of a source from which something can recur, and how many tell it."""
LEAST_CELLS = 12
"""Edges of a mark."""
ELSEWHERE = 3.0
"""Edges that clips with one mark have in common elsewhere, for each of the mark: those of one scene have more."""
LEVEL = 0.15
"""From one share of the clips that have an edge to the next."""
WIDEST = 0.6
"""Share of a side that a mark covers: the bars above and below a film are wider."""
_BAND = Band(COLUMN, above="watermark")


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    high: float = field(default=0.6, metadata=option_range(SHARE))
    """Share of a mark's edges that a clip may have: one in which nothing moves has up to half of them by chance."""
    recurring: float = field(default=0.15, metadata=option_range(SHARE))
    """Share of the clips of a source that an edge recurs in, beyond what edges elsewhere do."""


EXAMPLE = video_filter_example_rows(COLUMN, [(0.9, "watermark"), (0.6, None), (0.0, None), (None, None)])


def measure(seen: Seen) -> Mapping[str, Any]:
    cells_TSS = seen_video_cells(seen.luma, SIDE)
    right, down = np.zeros((2, SIDE, SIDE))
    # The median over frames leaves what stands still; half of what moves is brighter, half darker than what it hides.
    right[:, :-1] = np.median(np.diff(cells_TSS, axis=2), axis=0)
    down[:-1] = np.median(np.diff(cells_TSS, axis=1), axis=0)
    edges_DSS = np.stack([right > CLEAR, right < -CLEAR, down > CLEAR, down < -CLEAR])
    return {EDGES: np.packbits(edges_DSS).tobytes()}


def learn(config: Config, tables: Iterable[pa.Table]) -> Mapping[str, np.ndarray]:
    """Return the marks of each source that has some, (marks, directions x cells)."""
    clips: dict[str, list[bytes]] = defaultdict(list)
    for table in tables:
        for source, edges in zip(*(table.column(name).to_pylist() for name in READS), strict=True):
            if edges is not None and len(clips[source]) < MOST_CLIPS:
                clips[source].append(edges)
    marks = {
        source: video_watermarks(video_watermark_edges(found), config.recurring)
        for source, found in clips.items()
        if len(found) >= LEAST_CLIPS
    }
    return {source: found for source, found in marks.items() if len(found)}


def video_watermark_edges(clips: Sequence[bytes]) -> np.ndarray:
    """Return the edges of clips, bool (clips, directions x cells)."""
    return np.unpackbits(np.frombuffer(b"".join(clips), np.uint8)).astype(bool).reshape(len(clips), -1)


def video_watermarks(edges_NE: np.ndarray, recurring: float) -> np.ndarray:
    """Return the marks, bool (marks, directions x cells), that clips of one source bear.

    Edges are looked at by how many clips have them, from few to many: what touches a mark of many has fewer.
    """
    clips = len(edges_NE)
    shares_DSS = edges_NE.mean(axis=0).reshape(4, SIDE, SIDE)
    usual = np.median(shares_DSS, axis=(1, 2), keepdims=True)
    chance = 3 * np.sqrt(np.maximum(usual * (1 - usual), 1 / clips) / clips)
    levels = (usual + np.maximum(level, chance) for level in np.arange(recurring, 1, LEVEL))
    found = [mark for level in levels for mark in _marks_of_edges(shares_DSS > level, edges_NE)]
    return np.array(found, bool).reshape(len(found), edges_NE.shape[1])


def _marks_of_edges(recurs_DSS: np.ndarray, edges_NE: np.ndarray) -> list[np.ndarray]:
    """Return the groups of edges that lie together, are small, and are all that their clips have in common."""
    places = np.argwhere(recurs_DSS.any(axis=0))
    near = np.argwhere(np.triu(np.abs(places[:, None] - places[None]).max(axis=2) <= 2, 1))
    labels = video_kin_components(len(places), near)
    marks = []
    for label in np.unique(labels):
        cells = places[labels == label]
        is_there = np.zeros((SIDE, SIDE), bool)
        is_there[tuple(cells.T)] = True
        mark_E = (recurs_DSS & is_there).ravel()
        is_small = np.ptp(cells, axis=0).max() < WIDEST * SIDE
        if is_small and mark_E.sum() >= LEAST_CELLS and not _is_one_scene(edges_NE, mark_E):
            marks.append(mark_E)
    return marks


def _is_one_scene(edges_NE: np.ndarray, mark_E: np.ndarray) -> bool:
    """Whether the clips that have it have edges all over the picture in common: then they show one scene."""
    bearers = edges_NE[edges_NE[:, mark_E].mean(axis=1) > 0.5]
    return not len(bearers) or ((bearers.mean(axis=0) > 0.5) & ~mark_E).sum() > ELSEWHERE * mark_E.sum()


def recurring(config: Config, table: pa.Table, learned: Mapping[str, np.ndarray]) -> pa.Table:
    """Return the table with the share that each clip has of the edges of a mark of its source; null without edges."""
    values: list[float | None] = []
    for source, edges in zip(*(table.column(name).to_pylist() for name in READS), strict=True):
        if edges is None:
            values.append(None)
            continue
        marks = learned.get(source)
        shares = [0.0] if marks is None else (marks & video_watermark_edges([edges])).sum(1) / marks.sum(1)
        values.append(round(float(max(shares)), 4))
    return with_column(table, pa.field(COLUMN, pa.float64()), values)


run, bounds, explain = video_band_filter(_BAND)
