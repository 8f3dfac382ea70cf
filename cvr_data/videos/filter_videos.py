"""Filters videos by what was measured of them, in order, and says of every filter how its values lie and what it took.

    cvr filter-videos videos -f blur -f still:low=3

Clips are decoded once (`measure_videos`); what recurs in all clips is learned, and stored features are asked, where a
filter is chosen that goes by them. Removed videos lie beside the kept ones with their reason.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.chosen import Chosen, choose_registered_components
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import column_names
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.places import moved_media
from cvr_data.tables import VIDEOS
from cvr_data.videos.filters import VIDEO_FILTERS, Compares, Judges, Learns, VideoFilterModule

if TYPE_CHECKING:
    from cvr_data.features.encoders.stored import StoredEncoder

STAGE = "filter-videos"
VERSION = 1
DEFAULT_VIDEO_FILTERS = ("duration", "size", "black", "blur", "still", "near-duplicate")
VideoFilter = Chosen[VideoFilterModule]


def choose_video_filters(texts: Sequence[str]) -> list[VideoFilter]:
    """Return the filters of videos that `--filter` names, in order (`core.chosen`).

    Raises:
        CvrError: an unknown name or option, or `none` or `-NAME` where there is nothing to take out.
    """
    return choose_registered_components(VIDEO_FILTERS, texts, DEFAULT_VIDEO_FILTERS)


def check_video_filter_features(filters: Sequence[VideoFilter], embeddings: Path | None) -> None:
    """Raise CvrError where a filter looks at stored features and none are given, or the other way round."""
    judges = [chosen.name for chosen in filters if isinstance(chosen.module, Judges)]
    if judges and embeddings is None:
        raise CvrError(f"--filter {judges[0]} looks at stored features; pass --embeddings of an image-text encoder.")
    if embeddings is not None and not judges:
        raise CvrError("No filter that is chosen looks at --embeddings; leave it out, or add -f +aesthetic.")


def filter_videos(
    measured: Path, filters: Sequence[VideoFilter], out: Path, *, embeddings: Path | None = None,
    overwrite: bool = False,
) -> Artifact:  # fmt: skip
    """Return the artifact of videos that pass all filters, with the columns that these went by.

    Args:
        measured: the videos with what `measure_videos` measured.
        filters: in order.
        out: the folder to write.
        embeddings: stored features, for filters that ask them.
        overwrite: replace what `out` holds.

    Raises:
        CvrError: a filter needs embeddings that are not given, or has a column that nothing made.
    """
    check_video_filter_features(filters, embeddings)
    inputs = {"videos": measured, **({"embeddings": embeddings} if embeddings is not None else {})}
    config = {"filters": [chosen.identity() for chosen in filters]}
    run = StageRun(out, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    if embeddings is not None:
        _stored_features(embeddings)  # refused before anything is written
    with run:
        flow = run.read(measured).then(Step(name="place", run=_placed, config=(measured, run.out), is_counted=False))
        for chosen in filters:
            flow = _with_values(flow, chosen, measured, embeddings)
            flow = flow.then(Step(name=chosen.name, run=chosen.module.run, config=chosen.config))
        run.write(flow.then(Step(name="kept", run=_without_bytes, is_counted=False)), VIDEOS, sort_by=("video_id",))
        return open_artifact(out)


def _placed(about: tuple[Path, Path], part: pa.Table) -> pa.Table:
    measured, out = about
    return moved_media(check_columns(part, VIDEOS, str(measured)), measured, out)


def _without_bytes(config: None, part: pa.Table) -> pa.Table:
    """The videos without the columns that only filters can read."""
    return part.drop_columns([field.name for field in part.schema if pa.types.is_binary(field.type)])


def _with_values(flow: Flow, chosen: VideoFilter, measured: Path, embeddings: Path | None) -> Flow:
    """Return the videos with the column that a filter goes by, where it is not measured."""
    module, name = chosen.module, f"{chosen.name}-values"
    if isinstance(module, Learns):
        paths = open_artifact(measured).part_paths  # all, here and once: what recurs is no matter of who looks where
        learned = module.learn(chosen.config, (read_parquet(path, list(module.READS)) for path in paths))
        run = partial(_recurring, module.recurring, learned)
        return flow.then(Step(name=name, run=run, config=chosen.config, is_counted=False))
    if isinstance(module, Judges):
        judged = partial(_judged, module.COLUMN, module.judge)
        side = Side(_stored_features, (embeddings,))
        return flow.then(
            Step(name=name, run=judged, config=chosen.config, sides=(side,), is_counted=False, on_gpu=True)
        )
    if isinstance(module, Compares):
        return flow.then(*module.compare(chosen.config))
    return flow


def _recurring(find: Callable[..., pa.Table], learned: Any, config: Any, part: pa.Table) -> pa.Table:
    return find(config, part, learned)


def _stored_features(embeddings: Path) -> "StoredEncoder":
    from cvr_data.features.encoders.stored import StoredEncoder
    from cvr_data.features.store import FeatureStore

    return StoredEncoder(FeatureStore.open(embeddings))


def _judged(
    column: str, judge: Callable[..., np.ndarray], config: Any, part: pa.Table, encoder: "StoredEncoder"
) -> pa.Table:
    """The videos with what the features say of them; null where they are not stored."""
    ids = part.column("video_id").to_pylist()
    is_stored = encoder.store.has_videos(ids)
    values = np.full(len(ids), np.nan)
    if is_stored.any():
        known = [video_id for video_id, has in zip(ids, is_stored, strict=True) if has]
        values[is_stored] = judge(config, known, encoder)
    return with_column(part, column, pa.array(values, mask=~is_stored))


def video_filter_in_words(artifact: Artifact, row: Mapping[str, Any]) -> str:
    """Return the filter that dropped a row of the artifact, with the value that decided; nothing of a kept one."""
    if row.get("drop_step") is None:
        return ""
    options = dict(artifact.manifest["config"]["filters"][row["drop_step"]])
    name = str(options.pop("name"))
    options.pop("version", None)
    module = VIDEO_FILTERS.get(name)
    return f"{module.explain(VIDEO_FILTERS.config(name, options), row)} ({name})"


class FilterValues(NamedTuple):
    """What a filter did: the values of its column that stayed, those it dropped, and where the bounds lie."""

    name: str
    column: str
    bounds: Sequence[tuple[float, str]]
    kept: np.ndarray
    """Of videos that passed it, whatever a later filter did."""
    lost: np.ndarray
    unknown: int
    """Videos that it knew nothing of; they stay."""


def video_filter_values(artifact: Artifact, filters: Sequence[VideoFilter]) -> list[FilterValues]:
    """Return what each filter did, from the kept and dropped rows of the artifact."""
    kept, lost = (_columns_of(artifact, filters, begin) for begin in ("part", "dropped"))
    found = []
    for place, chosen in enumerate(filters):
        column = chosen.module.COLUMN
        steps = lost["drop_step"]
        passed = np.concatenate([kept[column], lost[column][steps > place]])
        known = passed[~np.isnan(passed)]
        taken = lost[column][steps == place]
        bounds = chosen.module.bounds(chosen.config)
        found.append(FilterValues(chosen.name, column, bounds, known, taken, len(passed) - len(known)))
    return found


def _columns_of(artifact: Artifact, filters: Sequence[VideoFilter], begin: str) -> dict[str, np.ndarray]:
    """The columns of the filters as numbers, NaN where there is none, of files whose names begin so."""
    wanted = ["drop_step", *dict.fromkeys(chosen.module.COLUMN for chosen in filters)]
    found: dict[str, list[np.ndarray]] = {name: [np.empty(0)] for name in wanted}
    for path in sorted(artifact.path.glob(f"{begin}-*.parquet")):
        known = set(column_names(path))
        there = [name for name in wanted if name in known]
        table = read_parquet(path, there)
        for name in wanted:
            values = table.column(name).cast(pa.float64()).to_numpy() if name in there else None
            found[name].append(np.full(table.num_rows, np.nan) if values is None else values)
    return {name: np.concatenate(values) for name, values in found.items()}
