"""Writes an embeddings artifact: frames of every readable video and every distinct text, part by part.

Videos are decoded in threads while the network runs. Parts and batches are cut by row number alone, so how many
threads or shards there are, or where an interrupted run stopped, does not change what is written. A shard writes every
n-th part; `cvr merge` (`cvr_data.features.merge_shards`) brings shards together. On an engine of several processes
(`cvr_data.core.jobs`) a part is a job, written by the worker that made it.
"""

# Shapes: N rows, D embedding.

import hashlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F

from cvr_data.core.artifacts import Artifact, ArtifactWriter
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.jobs import current_engine, map_jobs
from cvr_data.core.memory import keep_freed_memory
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.features.embed_source import Source, only_ids, read_source, texts_of_column, videos_and_captions
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import Encoder, FrameEncoder, FrameTokenEncoder
from cvr_data.features.store import EMBEDDINGS, STAGE
from cvr_data.media.perceptual_hash import perceptual_hash
from cvr_data.media.video import UnreadableVideo, Video
from cvr_data.tables import text_id

logger = logging.getLogger(__name__)
VERSION = 1
TEXTS_PER_CALL = 512
VIDEOS_PER_CALL = 32
"""Videos whose frames go to the network at once: a few dozen megabytes of pixels."""
DECODERS = 2
"""Decoding threads: enough to keep up with the network on a CPU."""
STORED = {"dtype": "float16", "normalised": "pooled rows to unit length, frames and tokens not"}
DROPPED = pa.schema([("video_id", pa.string()), ("drop_reason", pa.string()), ("detail", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of the source is embedded by this run, and whether with every token of a frame."""

    column: str | None = None
    """A text column of any table, and no videos."""
    only: Path | None = None
    """A CSV file of video ids."""
    num_shards: int = 1
    """Runs that share the work."""
    shard_id: int = 0
    """Which of them this is, from 0."""
    all_tokens: bool = False
    """Store every token of each frame beside its embedding."""

    def __post_init__(self) -> None:
        if not 0 <= self.shard_id < self.num_shards:
            raise CvrError(f"--shard-id should be 0 to {self.num_shards - 1}, got {self.shard_id}.")

    @property
    def shard(self) -> dict[str, int]:
        """What a shard's manifest records."""
        return {"id": self.shard_id, "of": self.num_shards}

    def has(self, part: int) -> bool:
        """Return whether this run writes the part."""
        return part % self.num_shards == self.shard_id


def embed(
    source: Path,
    encoder_name: str,
    encoder_config: Any,
    out: Path,
    *,
    column: str | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Return the artifact of raw features of a videos table, or of one text column of any table.

    A table is an artifact, a Parquet file or a CSV file; `column` is short for a selection of that column.

    Raises:
        CvrError: the encoder takes no texts or gives no tokens, a column or id is missing, or no video can be read.
    """
    chosen = selection or Selection(column=column)
    writer = _writer(source, encoder_name, encoder_config, out, chosen, overwrite)
    if (done := writer.finished()) is not None:
        return done
    encoder = ENCODERS.get(encoder_name).load(encoder_config)
    if encoder.dim and not isinstance(encoder, FrameEncoder):
        raise CvrError(f"{encoder_name} reads no video files; choose another --encoder.")
    if chosen.all_tokens and not isinstance(encoder, FrameTokenEncoder):
        raise CvrError(f"{encoder_name} gives no frame tokens; leave --all-tokens out or choose another --encoder.")
    table, where = read_source(source)
    if chosen.only is not None:
        table = only_ids(table, chosen.only, where)
    found = (
        texts_of_column(table, chosen.column, encoder, where)
        if chosen.column
        else videos_and_captions(table, encoder, where)
    )
    with writer:
        if current_engine().is_here:
            if isinstance(encoder, FrameEncoder):
                _write_videos(writer, encoder, found, chosen)
            _write_texts(writer, encoder, found, chosen)
        else:
            _write_as_jobs(writer, encoder, (encoder_name, encoder_config), found, chosen)
        return _finish(writer, encoder, found, chosen)


def summary(encoder: Encoder, all_tokens: bool) -> dict[str, Any]:
    """Return what the manifest of an embeddings folder says of its encoder."""
    widths = {"dim": encoder.dim, "text_dim": encoder.text_dim, "runs_on": encoder.runs_on}
    tokens = {"frame_token_dim": encoder.frame_token_dim} if all_tokens else {}  # type: ignore[attr-defined]
    return {**widths, **tokens, "stored": STORED}


def _writer(
    source: Path, encoder_name: str, encoder_config: Any, out: Path, chosen: Selection, overwrite: bool
) -> ArtifactWriter:
    options = config_dict(encoder_config)
    config: dict[str, Any] = {"encoder": encoder_name, "options": options, "column": chosen.column}
    if chosen.all_tokens:
        config["all_tokens"] = True
    if chosen.num_shards > 1:
        config["shard"] = chosen.shard
    inputs = {"videos" if chosen.column is None else "source": source}
    if chosen.only is not None:
        inputs["only"] = chosen.only
    return ArtifactWriter(out, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)


def _finish(writer: ArtifactWriter, encoder: Encoder, found: Source, chosen: Selection) -> Artifact:
    counts = count_items(writer.path)
    if found.videos and not counts["videos"] and chosen.num_shards == 1:
        detail = _first_detail(writer)
        raise CvrError(f"None of the {len(found.videos)} videos of {_source(writer)} can be read: {detail}")
    parts = {"parts": found.video_parts + found.text_parts} if chosen.num_shards > 1 else {}
    return writer.finish(**summary(encoder, chosen.all_tokens), **counts, **parts)


def _source(writer: ArtifactWriter) -> Path:
    return writer.inputs["videos"]


def count_items(folder: Path) -> dict[str, int]:
    """Return how many videos and texts the parts of a folder hold."""
    kinds: Counter[str] = Counter()
    for path in sorted(folder.glob("part-*.parquet")):
        kinds.update(pq.read_table(path, columns=["kind"]).column("kind").to_pylist())
    return {"videos": kinds["video"], "texts": kinds["text"]}


def _write_videos(writer: ArtifactWriter, encoder: FrameEncoder, found: Source, chosen: Selection) -> None:
    parts = {part: found.part(part) for part in range(found.video_parts) if chosen.has(part)}
    todo = {part: videos for part, videos in parts.items() if not writer.has_part(part)}
    decoded = _decoded(encoder, list(chain.from_iterable(todo.values())))  # one queue: no pause between parts
    with Progress("embed", sum(map(len, parts.values())), "videos") as progress, closing(decoded):
        progress.skip(sum(map(len, parts.values())) - sum(map(len, todo.values())))
        dropped_rows = 0
        for part, videos in todo.items():
            encoded = _encode_part(encoder, islice(decoded, len(videos)), progress.advance, chosen.all_tokens)
            dropped_rows += len(encoded.dropped)
            progress.advance(0, f"{dropped_rows} dropped")
            _write_video_part(writer, part, encoder, encoded)


def _write_video_part(writer: ArtifactWriter, part: int, encoder: FrameEncoder, encoded: "VideoPart") -> None:
    dropped = pa.Table.from_pylist(encoded.dropped, DROPPED)
    writer.write_part(part, encoded.table(), dropped=dropped, arrays=encoded.arrays(encoder.frame_dim))


def _write_texts(writer: ArtifactWriter, encoder: Encoder, found: Source, chosen: Selection) -> None:
    with Progress("embed", len(found.texts), "texts") as progress:
        for part in range(found.text_parts):
            texts = found.text_part(part)
            index = found.video_parts + part
            if chosen.has(index) and not writer.has_part(index):
                _write_text_part(writer, index, encoder, texts)
            progress.advance(len(texts))


def _write_text_part(writer: ArtifactWriter, index: int, encoder: Encoder, texts: list[str]) -> None:
    tokens: list[np.ndarray] = []
    pooled: list[np.ndarray] = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        features = encoder.encode_texts(texts[start : start + TEXTS_PER_CALL])
        tokens += [row_LD[mask_L].numpy() for row_LD, mask_L in zip(features.tokens_BLD, features.mask_BL, strict=True)]
        pooled.append(features.pooled_BD.numpy())
    table = id_table([text_id(text) for text in texts], "text", [len(rows) for rows in tokens])
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    table = table.set_column(EMBEDDINGS.get_field_index("sha256"), "sha256", pa.array(hashes))
    arrays = {"part": np.concatenate(tokens), "pooled": np.concatenate(pooled)}
    writer.write_part(index, table, arrays={name: array.astype(np.float16) for name, array in arrays.items()})


def _write_as_jobs(
    writer: ArtifactWriter, encoder: Encoder, load: tuple[str, Any], found: Source, chosen: Selection
) -> None:
    """Write the parts that are not there, each by the worker that has the job."""
    items: dict[int, list[Any]] = {part: found.part(part) for part in range(found.video_parts)}
    items |= {found.video_parts + part: found.text_part(part) for part in range(found.text_parts)}
    mine = {part: each for part, each in items.items() if chosen.has(part)}
    jobs = [(part, part < found.video_parts, each) for part, each in mine.items() if not writer.has_part(part)]
    with Progress("embed", sum(map(len, mine.values())), "videos and texts") as progress:
        progress.skip(sum(map(len, mine.values())) - sum(len(each) for _, _, each in jobs))
        for index, runs_on in map_jobs(embed_part, jobs, shared=(*load, writer, chosen.all_tokens), on_gpu=True):
            if runs_on != encoder.runs_on:
                raise CvrError(
                    f"A worker runs on {runs_on}, this process on {encoder.runs_on}; name --device and --dtype."
                )
            progress.advance(len(jobs[index][2]))
    if elsewhere := [part for part in mine if not writer.has_part(part)]:
        raise CvrError(f"Parts {first_few(elsewhere)} are not in {writer.path}: all machines must share this folder.")
    for left in writer.path.glob(".*.tmp"):  # of a worker that died
        left.unlink()


def embed_part(
    name: str, config: Any, writer: ArtifactWriter, all_tokens: bool, part: int, is_video: bool, items: list[Any]
) -> str:
    """Write one part in a worker, and return where its encoder runs; the encoder is loaded once per process."""
    encoder = _encoder_of_process(name, config)
    if not is_video:
        _write_text_part(writer, part, encoder, items)
        return encoder.runs_on
    with closing(_decoded(encoder, items)) as decoded:
        encoded = _encode_part(encoder, decoded, lambda: None, all_tokens)
    _write_video_part(writer, part, encoder, encoded)
    return encoder.runs_on


@lru_cache(maxsize=1)
def _encoder_of_process(name: str, config: Any) -> Any:
    keep_freed_memory()
    return ENCODERS.get(name).load(config)


@dataclass(frozen=True)
class VideoPart:
    """The features of one part's readable videos, and the rows of the others."""

    ids: list[str]
    hashes: list[str]
    frames: list[np.ndarray]
    dropped: list[dict[str, str]]
    tokens: list[np.ndarray]

    def table(self) -> pa.Table:
        """Return the id table of the part."""
        table = id_table(self.ids, "video", [len(frames_TD) for frames_TD in self.frames])
        at = EMBEDDINGS.get_field_index("perceptual_hash")
        return table.set_column(at, "perceptual_hash", pa.array(self.hashes, pa.string()))

    def arrays(self, dim: int) -> dict[str, np.ndarray]:
        """Return the frame rows and the unit mean of each video's."""
        if not self.frames:
            return {"part": np.empty((0, dim), np.float16), "pooled": np.empty((0, dim), np.float16)}
        mean_BD = torch.from_numpy(np.stack([frames_TD.mean(axis=0) for frames_TD in self.frames]))
        pooled_BD = F.normalize(mean_BD, dim=-1).numpy()
        tokens = {"tokens": np.concatenate(self.tokens)} if self.tokens else {}
        return {
            "part": np.concatenate(self.frames).astype(np.float16),
            "pooled": pooled_BD.astype(np.float16),
            **tokens,
        }


def _encode_part(
    encoder: FrameEncoder,
    decoded: Iterable["Decoded"],
    advance: Callable[[], object],
    all_tokens: bool,
) -> VideoPart:
    part = VideoPart([], [], [], [], [])
    waiting: list[np.ndarray] = []
    for each in decoded:
        if each.frames is None:
            reason = "no_media" if each.video.path is None else "unreadable_video"
            part.dropped.append({"video_id": each.video.video_id, "drop_reason": reason, "detail": each.error})
        else:
            part.ids.append(each.video.video_id)
            part.hashes.append(each.perceptual_hash)
            waiting.append(each.frames)
        if len(waiting) == VIDEOS_PER_CALL:
            _encode(encoder, waiting, part, all_tokens)
            waiting = []
        advance()
    _encode(encoder, waiting, part, all_tokens)
    return part


def _encode(encoder: FrameEncoder, videos: Sequence[np.ndarray], part: VideoPart, all_tokens: bool) -> None:
    if not videos:
        return
    frames = np.concatenate(videos)
    rows_ND = encoder.encode_frames(frames)
    part.frames.extend(rows_TD.numpy() for rows_TD in rows_ND.split([len(each) for each in videos]))
    if all_tokens:
        assert isinstance(encoder, FrameTokenEncoder)
        part.tokens.append(encoder.encode_frame_tokens(frames).numpy().astype(np.float16))


@dataclass(frozen=True)
class Decoded:
    """A video with its frames and their hash, or with the reason why it has none."""

    video: Video
    frames: np.ndarray | None
    perceptual_hash: str = ""
    error: str = ""


def _decoded(encoder: FrameEncoder, videos: Sequence[Video]) -> Generator[Decoded, None, None]:
    """Yield each video with its frames, in order, decoding and hashing the next ones meanwhile."""

    def read(video: Video) -> Decoded:
        try:
            frames = encoder.read_video(video)
        except UnreadableVideo as error:
            return Decoded(video, None, error=str(error))
        return Decoded(video, frames, perceptual_hash(frames))

    waited_s = 0.0
    with ThreadPoolExecutor(DECODERS) as pool:
        futures: deque[Future[Decoded]] = deque()
        try:
            for number in range(len(videos) + 2 * VIDEOS_PER_CALL):
                if number < len(videos):
                    futures.append(pool.submit(read, videos[number]))
                if futures and number >= 2 * VIDEOS_PER_CALL:
                    started = time.perf_counter()
                    decoded = futures.popleft().result()
                    waited_s += time.perf_counter() - started
                    yield decoded
        finally:
            pool.shutdown(cancel_futures=True)
            # Here, because whoever has the last video does not come back for more.
            logger.info("waited %.3f s for the frames of %d videos", waited_s, len(videos))


def id_table(ids: list[str], kind: str, counts: list[int]) -> pa.Table:
    """Return the id table of items whose rows lie one after another."""
    starts = np.cumsum([0, *counts])[:-1]
    columns = {"item_id": ids, "kind": [kind] * len(ids), "row_start": starts, "row_count": counts}
    filled = {name: pa.array(values, EMBEDDINGS.field(name).type) for name, values in columns.items()}
    nulls = {name: pa.nulls(len(ids), pa.string()) for name in ("sha256", "perceptual_hash")}
    return pa.table({**filled, **nulls}, schema=EMBEDDINGS)


def _first_detail(writer: ArtifactWriter) -> str:
    first = next(iter(sorted(writer.path.glob("dropped-*.parquet"))))
    return pq.read_table(first, columns=["detail"]).column("detail")[0].as_py()
