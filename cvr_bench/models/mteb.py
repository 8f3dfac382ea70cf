"""Retrieve with any multimodal embedding model that MTEB or sentence-transformers can run.

    cvr embed videos -O embeddings/mine --encoder mteb -o model=my_package.models:load -o argument=path/or/hub-id
    cvr bench --model mteb -e embeddings/mine      # video + text, added as MTEB adds
    cvr bench --model mteb -e embeddings/mine -o model=my_package.models:load -o argument=hub-id -o videos=videos

Without `model`, query and gallery are the stored features: the query is the sum of mean frame and text embedding, each
of unit length, as MTEB fuses models that have no joint encoder. With `model`, each frame of the reference goes into it
together with the text, and the query is the mean of those joint embeddings; the gallery stays as stored.

Source: MTEB's any-to-any retrieval, Xiao et al., "MIEB", 2025 (https://arxiv.org/abs/2504.10471).
"""

# Shapes: B queries, N frames of all of them, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.parts.pooled import model_half_queries, model_pooled_texts, pooled_videos, untrained_retriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.core.errors import CvrError, first_few, first_line
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.protocol import Encoder
from cvr_data.media.places import read_media_clips
from cvr_data.media.timeline import frame_sampler_and_rate
from cvr_data.media.video import Video


@dataclass(frozen=True, kw_only=True)
class Config:
    model: str | None = None
    """MODULE:NAME of a model with a joint encoder (`get_fused_embeddings`, or an `encode` that takes dicts), or of what
    gives one; None adds stored features."""
    argument: str | None = None
    """What `model` is called with, such as a hub id or a folder."""
    videos: Path | None = None
    """The videos table that tells where the references' files are; needed with `model`."""
    frames: int = field(default=8, metadata=option_range(SIZE))
    """Frames of a reference that are encoded with the text."""
    sampler: str = "uniform"
    """Which frames, as of `cvr embed --sampler`."""
    batch_size: int = field(default=16, metadata={"output": False})
    """Frame and text pairs that the model is given at once."""

    def __post_init__(self) -> None:
        frame_sampler_and_rate(self.sampler)
        if min(self.frames, self.batch_size) < 1:
            raise ValueError("frames and batch_size must be at least 1.")
        if self.model is not None and self.videos is None:
            raise ValueError("a joint encoder reads the references' frames: -o videos=VIDEOS.")


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    check_retriever_space(encoder, "mteb")
    joint = None if config.model is None else JointEncoder(config)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        if (half_BD := model_half_queries(encoder, queries)) is not None:
            return half_BD
        if joint is not None:
            return joint.encode(task_references(queries), task_modifications(queries))
        return F.normalize(pooled_videos(encoder, queries) + model_pooled_texts(encoder, queries), dim=-1)

    return untrained_retriever(encoder, encode_queries)


class JointEncoder:
    """Encodes frames together with a text, by a model that someone else runs."""

    def __init__(self, config: Config):
        from cvr_data.features.encoders.networks.named_model import load_named_encoder

        assert config.model is not None and config.videos is not None
        self.config = config
        self.model = load_named_encoder(config.model, config.argument)
        self.video_of = read_media_clips(config.videos)

    def encode(self, videos: Sequence[Video], texts: Sequence[str]) -> Tensor:
        """Return the mean joint embedding of each video's frames with its text, (B, D) of unit length.

        Raises:
            CvrError: a video is not in the table or cannot be read, or the model has no joint encoder.
        """
        from cvr_data.features.encoders.networks.images import Preprocessing

        lacking = [
            video.video_id
            for video in videos
            if (known := self.video_of.get(video.video_id)) is None or known.path is None
        ]
        if lacking:
            raise CvrError(f"mteb: {self.config.videos} has no file of reference {first_few(lacking)}.")
        reader = Preprocessing(size=384, fit="square")
        frames = [
            reader.read_video(self.video_of[video.video_id], self.config.frames, self.config.sampler)
            for video in videos
        ]
        items = [(frame, text) for each, text in zip(frames, texts, strict=True) for frame in each]
        rows_ND = F.normalize(self._encode(items), dim=-1)
        means = [part.mean(dim=0) for part in rows_ND.split([len(each) for each in frames])]
        return F.normalize(torch.stack(means), dim=-1)

    def _encode(self, items: Sequence[tuple[Any, str]]) -> Tensor:
        from PIL import Image

        from cvr_data.features.encoders.mteb import mteb_encoder_features

        images, texts = [Image.fromarray(frame) for frame, _ in items], [text for _, text in items]
        pairs = [{"image": image, "text": text} for image, text in zip(images, texts, strict=True)]
        columns: dict[str, list[Any]] = {"image": images, "text": texts}
        where, size = f"mteb: {self.config.model}", self.config.batch_size
        try:
            return mteb_encoder_features(self.model, "get_fused_embeddings", pairs, columns, size, where)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise CvrError(f"{where} does not encode an image with a text ({first_line(error)}).") from None
