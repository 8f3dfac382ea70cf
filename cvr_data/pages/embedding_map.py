"""The page of `cvr map`: videos, and what changes from reference to target, as points whose clips play on hover.

page = map_page(Path("annotations/mine"), Path("embeddings"), MapConfig())
Path("map.html").write_text(map_html(page), encoding="utf-8")
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import column_names
from cvr_data.core.progress import Progress
from cvr_data.features.store import FeatureStore
from cvr_data.media.clip import Clip
from cvr_data.media.places import clips_of
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.page import page_environment, page_with_clips
from cvr_data.pages.principal import BEFORE_UMAP, map_page_principal_axes, umap_points
from cvr_data.tables import VIDEOS
from cvr_data.triplets.dataset import open_dataset

MOST_POINTS = 50_000
"""Of a map; of more, so many are drawn at random."""
CHUNK = 4096
GROUPS = 6
"""Colours; values beyond the most frequent ones are `other`."""
OF_VIDEOS = ("split", "source", "licence", "recording_id")
OF_TRIPLETS = ("split", "style", "backend")
SIDE = 65_535
"""Positions are whole numbers from 0 to this."""


@dataclass(frozen=True, kw_only=True)
class MapConfig:
    """How a map is drawn."""

    method: str = "pca"
    clips: int = 300
    """Videos whose clips the page holds."""
    seed: int = 0


@dataclass(frozen=True)
class Colouring:
    """What a column says of each point: one of few values."""

    name: str
    values: list[str]
    code_N: np.ndarray


@dataclass(frozen=True)
class Layer:
    """Points that are shown together."""

    name: str
    note: str
    points_N2: np.ndarray
    videos_NV: np.ndarray
    """Numbers of the videos of each point: one, or reference and target."""
    texts: list[str]
    """Of each point; of videos none, since they have their captions."""
    colourings: list[Colouring]


@dataclass(frozen=True)
class MapPage:
    """Everything on the page."""

    title: str
    command: str
    layers: list[Layer]
    ids: list[str]
    captions: list[str]
    clips: ClipShelf
    shown: list[str]
    """Ids of the videos whose clips the page holds."""

    @property
    def used(self) -> int:
        """How many videos there are on the maps."""
        return len(np.unique(np.concatenate([layer.videos_NV.ravel() for layer in self.layers])))


def map_page(folder: Path, embeddings: Path, config: MapConfig, *, videos: Path | None = None) -> MapPage:
    """Return the map of the videos in a folder; of triplets, that of what changes, and of the videos that they use.

    Raises:
        CvrError: the folder holds neither, or no video has features.
    """
    artifact = open_artifact(folder)
    if artifact.part_paths and "video_id" in column_names(artifact.part_paths[0]):
        table = check_columns(artifact.read(), VIDEOS, str(folder))
        space = _Space(embeddings, table, clips_of(table, folder))
        return _page(folder, space, [_video_layer(space, config)], config)
    dataset = open_dataset(folder, videos=videos)
    if dataset.videos is None:
        raise CvrError(f"{folder} leads to no videos; pass --videos.")
    ids = {id for end in ("reference", "target") for id in dataset.triplets.column(f"{end}_id").to_pylist()}
    is_used = pa.array([id in ids for id in dataset.videos.column("video_id").to_pylist()], pa.bool_())
    used = dataset.videos.filter(is_used)
    space = _Space(embeddings, used, clips_of(used, Path()))
    layers = [_change_layer(space, dataset.triplets, config), _video_layer(space, config)]
    return _page(folder, space, [layer for layer in layers if layer is not None], config)


class _Space:
    """The videos of a map that have features."""

    def __init__(self, embeddings: Path, videos: pa.Table, clips: Mapping[str, Clip]):
        self.store = FeatureStore.open(embeddings, "raw")
        has = self.store.has_videos(videos.column("video_id").to_pylist())
        self.videos, self.clips = videos.filter(pa.array(has, pa.bool_())), clips
        if not self.videos.num_rows:
            raise CvrError(f"{embeddings} has features of none of these videos; run: cvr embed VIDEOS")
        self.left_out = videos.num_rows - self.videos.num_rows
        self.ids: list[str] = self.videos.column("video_id").to_pylist()
        self.number = {id: number for number, id in enumerate(self.ids)}

    def unit(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean frame of the videos of these numbers, of length one."""
        return self.store.pooled([self.ids[row] for row in rows.tolist()]).numpy()


def _video_layer(space: _Space, config: MapConfig) -> Layer:
    rows, note = _some(len(space.ids), "videos", space.left_out, config)

    def chunks() -> Iterable[np.ndarray]:
        return (space.unit(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK))

    points, told = _placed(chunks, len(rows), "videos", config)
    table = space.videos.take(pa.array(rows))
    columns = {name: table.column(name).to_pylist() for name in OF_VIDEOS if name in table.column_names}
    return Layer("Videos", f"{note} {told}", points, rows[:, None], [], _colourings(columns))


def _change_layer(space: _Space, triplets: pa.Table, config: MapConfig) -> Layer | None:
    """What the triplets change; None where of no triplet both videos have features."""
    numbers = [
        np.array([space.number.get(id, -1) for id in triplets.column(f"{end}_id").to_pylist()], np.int64)
        for end in ("reference", "target")
    ]
    known = np.flatnonzero((numbers[0] >= 0) & (numbers[1] >= 0))
    if not len(known):
        return None
    drawn, note = _some(len(known), "triplets", triplets.num_rows - len(known), config)
    rows = known[drawn]
    ends_NV = np.stack([each[rows] for each in numbers], 1)

    def chunks() -> Iterable[np.ndarray]:
        parts = (ends_NV[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
        return (space.unit(part[:, 1]) - space.unit(part[:, 0]) for part in parts)

    points, told = _placed(chunks, len(rows), "what changes", config)
    table = triplets.take(pa.array(rows))
    changes = [(listed or [{}])[0] for listed in table.column("changes").to_pylist()]
    columns = {"what changes": [change.get("slot") for change in changes], "kind": [c.get("kind") for c in changes]}
    columns |= {name: table.column(name).to_pylist() for name in OF_TRIPLETS if name in table.column_names}
    note = f"{note} A point is the target's features minus the reference's. {told}"
    return Layer("What changes", note, points, ends_NV, table.column("modification").to_pylist(), _colourings(columns))


def _some(count: int, what: str, left_out: int, config: MapConfig) -> tuple[np.ndarray, str]:
    """Which of so many rows are drawn, and what is said of it."""
    missing = f" {left_out:,} more have no features." if left_out else ""
    if count <= MOST_POINTS:
        return np.arange(count), f"{count:,} {what}.{missing}"
    drawn = np.random.default_rng(config.seed).choice(count, MOST_POINTS, replace=False)
    return np.sort(drawn), f"{MOST_POINTS:,} of {count:,} {what}, drawn at random (seed {config.seed}).{missing}"


def _placed(
    chunks: Callable[[], Iterable[np.ndarray]], count: int, what: str, config: MapConfig
) -> tuple[np.ndarray, str]:
    """The points in two dimensions, and what those are."""
    with Progress("features", 2 * count, "rows") as progress:

        def told_chunks() -> Iterable[np.ndarray]:
            for chunk in chunks():
                yield chunk
                progress.advance(len(chunk))

        found = map_page_principal_axes(told_chunks, BEFORE_UMAP if config.method == "umap" else 2)
    if config.method == "umap":
        told = f"UMAP of {len(found.shares)} principal components, seed {config.seed}: near points are alike."
        with Progress("umap", count, "points") as progress:
            points_N2 = umap_points(found.points_NK, config.seed)
            progress.advance(count)
        return points_N2, told
    first, second = (100 * share for share in [*found.shares, 0.0, 0.0][:2])
    wide = np.pad(found.points_NK, ((0, 0), (0, 2 - found.points_NK.shape[1])))
    return wide, f"Principal components with {first:.0f} % and {second:.0f} % of the variance of {what}."


def _colourings(columns: Mapping[str, Sequence[Any]]) -> list[Colouring]:
    """What the columns say, of those that tell points apart."""
    found = []
    for name, values in columns.items():
        told, code_N, counts = np.unique(
            np.array([str(value or "unknown") for value in values], object).astype(str),
            return_inverse=True, return_counts=True,
        )  # fmt: skip
        order = np.lexsort((told, -counts))
        places = np.empty(len(told), np.int64)
        places[order] = np.arange(len(told))
        few = [f"{told[place]} ({counts[place]:,})" for place in order[:GROUPS]]
        if len(told) > GROUPS:
            few.append(f"other ({counts[order[GROUPS:]].sum():,})")
        found.append(Colouring(name, few, np.minimum(places[code_N], GROUPS).astype(np.uint8)))
    return [one for one in found if len(one.values) > 1] or found[:1]


def _page(folder: Path, space: _Space, layers: list[Layer], config: MapConfig) -> MapPage:
    """The page, with the clips of so many videos, drawn at random, of the first layer first."""
    used = np.unique(layers[0].videos_NV)
    order = np.random.default_rng(config.seed).permutation(used)[: config.clips]
    shelf = ClipShelf(dict(space.clips))
    shown = []
    with Progress("map", len(order), "clips") as progress:
        for number in order.tolist():
            shown += [space.ids[number]] if shelf.has(space.ids[number]) else []
            progress.advance(1)
    captions = [listed[0] if listed else "" for listed in space.videos.column("captions").to_pylist()]
    name = open_artifact(folder).manifest.get("name") or folder.resolve().name
    return MapPage(str(name), running_command(), layers, space.ids, captions, shelf, shown)


def map_html(page: MapPage) -> str:
    """Return the page as HTML that loads nothing from outside itself."""
    content = json.dumps(_map_data(page), separators=(",", ":")).replace("<", "\\u003c")
    made = page_environment()
    body = made.get_template("map.html.j2").render(page=page, data=Markup(content))
    return page_with_clips(body, page.clips)


def _map_data(page: MapPage) -> dict[str, Any]:
    """What the script reads: numbers as bytes in base64, texts as lists; only videos that are drawn."""
    used = np.unique(np.concatenate([layer.videos_NV.ravel() for layer in page.layers]))
    return {
        "ids": [page.ids[number] for number in used.tolist()],
        "captions": [page.captions[number] for number in used.tolist()],
        "layers": [
            {
                "name": layer.name,
                "note": layer.note,
                "points": _base64(_within_side(layer.points_N2), "<u2"),
                "videos": _base64(np.searchsorted(used, layer.videos_NV), "<u4"),
                "ends": layer.videos_NV.shape[1],
                "texts": layer.texts,
                "colourings": [
                    {"name": one.name, "values": one.values, "codes": _base64(one.code_N, "u1")}
                    for one in layer.colourings
                ],
            }
            for layer in page.layers
        ],
    }


def _within_side(points_N2: np.ndarray) -> np.ndarray:
    """The points as whole numbers, both axes on one scale."""
    low, high = points_N2.min(0), points_N2.max(0)
    span = max(float((high - low).max()), np.finfo(float).tiny)
    return np.round((points_N2 - (low + high) / 2) / span * SIDE + SIDE / 2)


def _base64(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()
