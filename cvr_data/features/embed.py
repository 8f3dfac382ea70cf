"""Writes an embeddings artifact: frames of every readable video and every distinct text, part by part.

Videos are decoded in threads while the network runs. Parts and batches are cut by row number alone, so how many
threads or shards there are, or where an interrupted run stopped, does not change what is written. A shard writes every
n-th part; `cvr merge` (`cvr_data.features.merge_shards`) brings shards together. A part is a job of the stage runner,
and made again if files that were missing are there when an interrupted run goes on.
"""

# Shapes: N rows, D embedding.

import hashlib
import logging
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F

from cvr_data.core.artifacts import Artifact
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine
from cvr_data.core.memory import keep_freed_memory
from cvr_data.core.parts import Part, read_part
from cvr_data.core.registry import config_dict, paths_in
from cvr_data.core.runner import StageRun
from cvr_data.core.stage_jobs import MadeFiles
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.decoded_videos import Decoded, decoded_videos, videos_per_call
from cvr_data.features.embed_source import EmbedInputs, Wanted, check_embed_source, embed_inputs, embed_source_schema
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import ClipEncoder, Encoder, FrameEncoder, FrameTokenEncoder, HashesWeights
from cvr_data.features.store import EMBEDDINGS, STAGE
from cvr_data.media.places import refuse_arrived, told_missing, videos_of
from cvr_data.media.verdict import what_is_odd
from cvr_data.media.video import DECODING, Video
from cvr_data.tables import text_id

logger = logging.getLogger(__name__)
VERSION = 2
TEXTS_PER_CALL = 512
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
    source: Path, encoder_name: str, encoder_config: Any, out: Path, *, selection: Selection | None = None,
    overwrite: bool = False,
) -> Artifact:  # fmt: skip
    """Return the artifact of raw features of a videos table, or of one text column of any table.

    A table is an artifact, a Parquet file or a CSV file.

    Raises:
        CvrError: the encoder takes no texts or gives no tokens, a column or id is missing, or no video can be read.
    """
    chosen = selection or Selection()
    run = _run(source, encoder_name, encoder_config, out, chosen, overwrite)
    if (done := run.finished()) is not None:
        return refuse_arrived(done, source)
    encoder = ENCODERS.get(encoder_name).load(encoder_config)
    if encoder.dim and not isinstance(encoder, FrameEncoder | ClipEncoder):
        raise CvrError(f"{encoder_name} reads no video files; choose another --encoder.")
    if chosen.all_tokens and not isinstance(encoder, FrameTokenEncoder):
        raise CvrError(f"{encoder_name} gives no frame tokens; leave --all-tokens out or choose another --encoder.")
    wanted = _wanted(source, encoder, chosen)
    check_embed_source(embed_source_schema(source), wanted)
    with run:
        try:
            found = embed_inputs(run, source, wanted)
        except CvrError:  # of what is there, which another try will not better
            run.writer.discard()
            raise
        parts = dict(enumerate((*found.video_parts, *found.text_parts)))
        mine = {number: part for number, part in parts.items() if chosen.has(number)}
        maker = PartMaker(encoder_name, encoder_config, encoder.runs_on, source, chosen.all_tokens)
        if current_engine().is_here:
            maker.encoder, maker.ahead, maker.after = encoder, mine, dict(pairwise(mine))
        with closing(maker):
            rows = run.make_parts("embed", mine, maker)
        return _finish(run, encoder, found, chosen, dict(zip(mine, rows, strict=True)))


def _encoder_summary(encoder: Encoder, all_tokens: bool) -> dict[str, Any]:
    """Return what the manifest of an embeddings folder says of its encoder."""
    widths = {"dim": encoder.dim, "text_dim": encoder.text_dim, "runs_on": encoder.runs_on}
    tokens = {"frame_token_dim": encoder.frame_token_dim} if all_tokens else {}  # type: ignore[attr-defined]
    weights = {"weights_sha256": encoder.weights_sha256()} if isinstance(encoder, HashesWeights) else {}
    return {**widths, **tokens, **weights, "stored": STORED}


def _run(
    source: Path, encoder_name: str, encoder_config: Any, out: Path, chosen: Selection, overwrite: bool
) -> StageRun:
    options = config_dict(encoder_config)
    config: dict[str, Any] = {"encoder": encoder_name, "options": options, "column": chosen.column}
    if chosen.column is None:
        config["decoding"] = DECODING
    if chosen.all_tokens:
        config["all_tokens"] = True
    if chosen.num_shards > 1:
        config["shard"] = chosen.shard
    inputs = {"videos" if chosen.column is None else "source": source}
    inputs |= {f"encoder_{name}": path for name, path in paths_in(encoder_config).items()}
    if chosen.only is not None:
        inputs["only"] = chosen.only
    return StageRun(out, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)


def _wanted(source: Path, encoder: Encoder, chosen: Selection) -> Wanted:
    if chosen.column is None:
        columns = ("captions", "description") if encoder.text_dim else ()
        where = f"{source} (--column embeds a text column of another table)"
        return Wanted(videos=bool(encoder.dim), text_columns=columns, only=chosen.only, where=where)
    if not encoder.text_dim:
        raise CvrError(f"{encoder.name} encodes no texts; choose another --encoder for --column.")
    return Wanted(videos=False, text_columns=(chosen.column,), only=chosen.only, where=str(source))


def _finish(run: StageRun, encoder: Encoder, found: EmbedInputs, chosen: Selection, rows: dict[int, int]) -> Artifact:
    videos = sum(count for number, count in rows.items() if number < len(found.video_parts))
    if found.videos and not videos and chosen.num_shards == 1:
        first = next(iter(sorted(run.out.glob("dropped-*.parquet"))))
        detail = read_parquet(first, ["detail"]).column("detail")[0].as_py()
        raise CvrError(f"None of the {found.videos} videos of {run.writer.inputs['videos']} can be read: {detail}")
    parts = {"parts": len(found.video_parts) + len(found.text_parts)} if chosen.num_shards > 1 else {}
    told = dict(sorted(run.told.items()))
    if odd := what_is_odd(told):
        logger.warning(odd)
    counts = {"videos": videos, "texts": run.written - videos, **({"media": told} if told else {})}
    counts |= told_missing(run.writer.inputs["videos"]) if found.videos else {}
    return run.finish(**_encoder_summary(encoder, chosen.all_tokens), **counts, **parts)


@dataclass
class PartMaker:
    """Makes parts of embeddings; in a process that makes all of them, frames of later ones are decoded meanwhile."""

    name: str
    config: Any
    runs_on: str
    source: Path
    all_tokens: bool
    encoder: Any = None
    """None is loaded, once in a process."""
    ahead: dict[int, Part] = field(default_factory=dict)
    """The parts that this process makes, by number."""
    after: dict[int, int] = field(default_factory=dict)
    """Number of one of them -> that of the next."""
    decoded: Generator[Decoded, None, None] | None = None
    following: int | None = None
    """Number of the part whose videos come next."""

    def __call__(self, number: int, rows: pa.Table) -> MadeFiles:
        """Return the files of a part. Raises CvrError: the encoder runs elsewhere than that of the command."""
        encoder = self.encoder or _encoder_of_process(self.name, self.config)
        if encoder.runs_on != self.runs_on:
            raise CvrError(
                f"A worker runs on {encoder.runs_on}, this process on {self.runs_on}; name --device and --dtype."
            )
        if "text" in rows.column_names:
            return _text_part(encoder, rows.column("text").to_pylist())
        if self.decoded is None or self.following != number:
            self.close()
            self.decoded = decoded_videos(encoder, self._videos(rows, number))
        self.following = self.after.get(number)
        return _encode_part(encoder, islice(self.decoded, rows.num_rows), self.all_tokens).files(encoder.frame_dim)

    def close(self) -> None:
        """Stop decoding."""
        if self.decoded is not None:
            self.decoded.close()
            self.decoded = None

    def _videos(self, rows: pa.Table, number: int) -> Iterator[Video]:
        """The videos of a part, then those of the parts after it; texts come last."""
        while "video_id" in rows.column_names:
            yield from videos_of(rows, self.source)
            if number not in self.after:
                return
            number = self.after[number]
            rows = read_part(self.ahead[number])


@lru_cache(maxsize=1)
def _encoder_of_process(name: str, config: Any) -> Any:
    keep_freed_memory()
    return ENCODERS.get(name).load(config)


def _text_part(encoder: Encoder, texts: list[str]) -> MadeFiles:
    tokens: list[np.ndarray] = []
    pooled: list[np.ndarray] = []
    lengths: list[np.ndarray] = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        features = encoder.encode_texts(texts[start : start + TEXTS_PER_CALL])
        tokens += [row_LD[mask_L].numpy() for row_LD, mask_L in zip(features.tokens_BLD, features.mask_BL, strict=True)]
        pooled.append(features.pooled_BD.numpy())
        lengths.append(features.length_B.numpy())
    table = embedded_text_table(texts, [len(rows) for rows in tokens], np.concatenate(lengths))
    arrays = {"part": np.concatenate(tokens), "pooled": np.concatenate(pooled)}
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    return MadeFiles(table, DROPPED.empty_table(), half)


@dataclass(frozen=True)
class VideoPart:
    """The features of one part's readable videos, and the rows of the others."""

    ids: list[str]
    hashes: list[str]
    frames: list[np.ndarray]
    dropped: list[dict[str, str]]
    tokens: list[np.ndarray]
    without: list[Path] = field(default_factory=list)
    """Files that gave no frame."""
    notes: list[str | None] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    """Verdict -> files."""

    def files(self, dim: int) -> MadeFiles:
        """Return the files of the part; `dim` is the width of a frame."""
        dropped = pa.Table.from_pylist(self.dropped, DROPPED)
        return MadeFiles(self.table(), dropped, self.arrays(dim), self.without, self.told)

    def table(self) -> pa.Table:
        """Return the id table of the part."""
        table = _id_table(self.ids, "video", [len(frames_TD) for frames_TD in self.frames])
        table = with_column(table, "perceptual_hash", pa.array(self.hashes, pa.string()))
        return with_column(table, "media_note", pa.array(self.notes, pa.string()))

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


def _encode_part(encoder: FrameEncoder | ClipEncoder, decoded: Iterable[Decoded], all_tokens: bool) -> VideoPart:
    part = VideoPart([], [], [], [], [])
    waiting: list[Any] = []
    for each in decoded:
        if each.video.path is not None:
            part.told[each.said] += 1
        if each.frames is None:
            reason = "no_media" if each.video.path is None else "unreadable_video"
            part.dropped.append({"video_id": each.video.video_id, "drop_reason": reason, "detail": each.error})
            part.without.extend([each.video.path] if each.video.path else [])
        else:
            part.ids.append(each.video.video_id)
            part.hashes.append(each.perceptual_hash)
            part.notes.append(each.note)
            waiting.append(each.frames)
        if len(waiting) == videos_per_call(encoder):
            _encode(encoder, waiting, part, all_tokens)
            waiting = []
    _encode(encoder, waiting, part, all_tokens)
    return part


def _encode(encoder: FrameEncoder | ClipEncoder, videos: Sequence[Any], part: VideoPart, all_tokens: bool) -> None:
    if not videos:
        return
    if isinstance(encoder, ClipEncoder):
        part.frames.extend(row_D[None].numpy() for row_D in encoder.encode_clips(videos))
        return
    frames = np.concatenate(videos)
    rows_ND = encoder.encode_frames(frames)
    part.frames.extend(rows_TD.numpy() for rows_TD in rows_ND.split([len(each) for each in videos]))
    if all_tokens:
        assert isinstance(encoder, FrameTokenEncoder)
        part.tokens.append(encoder.encode_frame_tokens(frames).numpy().astype(np.float16))


def embedded_text_table(texts: list[str], counts: list[int], length_B: np.ndarray) -> pa.Table:
    """Return the id table of texts whose rows lie one after another, and the lengths of their own features."""
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    table = _id_table([text_id(text) for text in texts], "text", counts)
    table = with_column(table, "length", pa.array(length_B, pa.float32()))
    return with_column(table, "sha256", pa.array(hashes, pa.string()))


def _id_table(ids: list[str], kind: str, counts: list[int]) -> pa.Table:
    """Return the id table of items whose rows lie one after another."""
    starts = np.cumsum([0, *counts])[:-1]
    columns = {"item_id": ids, "kind": [kind] * len(ids), "row_start": starts, "row_count": counts}
    filled = {name: pa.array(values, EMBEDDINGS.field(name).type) for name, values in columns.items()}
    others = [field for field in EMBEDDINGS if field.name not in columns]
    nulls = {field.name: pa.nulls(len(ids), field.type) for field in others}
    return pa.table({**filled, **nulls}, schema=EMBEDDINGS)
