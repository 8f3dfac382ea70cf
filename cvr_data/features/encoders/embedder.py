"""Videos and texts by a native multimodal embedder: one vector per video, a video with a text in one input.

    cvr embed videos --encoder embedder -o model=Qwen/Qwen3-VL-Embedding-2B -O embeddings/qwen
    cvr bench --model embedder -e embeddings/qwen                  # reference and text as one query
    cvr embed videos --encoder embedder -o model=mteb:get_model -o argument=Qwen/Qwen3-VL-Embedding-2B
    cvr embed videos --encoder embedder -o model=Qwen/Qwen3-VL-Embedding-8B -o api=openai -o url=https://host/v1

The model is one of sentence-transformers (5.4 and above) that takes videos, or several images in one input, by folder
or hub id; or MODULE:NAME of one with MTEB 2's `encode(DataLoader, task_metadata=...)`, whose collator takes the
frames. Of the former, frames are taken here and their times are told. With `api` a server has the model (vLLM, or a
vendor): frames go there as JPEG, each item once, since answers stay in the request cache. Texts are embedded as
queries, videos as documents; `cvr bench --model embedder` composes queries.

Source: https://sbert.net/docs (multimodal inputs), and Enevoldsen et al., ICLR 2025 (https://arxiv.org/abs/2502.13595).
"""

# Shapes: B videos or texts, T frames, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput, EmbeddingModel, Side
from cvr_data.features.encoders.networks.loader_model import LoaderModel
from cvr_data.features.encoders.networks.named_model import encoder_takes_loader, load_named_encoder
from cvr_data.features.encoders.networks.options import OnDevice, Products
from cvr_data.features.encoders.networks.remote_model import Remote, RemoteModel
from cvr_data.features.encoders.networks.sentence_model import SentenceModel, load_sentence_model
from cvr_data.features.protocol import TextFeatures, VideoFeatures, empty_text_features
from cvr_data.media.timeline import frame_sampler_and_rate
from cvr_data.media.video import Frames, Video, read_frames_and_note, read_sound

GLANCE = 8
"""Frames read of a video whose model takes its frames itself: the hash that finds near-duplicates is of them."""


@dataclass(frozen=True, kw_only=True)
class Config(Remote, Products):
    model: str
    """A folder or hub id of a sentence-transformers model, MODULE:NAME of a model with MTEB 2's `encode`, or what a
    server (`api`) calls its model."""
    argument: str | None = None
    """What MODULE:NAME is called with, such as a hub id; None calls it with nothing, if it is no model yet."""
    revision: str | None = None
    """Commit of a hub id; None is the newest."""
    query_prompt: str | None = None
    """Instruction for what asks; None is the model's own for queries, if it has one."""
    document_prompt: str | None = None
    """Instruction for what is ranked; None is the model's own for documents."""
    dim: int | None = None
    """Width that embeddings are cut to, for models trained so (Matryoshka); None is all."""
    frames: int = field(default=64, metadata=option_range(SIZE))
    """Frames per video, at most; 64 is what Qwen3-VL-Embedding's own script takes."""
    sampler: str = "fps@2"
    """Which frames, as of other encoders; of MTEB's models the own collator takes them, and this has no effect."""
    side: int = 896
    """Longest side of a frame in pixels, before the model prepares it; larger ones are shrunk, so that memory does."""
    audio: bool = False
    """Give the sound of a video beside its frames, where it has some and the model takes it."""
    hz: int = 16_000
    """Samples of sound a second; the models of today take 16,000."""
    batch_size: int = field(default=8, metadata={"output": False})
    """Items that the model is given at once; halved for as long as the memory is too small."""

    def __post_init__(self) -> None:
        frame_sampler_and_rate(self.sampler)
        if min(self.frames, self.side, self.hz, self.batch_size) < 1 or (self.dim is not None and self.dim < 1):
            raise ValueError("frames, side, hz, dim and batch_size must be at least 1.")
        self.check_remote()
        if self.api != "none" and self.audio:
            raise ValueError("sound is not sent to servers; leave audio out.")


@lru_cache(maxsize=1)
def load(config: Config) -> "Embedder":
    """Return the encoder; a model of gigabytes is loaded once, for stored features, texts and queries alike."""
    return Embedder(config)


class Embedder(OnDevice):
    """Items -> one embedding each, of unit length."""

    name = "embedder"
    unit_frames = True

    def __init__(self, config: Config):
        super().__init__(config)
        self.config = config
        self.model = self._model()
        self.dim = self.frame_dim = self.model.dim
        self.text_dim = self.dim if self.model.takes_texts else 0
        self.clips_per_call = 4 * config.batch_size
        if config.api != "none":
            self.runs_on, self.clips_per_call = f"a server ({config.api})", max(32, 4 * config.concurrency)

    def read_clip(self, video: Video) -> EmbeddingInput:
        """Return the frames, and the sound, of a video.

        Raises:
            UnreadableVideo: no path, or a file that gives no frame.
        """
        config, clip = self.config, video.clip
        count, sampler = (GLANCE, "uniform") if self.model.takes_frames else (config.frames, config.sampler)
        frames = _shrunk(read_frames_and_note(clip, count, sampler), config.side)
        sound_N = read_sound(clip, config.hz) if config.audio else None
        return EmbeddingInput(None, frames, clip, sound_N if sound_N is not None and len(sound_N) else None)

    def encode_clips(self, clips: Sequence[EmbeddingInput]) -> Tensor:
        """Return (B, D) float32 of videos that are ranked."""
        return self.encode_items(clips, "document", self.config.document_prompt)

    def encode_clips_or_say(self, clips: Sequence[EmbeddingInput]) -> tuple[Tensor, list[str | None]]:
        """Return (B, D) float32 of videos that are ranked, and for each why a server refused it: its row is zero."""
        return self._encode_or_say(clips, "document", self.config.document_prompt)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per video, as its only frame."""
        if not videos:
            return VideoFeatures(torch.empty(0, 0, self.dim), torch.empty(0, 0, dtype=torch.bool))
        calls = [videos[start : start + self.clips_per_call] for start in range(0, len(videos), self.clips_per_call)]
        rows_BD = torch.cat([self.encode_clips([self.read_clip(video) for video in call]) for call in calls])
        return VideoFeatures(rows_BD[:, None], torch.ones(len(videos), 1, dtype=torch.bool))

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per text that asks, which is its only token too."""
        if not texts:
            return empty_text_features(self.text_dim)
        return _one_token(self.encode_items(*self._asking(texts)))

    def encode_texts_or_say(self, texts: Sequence[str]) -> tuple[TextFeatures, list[str | None]]:
        """Return one embedding per text that asks, and for each why a server refused it: its row is zero."""
        rows_BD, said = self._encode_or_say(*self._asking(texts))
        return _one_token(rows_BD), said

    def _asking(self, texts: Sequence[str]) -> tuple[list[EmbeddingInput], Side, str | None]:
        return [EmbeddingInput(text) for text in texts], "query", self.config.query_prompt

    def _encode_or_say(
        self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None
    ) -> tuple[Tensor, list[str | None]]:
        if not isinstance(self.model, RemoteModel):
            return self.encode_items(items, side, prompt), [None] * len(items)
        rows_BD, said = self.model.encode_or_say(items, side, prompt)
        return F.normalize(rows_BD, dim=-1), said

    def encode_items(self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None) -> Tensor:
        """Return (B, D) float32 of unit length.

        Raises:
            CvrError: the model does not take such items.
        """
        rows_BD = F.normalize(self.model.encode(items, side, prompt), dim=-1)
        if not rows_BD.isfinite().all():
            raise CvrError(f"{self.config.model} gave embeddings that are no numbers; try dtype=float32.")
        return rows_BD

    def _model(self) -> EmbeddingModel:
        config = self.config
        if config.api != "none":
            return RemoteModel(config, config.model, dim=config.dim)
        options: dict[str, Any] = {"dim": config.dim, "batch_size": config.batch_size, "hz": config.hz}
        if ":" not in config.model:
            loaded = load_sentence_model(config.model, config.revision, self.device, self.dtype)
            return SentenceModel(loaded, config.model, **options)
        named = load_named_encoder(config.model, config.argument)
        if encoder_takes_loader(named):
            return LoaderModel(named, config.model, **options)
        if not all(hasattr(named, name) for name in ("encode_query", "encode_document", "supports")):
            raise CvrError(
                f"{config.model} has neither the encode of MTEB 2 nor the methods of a SentenceTransformer; one that "
                "takes lists of images and texts is for --encoder mteb."
            )
        return SentenceModel(named, config.model, **options)


def _one_token(rows_BD: Tensor) -> TextFeatures:
    """Texts whose embedding is their only token too."""
    return TextFeatures.of(rows_BD[:, None], torch.ones(len(rows_BD), 1, dtype=torch.bool), rows_BD)


def _shrunk(frames: Frames, side: int) -> Frames:
    """The frames with no side longer than this, their proportions kept."""
    height, width = frames.pixels.shape[1:3]
    if max(height, width) <= side:
        return frames
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pictures = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames.pixels]
    return replace(frames, pixels=np.stack([np.asarray(picture) for picture in pictures]))
