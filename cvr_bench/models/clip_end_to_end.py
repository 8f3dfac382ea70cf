"""Fine-tune a CLIP on clips, not on stored features: a video is its mean frame, a query video plus text or text alone.

    cvr bench --model clip-end-to-end -o clip=openai/clip-vit-base-patch32 -o videos=videos \
        -t coef_lr=1e-3 -t lr=1e-4 -t optimizer=bertadam -t schedule=bertadam -t weight_decay=0.2 -t epochs=5

Frames are decoded while the network works; references are augmented. The parameters of CLIP are those that `coef_lr`
is about. Stored features (`--embeddings`) only say which videos there are.

Source: fine-tuning as in CLIP4Clip (https://arxiv.org/abs/2104.08860) and DRL (https://arxiv.org/abs/2203.07111), both
towers with mean pooling; the augmentation is CoVR's (https://arxiv.org/abs/2308.14746).
"""

# Shapes: B triplets, queries, videos or texts, T frames (padded), H height, W width, C channels, L tokens, D embedding.

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.parts.augmentation import Augmentation
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.clip_loading import ClipPair, ClipReader, Clips
from cvr_bench.models.parts.device import model_random_generators, network_device
from cvr_bench.models.parts.losses import info_nce, loss_similarities
from cvr_bench.models.parts.retriever import DenseRetriever, Losses
from cvr_bench.models.parts.weights import load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.encoders.hash import Config as HashConfig
from cvr_data.features.encoders.hash import HashEncoder
from cvr_data.features.encoders.networks.images import Preprocessing
from cvr_data.features.encoders.networks.two_towers import end_token_features
from cvr_data.features.protocol import Encoder
from cvr_data.media.places import read_media_clips
from cvr_data.media.video import Video

TINY_LENGTH, TINY_SIDE = 48, 16
START, END = 256, 257
"""Tokens of the tiny network, behind those of bytes."""
Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
READS_CLIPS = True
"""Its inputs are files, so features that are altered for an audit do not reach it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    clip: str | None = None
    """A folder saved with save_pretrained, or an id on the hub; needed."""
    videos: Path | None = None
    """The videos table that tells where the files are; needed."""
    query: Literal["video+text", "text"] = "video+text"
    """Whether a query has its reference in it."""
    frames: int = field(default=8, metadata=option_range(SIZE))
    """Frames per video, at most; DRL and CLIP4Clip take 12."""
    sampler: str = "uniform"
    """Which frames: uniform, middle, first or per-second."""
    augment: bool = True
    """Crop and change references at random in training, as CoVR does."""
    mirror: bool = False
    """Mirror half of them too, as CoVR does although it contradicts left and right."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1, metadata={"output": False})
    """Threads that decode; the result is the same for any number."""
    tiny: bool = False
    """A tiny network with random weights instead of `clip`, and frames drawn from ids without `videos`: for tests."""
    checkpoint: Path | None = None
    """Trained weights of the whole model."""
    seed: int = 0
    """Of the augmentation, and of a tiny network's weights."""

    def __post_init__(self) -> None:
        if not self.tiny and (self.clip is None or self.videos is None):
            raise ValueError("it reads frames: -o clip=MODEL and -o videos=VIDEOS are needed.")
        if self.frames < 1 or self.workers < 1:
            raise ValueError(f"frames and workers must be at least 1, got {self.frames} and {self.workers}.")


TINY = Config(tiny=True, frames=2, workers=1)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    with model_random_generators(config.seed):
        parts = tiny_clip_model_parts() if config.tiny else _clip_parts(str(config.clip))
        module = ClipNetwork(parts.network, parts.preprocessing)
    load_model_weights(module, config.checkpoint)
    tokens = _Tokens(parts.tokenize)
    reader = _clip_reader(config, parts)

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        return module.videos(reader.clips(videos))

    def encode_texts(texts: Sequence[str]) -> Tensor:
        return module.texts(*tokens.of(texts))

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        if all(query.modification is None for query in queries):
            return encode_videos(task_references(queries))
        text_BD = encode_texts(task_modifications(queries))
        if config.query == "text" or all(query.reference is None for query in queries):
            return text_BD
        return module.compose(encode_videos(task_references(queries)), text_BD)

    def training_step(batch: TripletBatch) -> Losses:
        clips: ClipPair = batch.clips
        query_BD = encode_texts(batch.modifications)
        if clips.reference is not None:
            query_BD = module.compose(module.videos(clips.reference), query_BD)
        target_BD = batch.joined(module.videos(clips.target))
        logits_BB = module.scale * loss_similarities(batch.joined(query_BD), target_BD)
        return {"loss": info_nce(logits_BB, batch.ignored().to(network_device(module)))}

    return DenseRetriever(
        encode_queries,
        encode_videos,
        encode_texts=encode_texts,
        module=module,
        training_step=training_step,
        clip_reader=reader,
    )


def _clip_reader(config: Config, parts: "ClipParts") -> ClipReader:
    return ClipReader(
        _Reading(config, parts),
        workers=config.workers,
        augmentation=Augmentation(mirror=config.mirror) if config.augment else None,
        seed=config.seed,
        references=config.query == "video+text",
    )


class _Reading:
    """Reads the frames of a video by name."""

    def __init__(self, config: Config, parts: "ClipParts"):
        self.config, self.preprocessing = config, parts.preprocessing
        self.drawn = HashEncoder(HashConfig(frames=config.frames))
        self.files = {} if config.videos is None else read_media_clips(config.videos)

    def __call__(self, video: Video) -> np.ndarray:
        """Return uint8 (T, H, W, 3). Raises CvrError: it is not in the table, or has no file that can be read."""
        if video.path is None and self.config.videos is None:
            return self.preprocessing.fit_frames(self.drawn.read_video(video))
        found = video if video.path is not None else self.files.get(video.video_id)
        if found is None:
            raise CvrError(f"{self.config.videos} has no video {video.video_id!r}; pass -o videos=VIDEOS that has it.")
        return self.preprocessing.read_video(found, self.config.frames, self.config.sampler)


class _Tokens:
    """Each text's tokens, worked out once."""

    def __init__(self, tokenize: Tokenize):
        self.tokenize = tokenize
        self.ids_of: dict[str, Tensor] = {}

    def of(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (ids_BL, mask_BL), padded to the longest of them with what follows its end token."""
        new = [text for text in dict.fromkeys(texts) if text not in self.ids_of]
        if new:
            for text, ids_L, mask_L in zip(new, *self.tokenize(new), strict=True):
                self.ids_of[text] = ids_L[mask_L]
        rows = [self.ids_of[text] for text in texts]
        mask_BL = torch.arange(max(map(len, rows))) < torch.tensor([len(row) for row in rows])[:, None]
        ids_BL = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return torch.where(mask_BL, ids_BL, ids_BL.new_tensor([int(row[-1]) for row in rows])[:, None]), mask_BL


@dataclass(frozen=True)
class ClipParts:
    """What a CLIP is made of."""

    network: Any
    """A CLIPModel of transformers."""
    tokenize: Tokenize
    """Texts -> (ids_BL, mask_BL)."""
    preprocessing: Preprocessing


class ClipNetwork(nn.Module):
    """Videos and texts of a CLIPModel in one space; its learned scale is CLIP's."""

    def __init__(self, clip: Any, preprocessing: Preprocessing):
        super().__init__()
        self.clip, self.preprocessing = clip.requires_grad_(True), preprocessing
        self.text_share = nn.Parameter(torch.zeros(()))

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by."""
        return self.clip.logit_scale.exp().clamp(max=100.0)

    def videos(self, clips: Clips) -> Tensor:
        """Return the mean frame of each video, (B, D), unit length."""
        mask_BT = clips.mask_BT.to(self.text_share.device)
        frames_NHWC = clips.frames_BTHWC[clips.mask_BT]
        pixels_NCHW = self.preprocessing.pixels(frames_NHWC, mask_BT.device)
        states = self.clip.vision_model(pixel_values=pixels_NCHW).pooler_output
        frames_ND = F.normalize(self.clip.visual_projection(states).float(), dim=-1)
        frames_BTD = frames_ND.new_zeros(*mask_BT.shape, frames_ND.shape[1]).masked_scatter(
            mask_BT.unsqueeze(-1), frames_ND
        )
        return F.normalize(frames_BTD.sum(dim=1) / mask_BT.sum(dim=1, keepdim=True), dim=-1)

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        """Return each text's vector, at its end token, (B, D), unit length."""
        device = self.text_share.device
        mask_BL = mask_BL.to(device)
        states_BLW = self.clip.text_model(input_ids=ids_BL.to(device), attention_mask=mask_BL.long()).last_hidden_state
        return F.normalize(self.clip.text_projection(end_token_features(states_BLW, mask_BL)).float(), dim=-1)

    def compose(self, video_BD: Tensor, text_BD: Tensor) -> Tensor:
        """Return the query of video and text: their weighted sum, with a learned weight, unit length."""
        return F.normalize(torch.lerp(video_BD, text_BD, self.text_share.sigmoid()), dim=-1)


def _clip_parts(model: str) -> ClipParts:
    """Return a CLIP of the transformers library, by hub id or folder.

    Raises:
        CvrError: the checkpoint is missing, cannot be reached, or holds another model's weights.
    """
    from cvr_data.features.encoders.clip import ClipTowers

    towers = ClipTowers(model)
    return ClipParts(towers.network, towers.tokenize, towers.preprocessing)


def tiny_clip_model_parts() -> ClipParts:
    """Return a tiny CLIP with random weights, drawn from torch's generator, that reads the bytes of texts."""
    from transformers import CLIPConfig, CLIPModel

    tower = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
    text = {"vocab_size": 258, "max_position_embeddings": TINY_LENGTH, "bos_token_id": START, "eos_token_id": END}
    network = CLIPModel(
        CLIPConfig(
            text_config={**tower, **text, "pad_token_id": END},
            vision_config={**tower, "image_size": TINY_SIDE, "patch_size": 8},
            projection_dim=32,
        )
    )
    return ClipParts(network.eval(), clip_model_bytes, Preprocessing(size=TINY_SIDE, fit="square"))


def clip_model_bytes(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return (ids_BL, mask_BL) of the bytes of texts, cut to the tiny network's length."""
    rows = [[START, *text.encode("utf-8", "replace")[: TINY_LENGTH - 2], END] for text in texts]
    longest = max(len(row) for row in rows)
    mask_BL = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    return torch.tensor([row + [END] * (longest - len(row)) for row in rows]), mask_BL
