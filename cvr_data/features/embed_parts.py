"""A part of an embeddings artifact: its videos, decoded in threads while the network runs, or its texts."""

# Shapes: N rows, D embedding.

import hashlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.memory import keep_freed_memory
from cvr_data.core.parts import Part, read_part
from cvr_data.core.stage_jobs import MadeFiles
from cvr_data.features.decoded_videos import Decoded, decode_videos_to_encode, videos_per_call
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import ClipEncoder, Encoder, FrameEncoder, FrameTokenEncoder, RefusesClips, TextFeatures
from cvr_data.features.store import EMBEDDINGS
from cvr_data.media.places import media_clips_of_videos
from cvr_data.media.video import Video
from cvr_data.tables import text_id

TEXTS_PER_CALL = 512
DROPPED = pa.schema([("video_id", pa.string()), ("drop_reason", pa.string()), ("detail", pa.string())])


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
            self.decoded = decode_videos_to_encode(encoder, self._videos(rows, number))
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
            yield from media_clips_of_videos(rows, self.source)
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
    kept: list[str] = []
    refused: list[dict[str, str]] = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        chunk = texts[start : start + TEXTS_PER_CALL]
        if isinstance(encoder, RefusesClips):  # a text that a server refuses has no embedding, and is asked for again
            features, said = encoder.encode_texts_or_say(chunk)
            refused += [_refused_text(text, why) for text, why in zip(chunk, said, strict=True) if why is not None]
            chunk = [text for text, why in zip(chunk, said, strict=True) if why is None]
            is_kept_B = torch.tensor([why is None for why in said])
            features = TextFeatures(*(values[is_kept_B] for values in vars(features).values()))
        else:
            features = encoder.encode_texts(chunk)
        kept += chunk
        tokens += [row_LD[mask_L].numpy() for row_LD, mask_L in zip(features.tokens_BLD, features.mask_BL, strict=True)]
        pooled.append(features.pooled_BD.numpy())
        lengths.append(features.length_B.numpy())
    table = embedded_text_table(kept, [len(rows) for rows in tokens], np.concatenate(lengths))
    nothing = np.empty((0, encoder.text_dim))
    arrays = {"part": np.concatenate([*tokens, nothing]), "pooled": np.concatenate(pooled)}
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    return MadeFiles(table, pa.Table.from_pylist(refused, DROPPED), half)


def _refused_text(text: str, why: str) -> dict[str, str]:
    return {"video_id": text_id(text), "drop_reason": "refused", "detail": f"{why}: {text}"}


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

    def drop_refused(self, said: Sequence[str | None]) -> None:
        """Drop those of the last videos that the model refused, with its reason."""
        first = len(self.ids) - len(said)
        for place, reason in reversed(list(enumerate(said, first))):
            if reason is not None:
                self.dropped.append({"video_id": self.ids[place], "drop_reason": "refused", "detail": reason})
                for values in (self.ids, self.hashes, self.notes, self.frames):
                    del values[place]

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
    if isinstance(encoder, RefusesClips):
        rows_BD, said = encoder.encode_clips_or_say(videos)
        part.frames.extend(row_D[None].numpy() for row_D in rows_BD)
        part.drop_refused(said)
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
