"""Turns features that others computed into an embeddings artifact, and the other way round.

Items that cannot be used, or that a list names and the folder has not, are rows with a reason; the rest is imported.
"""

# Shapes: T frames, P tokens of a frame, N rows, D embedding.

import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.download.items import read_ids
from cvr_data.features.embed import DROPPED, STORED, VideoPart, id_table
from cvr_data.features.embed_source import VIDEOS_PER_PART
from cvr_data.features.layout import Export, Features, TextRows, VideoRow
from cvr_data.features.layouts import LAYOUTS
from cvr_data.features.store import STAGE, FeatureStore
from cvr_data.tables import text_id

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
    writer = _writer(source, chosen, out, overwrite)
    if (done := writer.finished()) is not None:
        return done
    features: Features = LAYOUTS.get(chosen.layout).read(chosen.config, source)
    rows, missing = _wanted(features.videos, chosen.only)
    with writer:
        widths = _write_videos(writer, rows, missing)
        text_dim = _write_texts(writer, features, chosen.texts, -(-len(rows) // VIDEOS_PER_PART) or 1)
        counts = count_items(out)
        if not counts["videos"] and not counts["texts"]:
            raise CvrError(f"{source}: the layout {chosen.layout} finds no features there that can be used.")
        return writer.finish(**widths, text_dim=text_dim, runs_on="imported", stored=STORED, **counts)


def export_features(
    embeddings: Path, layout: str, config: Any, out: Path, *, only: Path | None = None, texts: Sequence[str] = ()
) -> tuple[list[Path], int]:
    """Write stored features (raw ones) in a layout; return what was made and the number of videos.

    Raises:
        CvrError: an id or a text is not stored, the layout cannot name it, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise CvrError(f"{out} is not empty; name another --out.")
    store = FeatureStore.open(embeddings, space="raw")
    ids = store.video_ids if only is None else sorted(read_ids(only))
    if unknown := list(compress(ids, ~store.has_videos(ids))):
        raise CvrError(f"{embeddings} has no features of {len(unknown)} videos of {only}: {first_few(unknown)}.")
    made = LAYOUTS.get(layout).write(config, Export(store, ids, texts), out)
    return made, len(ids)


def count_items(folder: Path) -> dict[str, int]:
    """Return how many videos and texts the parts of a folder hold."""
    kinds: Counter[str] = Counter()
    for path in sorted(folder.glob("part-*.parquet")):
        kinds.update(pq.read_table(path, columns=["kind"]).column("kind").to_pylist())
    return {"videos": kinds["video"], "texts": kinds["text"]}


def _writer(source: Path, chosen: Import, out: Path, overwrite: bool) -> ArtifactWriter:
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
    return ArtifactWriter(
        out, stage=f"{STAGE}-import", version=VERSION, config=config, inputs=given, overwrite=overwrite
    )


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
    wanted = sorted(read_ids(only))
    return [by_id[name] for name in wanted if name in by_id], [name for name in wanted if name not in by_id]


def _write_videos(writer: ArtifactWriter, rows: Sequence[VideoRow], missing: Sequence[str]) -> dict[str, int]:
    shape: tuple[int, ...] = ()
    with Progress("import", len(rows), "videos") as progress:
        for index, start in enumerate(range(0, max(len(rows), 1), VIDEOS_PER_PART)):
            part = VideoPart([], [], [], [], [])
            for row in rows[start : start + VIDEOS_PER_PART]:
                shape = _take(row, part, shape)
                progress.advance()
            absent = [_dropped(name, "no_features", "no file or array of this id") for name in missing if not index]
            dropped = pa.Table.from_pylist(part.dropped + absent, DROPPED)
            writer.write_part(index, part.table(), dropped=dropped, arrays=part.arrays(shape[-1] if shape else 0))
    tokens = {"frame_token_dim": shape[-1]} if len(shape) == 2 else {}
    return {"dim": shape[-1] if shape else 0, **tokens}


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
    part.frames.append((array.mean(axis=1) if array.ndim == 3 else array).astype(np.float32))
    if array.ndim == 3:
        part.tokens.append(array.astype(np.float16))
    return array.shape[1:]


def _dropped(video_id: str, reason: str, detail: str) -> dict[str, str]:
    return {"video_id": video_id, "drop_reason": reason, "detail": detail}


def _write_texts(writer: ArtifactWriter, features: Features, folder: Path | None, index: int) -> int:
    """Write texts of the layout, or else those of an embeddings folder; return their width."""
    text_dim, seen = 0, set[str]()
    for rows in features.texts:
        text_dim = _write_text_part(writer, index, rows, text_dim, seen)
        index += 1
    if folder is None:
        return text_dim
    if text_dim:
        raise CvrError("The folder has texts of its own; leave --texts out.")
    stored = open_artifact(folder, STAGE)
    for path in stored.part_paths:
        table = pq.read_table(path)
        if table.num_rows and table.column("kind")[0].as_py() == "text":
            for name in ("part", "pooled"):
                file = path.with_name(path.stem.replace("part", name, 1) + ".npy")
                shutil.copyfile(file, writer.path / f"{name}-{index:05d}.npy")
            writer.write_part(index, table)
            index += 1
    return stored.manifest["text_dim"]


def _write_text_part(writer: ArtifactWriter, index: int, rows: TextRows, text_dim: int, seen: set[str]) -> int:
    pooled = rows.features if rows.features.ndim == 2 else rows.features[:, 0]
    if text_dim and pooled.shape[1] != text_dim:
        raise CvrError(f"Texts of two widths, {text_dim} and {pooled.shape[1]}; import one file at a time.")
    first = {text: row for row, text in reversed(list(enumerate(rows.texts))) if text not in seen}
    texts = sorted(first)
    seen.update(texts)
    chosen = pooled[[first[text] for text in texts]].astype(np.float32)
    unit = chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-12)
    table = id_table([text_id(text) for text in texts], "text", [1] * len(texts))
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    table = with_column(table, "sha256", pa.array(hashes, pa.string()))
    writer.write_part(index, table, arrays={"part": chosen.astype(np.float16), "pooled": unit.astype(np.float16)})
    return pooled.shape[1]
