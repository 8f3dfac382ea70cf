"""Writes an embeddings artifact: frames of every readable video and every distinct text, part by part.

Videos are decoded in threads while the network runs. Parts and batches are cut by row number alone, so how many
threads there are, or where an interrupted run stopped, does not change what is written.
"""

# Shapes: N rows, D embedding.

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F

from cvr_data.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.corpora._paths import resolve_media
from cvr_data.embeddings import EMBEDDINGS, STAGE
from cvr_data.encoders import ENCODERS
from cvr_data.encoders._protocol import Encoder, FrameEncoder
from cvr_data.errors import CvrError, did_you_mean, first_few
from cvr_data.near_duplicates import perceptual_hash
from cvr_data.progress import Progress
from cvr_data.registry import config_dict
from cvr_data.tables import VIDEOS, check_columns, text_id
from cvr_data.video import UnreadableVideo, Video

VERSION = 1
VIDEOS_PER_PART = 256
TEXTS_PER_PART = 4096
TEXTS_PER_CALL = 512
VIDEOS_PER_CALL = 32
"""Videos whose frames go to the network at once: a few dozen megabytes of pixels."""
DECODERS = 2
"""Decoding threads: enough to keep up with the network on a CPU."""
DROPPED = pa.schema([("video_id", pa.string()), ("drop_reason", pa.string()), ("detail", pa.string())])


@dataclass(frozen=True)
class Source:
    """What to embed, and how many parts of each kind that makes."""

    videos: list[Video]
    texts: list[str]

    @property
    def video_parts(self) -> int:
        """Parts of videos; they come first."""
        return -(-len(self.videos) // VIDEOS_PER_PART)

    @property
    def text_parts(self) -> int:
        """Parts of texts."""
        return -(-len(self.texts) // TEXTS_PER_PART)


def embed(
    source: Path,
    encoder_name: str,
    encoder_config: Any,
    out: Path,
    *,
    column: str | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Return the artifact of raw features of a videos artifact, or of one text column of any artifact.

    Raises:
        CvrError: the encoder takes no texts, a column is missing, or no video at all can be read.
    """
    artifact = open_artifact(source)
    config = {"encoder": encoder_name, "options": config_dict(encoder_config), "column": column}
    inputs = {"videos" if column is None else "source": source}
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    encoder = ENCODERS.get(encoder_name).load(encoder_config)
    found = _texts_of_column(artifact, column, encoder) if column else _videos_and_captions(artifact, encoder)
    with writer:
        _write_videos(writer, encoder, found)
        _write_texts(writer, encoder, found)
        if found.videos and not _kept(writer, found.video_parts):
            raise CvrError(f"None of the {len(found.videos)} videos of {source} can be read: {_first_detail(writer)}")
        return writer.finish(
            dim=encoder.dim,
            text_dim=encoder.text_dim,
            videos=_kept(writer, found.video_parts),
            texts=len(found.texts),
            runs_on=encoder.runs_on,
            stored={"dtype": "float16", "normalised": "pooled rows to unit length, frames and tokens not"},
        )


def distinct_texts(table: pa.Table, columns: Sequence[str], where: str) -> list[str]:
    """Return the distinct texts of string or list-of-string columns, sorted, nulls left out.

    Raises:
        CvrError: a column is absent or holds no text.
    """
    texts: set[str] = set()
    for name in columns:
        if name not in table.column_names:
            raise CvrError(f"{where}: there is no column {name!r}. {did_you_mean(name, table.column_names)}")
        values = table.column(name).combine_chunks()
        while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            values = values.flatten()
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            raise CvrError(f"{where}: column {name!r} holds {values.type}, not text.")
        texts.update(values.unique().drop_null().to_pylist())
    return sorted(texts)


def _texts_of_column(artifact: Artifact, column: str, encoder: Encoder) -> Source:
    if not encoder.text_dim:
        raise CvrError(f"{encoder.name} encodes no texts; choose another --encoder for --column.")
    return Source([], distinct_texts(artifact.read(), [column], str(artifact.path)))


def _videos_and_captions(artifact: Artifact, encoder: Encoder) -> Source:
    where = str(artifact.path)
    table = check_columns(artifact.read(), VIDEOS, f"{where} (--column embeds a text column of another table)")
    texts = distinct_texts(table, ["captions", "description"], where) if encoder.text_dim else []
    if not encoder.dim:
        return Source([], texts)
    ids, paths = table.column("video_id").to_pylist(), table.column("path").to_pylist()
    repeated = [video_id for video_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise CvrError(f"{where}: video_id is not unique: {first_few(repeated)}.")
    places = [None if path is None else resolve_media(artifact.path, path) for path in paths]
    return Source([Video(video_id, place) for video_id, place in zip(ids, places, strict=True)], texts)


def _write_videos(writer: ArtifactWriter, encoder: FrameEncoder, found: Source) -> None:
    with Progress("embed", len(found.videos), "videos") as progress:
        dropped_rows = 0
        for part in range(found.video_parts):
            videos = found.videos[part * VIDEOS_PER_PART : (part + 1) * VIDEOS_PER_PART]
            if writer.has_part(part):
                progress.advance(len(videos))
                continue
            encoded = _encode_part(encoder, videos, progress)
            dropped_rows += len(encoded.dropped)
            progress.advance(0, f"{dropped_rows} dropped")
            dropped = pa.Table.from_pylist(encoded.dropped, DROPPED)
            writer.write_part(part, encoded.table(), dropped=dropped, arrays=encoded.arrays(encoder.frame_dim))


def _write_texts(writer: ArtifactWriter, encoder: Encoder, found: Source) -> None:
    with Progress("embed", len(found.texts), "texts") as progress:
        for part in range(found.text_parts):
            texts = found.texts[part * TEXTS_PER_PART : (part + 1) * TEXTS_PER_PART]
            index = found.video_parts + part
            if not writer.has_part(index):
                _write_text_part(writer, index, encoder, texts)
            progress.advance(len(texts))


def _write_text_part(writer: ArtifactWriter, index: int, encoder: Encoder, texts: list[str]) -> None:
    tokens: list[np.ndarray] = []
    pooled: list[np.ndarray] = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        features = encoder.encode_texts(texts[start : start + TEXTS_PER_CALL])
        tokens += [row_LD[mask_L].numpy() for row_LD, mask_L in zip(features.tokens_BLD, features.mask_BL, strict=True)]
        pooled.append(features.pooled_BD.numpy())
    table = _id_table([text_id(text) for text in texts], "text", [len(rows) for rows in tokens])
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    table = table.set_column(EMBEDDINGS.get_field_index("sha256"), "sha256", pa.array(hashes))
    arrays = {"part": np.concatenate(tokens), "pooled": np.concatenate(pooled)}
    writer.write_part(index, table, arrays={name: array.astype(np.float16) for name, array in arrays.items()})


@dataclass(frozen=True)
class VideoPart:
    """The features of one part's readable videos, and the rows of the others."""

    ids: list[str]
    hashes: list[str]
    frames: list[np.ndarray]
    dropped: list[dict[str, str]]

    def table(self) -> pa.Table:
        """Return the id table of the part."""
        table = _id_table(self.ids, "video", [len(frames_TD) for frames_TD in self.frames])
        at = EMBEDDINGS.get_field_index("perceptual_hash")
        return table.set_column(at, "perceptual_hash", pa.array(self.hashes, pa.string()))

    def arrays(self, dim: int) -> dict[str, np.ndarray]:
        """Return the frame rows and the unit mean of each video's."""
        if not self.frames:
            return {"part": np.empty((0, dim), np.float16), "pooled": np.empty((0, dim), np.float16)}
        mean_BD = torch.from_numpy(np.stack([frames_TD.mean(axis=0) for frames_TD in self.frames]))
        pooled_BD = F.normalize(mean_BD, dim=-1).numpy()
        return {"part": np.concatenate(self.frames).astype(np.float16), "pooled": pooled_BD.astype(np.float16)}


def _encode_part(encoder: FrameEncoder, videos: Sequence[Video], progress: Progress) -> VideoPart:
    part = VideoPart([], [], [], [])
    waiting: list[np.ndarray] = []
    for video, frames in _decoded(encoder, videos):
        if isinstance(frames, UnreadableVideo):
            reason = "no_media" if video.path is None else "unreadable_video"
            part.dropped.append({"video_id": video.video_id, "drop_reason": reason, "detail": str(frames)})
        else:
            part.ids.append(video.video_id)
            part.hashes.append(perceptual_hash(frames))
            waiting.append(frames)
        if len(waiting) == VIDEOS_PER_CALL:
            part.frames.extend(_encode(encoder, waiting))
            waiting = []
        progress.advance()
    part.frames.extend(_encode(encoder, waiting))
    return part


def _encode(encoder: FrameEncoder, videos: Sequence[np.ndarray]) -> list[np.ndarray]:
    if not videos:
        return []
    rows_ND = encoder.encode_frames(np.concatenate(videos))
    return [rows_TD.numpy() for rows_TD in rows_ND.split([len(frames) for frames in videos])]


def _decoded(encoder: FrameEncoder, videos: Sequence[Video]) -> Iterator[tuple[Video, np.ndarray | UnreadableVideo]]:
    """Yield each video with its frames, in order, decoding the next ones meanwhile."""

    def read(video: Video) -> np.ndarray | UnreadableVideo:
        try:
            return encoder.read_video(video)
        except UnreadableVideo as error:
            return error

    with ThreadPoolExecutor(DECODERS) as pool:
        waiting: deque[tuple[Video, Future[np.ndarray | UnreadableVideo]]] = deque()
        try:
            for video in videos:
                waiting.append((video, pool.submit(read, video)))
                if len(waiting) > 2 * VIDEOS_PER_CALL:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _id_table(ids: list[str], kind: str, counts: list[int]) -> pa.Table:
    starts = np.cumsum([0, *counts])[:-1]
    columns = {"item_id": ids, "kind": [kind] * len(ids), "row_start": starts, "row_count": counts}
    filled = {name: pa.array(values, EMBEDDINGS.field(name).type) for name, values in columns.items()}
    nulls = {name: pa.nulls(len(ids), pa.string()) for name in ("sha256", "perceptual_hash")}
    return pa.table({**filled, **nulls}, schema=EMBEDDINGS)


def _kept(writer: ArtifactWriter, parts: int) -> int:
    names = [writer.path / f"part-{index:05d}.parquet" for index in range(parts)]
    return sum(pq.read_metadata(name).num_rows for name in names)


def _first_detail(writer: ArtifactWriter) -> str:
    first = next(iter(sorted(writer.path.glob("dropped-*.parquet"))))
    return pq.read_table(first, columns=["detail"]).column("detail")[0].as_py()
