"""Turns features that others computed into an embeddings artifact, and the other way round.

Items that cannot be used, or that a list names and the folder has not, are rows with a reason; the rest is imported.
"""

# Shapes: T frames, P tokens of a frame, N rows, D embedding.

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.parts import Part, read_part
from cvr_data.core.reading import read_array
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.stage_jobs import MadeFiles
from cvr_data.core.whole_files import read_parquet, whole_folder
from cvr_data.download.items import read_ids_to_download
from cvr_data.features.embed import STORED
from cvr_data.features.embed_parts import DROPPED, VideoPart, embedded_text_table
from cvr_data.features.embed_source import VIDEOS_PER_PART
from cvr_data.features.layout import Export, Features, VideoRow
from cvr_data.features.layouts import LAYOUTS
from cvr_data.features.store import EMBEDDINGS, STAGE, FeatureStore

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Import:
    """What to import and what it is."""

    layout: str
    config: Any
    encoder: str = "imported"
    """The encoder that made the features: it encodes texts that are not stored, when a model asks for them."""
    encoder_options: dict[str, Any]
    only: Path | None = None
    """A table of the ids that are wanted."""
    texts: Path | None = None
    """An embeddings folder whose texts are taken too."""


def import_features(source: Path, chosen: Import, out: Path, *, overwrite: bool = False) -> Artifact:
    """Return the embeddings artifact of a folder or file of features.

    Raises:
        CvrError: the layout does not fit the source, texts are of another width, or no video or text can be used.
    """
    if not source.exists():
        raise CvrError(f"{source} does not exist.")
    run = _run(source, chosen, out, overwrite)
    if (done := run.finished()) is not None:
        return done
    features = LAYOUTS.get(chosen.layout).read(chosen.config, source)
    rows, missing = _wanted(features.videos, chosen.only)
    maker = PartMaker(chosen.layout, chosen.config, source, _first_shape(rows))
    with run:
        try:
            videos = run.made("videos", lambda: _video_tables(rows, missing)).parts
            texts = run.made("texts", lambda: _text_tables(features, chosen.texts)).parts
            counts = run.make_parts("import", dict(enumerate((*videos, *texts))), maker)
            if not run.written:
                raise CvrError(f"{source}: the layout {chosen.layout} finds no features there that can be used.")
        except CvrError:
            run.writer.discard()
            raise
        stored = {"videos": sum(counts[: len(videos)]), "texts": sum(counts[len(videos) :])}
        return run.finish(
            **maker.widths(), text_dim=_text_dim(texts, chosen.texts), runs_on="imported", stored=STORED, **stored
        )


def export_features(
    embeddings: Path, layout: str, config: Any, out: Path, *, only: Path | None = None, texts: Sequence[str] = ()
) -> tuple[list[Path], int]:
    """Write stored features (raw ones) in a layout; return what was made and the number of videos.

    Raises:
        CvrError: an id or a text is not stored, the layout cannot name it, or `out` is not empty.
    """
    store = FeatureStore.open(embeddings, space="raw")
    ids = store.video_ids if only is None else sorted(read_ids_to_download(only))
    if unknown := list(compress(ids, ~store.has_videos(ids))):
        raise CvrError(f"{embeddings} has no features of {len(unknown)} videos of {only}: {first_few(unknown)}.")
    with whole_folder(out) as new:
        made = LAYOUTS.get(layout).write(config, Export(store, ids, texts), new)
    return [out / path.relative_to(new) for path in made], len(ids)


def _run(source: Path, chosen: Import, out: Path, overwrite: bool) -> StageRun:
    config = {
        "encoder": chosen.encoder,
        "options": chosen.encoder_options,
        "column": None,
        "layout": chosen.layout,
        "layout_options": config_dict(chosen.config),
    }
    inputs = {"only": chosen.only, "texts": chosen.texts, "features": source if source.is_file() else None}
    if source.is_dir():
        config["listing_sha256"] = _listing(source)
    given = {name: path for name, path in inputs.items() if path is not None}
    return StageRun(out, stage=f"{STAGE}-import", version=VERSION, config=config, inputs=given, overwrite=overwrite)


def _listing(folder: Path) -> str:
    """The hash of names and sizes: thousands of small files are not read twice for a key."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()}\t{path.stat().st_size}\n" for path in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _wanted(videos: Sequence[VideoRow], only: Path | None) -> tuple[list[VideoRow], list[str]]:
    by_id = {row.video_id: row for row in videos}
    if len(by_id) < len(videos):
        ids = [row.video_id for row in videos]
        raise CvrError(
            f"These ids are there twice: {first_few(sorted({each for each in ids if ids.count(each) > 1}))}."
        )
    if only is None:
        return [by_id[video_id] for video_id in sorted(by_id)], []
    wanted = sorted(read_ids_to_download(only))
    return [by_id[name] for name in wanted if name in by_id], [name for name in wanted if name not in by_id]


def _first_shape(rows: Sequence[VideoRow]) -> tuple[int, ...]:
    """The shape of a frame of the first video that can be used: all others need it too."""
    for row in rows:
        if shape := _take(row, VideoPart([], [], [], [], []), ()):
            return shape
    return ()


def _video_tables(rows: Sequence[VideoRow], missing: Sequence[str]) -> Iterator[pa.Table]:
    """The ids of each part; the first also has those that are missing."""
    for start in range(0, max(len(rows), 1), VIDEOS_PER_PART):
        ids = [row.video_id for row in rows[start : start + VIDEOS_PER_PART]]
        absent = [] if start else list(missing)
        is_there = pa.array([True] * len(ids) + [False] * len(absent), pa.bool_())
        yield pa.table({"video_id": pa.array(ids + absent, pa.string()), "is_there": is_there})


@dataclass(frozen=True)
class PartMaker:
    """Makes parts of what a layout has."""

    layout: str
    config: Any
    source: Path
    shape: tuple[int, ...]
    """Of a frame."""

    def __call__(self, number: int, rows: pa.Table) -> MadeFiles:
        """Return the files of a part of videos, of texts, or of texts that are stored already."""
        if _STORED in rows.column_names:
            return _stored_part(rows)
        return self._videos(rows) if "video_id" in rows.column_names else _text_part(rows)

    def widths(self) -> dict[str, int]:
        """Return what the manifest says of the videos."""
        tokens = {"frame_token_dim": self.shape[-1]} if len(self.shape) == 2 else {}
        return {"dim": self.shape[-1] if self.shape else 0, **tokens}

    def _videos(self, rows: pa.Table) -> MadeFiles:
        known = _videos_of_process(self.layout, self.config, self.source)
        part = VideoPart([], [], [], [], [])
        for video_id, is_there in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            if is_there:
                _take(known[video_id], part, self.shape)
            else:
                part.dropped.append(_dropped(video_id, "no_features", "no file or array of this id"))
        return part.files(self.widths()["dim"])


@lru_cache(maxsize=1)
def _videos_of_process(layout: str, config: Any, source: Path) -> dict[str, VideoRow]:
    return {row.video_id: row for row in LAYOUTS.get(layout).read(config, source).videos}


def _take(row: VideoRow, part: VideoPart, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Add a video, or a reason; return the shape of a frame, which the first video decides."""
    try:
        array = np.atleast_2d(row.read())
    except CvrError as error:
        part.dropped.append(_dropped(row.video_id, "unreadable_features", str(error)))
        return shape
    if (
        array.ndim > 3
        or array.size == 0
        or array.dtype.kind not in "fiu"
        or array.shape[1:] != (shape or array.shape[1:])
    ):
        expected = f"(frames, {', '.join(map(str, shape))})" if shape else "(frames, D)"
        part.dropped.append(_dropped(row.video_id, "wrong_shape", f"{array.dtype} {array.shape}, not {expected}"))
        return shape
    if not np.isfinite(array).all():
        part.dropped.append(_dropped(row.video_id, "not_finite", "an infinite value or no number"))
        return shape
    part.ids.append(row.video_id)
    part.hashes.append("")
    part.notes.append(None)
    part.frames.append((array.mean(axis=1) if array.ndim == 3 else array).astype(np.float32))
    if array.ndim == 3:
        part.tokens.append(array.astype(np.float16))
    return array.shape[1:]


def _dropped(video_id: str, reason: str, detail: str) -> dict[str, str]:
    return {"video_id": video_id, "drop_reason": reason, "detail": detail}


_STORED = "stored_as"


def _text_tables(features: Features, folder: Path | None) -> Iterator[pa.Table]:
    """Texts of the layout, each once, or else those of an embeddings folder."""
    width, seen = 0, set[str]()
    for rows in features.texts:
        pooled = rows.features if rows.features.ndim == 2 else rows.features[:, 0]
        if width and pooled.shape[1] != width:
            raise CvrError(f"Texts of two widths, {width} and {pooled.shape[1]}; import one file at a time.")
        width = pooled.shape[1]
        first = {text: row for row, text in reversed(list(enumerate(rows.texts))) if text not in seen}
        texts = sorted(first)
        seen.update(texts)
        chosen = pooled[[first[text] for text in texts]].astype(np.float32)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(chosen.ravel()), width)
        yield pa.table({"text": pa.array(texts, pa.string()), "vector": vectors})
    if folder is None:
        return
    if width:
        raise CvrError("The folder has texts of its own; leave --texts out.")
    for path in open_artifact(folder, STAGE).part_paths:
        table = check_columns(read_parquet(path), EMBEDDINGS, str(path))
        if table.num_rows and table.column("kind")[0].as_py() == "text":
            yield table.append_column(_STORED, pa.array([str(path.resolve())] * table.num_rows))


def _text_dim(texts: Sequence[Part], folder: Path | None) -> int:
    if folder is not None:
        return open_artifact(folder).manifest["text_dim"]
    return read_part(texts[0]).schema.field("vector").type.list_size if texts else 0


def _stored_part(rows: pa.Table) -> MadeFiles:
    path = Path(rows.column(_STORED)[0].as_py())
    files = {name: path.with_name(path.stem.replace("part", name, 1) + ".npy") for name in ("part", "pooled")}
    arrays = {name: read_array(file) for name, file in files.items()}
    return MadeFiles(rows.drop_columns([_STORED]), DROPPED.empty_table(), arrays)


def _text_part(rows: pa.Table) -> MadeFiles:
    texts = rows.column("text").to_pylist()
    vectors = rows.column("vector").combine_chunks()
    chosen = vectors.flatten().to_numpy().reshape(len(texts), vectors.type.list_size)
    length_B1 = np.linalg.norm(chosen, axis=1, keepdims=True)
    unit = chosen / np.maximum(length_B1, 1e-12)
    arrays = {"part": chosen.astype(np.float16), "pooled": unit.astype(np.float16)}
    return MadeFiles(embedded_text_table(texts, [1] * len(texts), length_B1[:, 0]), DROPPED.empty_table(), arrays)
