"""What an encoder takes and gives: padded frame features of videos, token and pooled features of texts."""

# Shapes: B videos or texts, T frames, L tokens (both padded at the end), N frames, P places in a frame, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video


@dataclass(frozen=True)
class VideoFeatures:
    """One embedding per frame."""

    frames_BTD: Tensor
    """float32; zero where a frame is padding."""
    mask_BT: Tensor
    """bool, False where a frame is padding; at least one True in each row."""

    def pooled_BD(self) -> Tensor:
        """Return the mean over frames that are not padding, unit length along D."""
        return torch.nn.functional.normalize(masked_feature_mean(self.frames_BTD, self.mask_BT), dim=-1)


@dataclass(frozen=True)
class TextFeatures:
    """One embedding per token and one for the whole text."""

    tokens_BLD: Tensor
    """float32, any length along D; zero where a token is padding."""
    mask_BL: Tensor
    """bool, False where a token is padding; at least one True in each row."""
    pooled_BD: Tensor
    """float32, unit length along D."""
    length_B: Tensor
    """float32, what the network's own feature of a text was long before; NaN where that is not known."""

    @classmethod
    def of(cls, tokens_BLD: Tensor, mask_BL: Tensor, own_BD: Tensor) -> "TextFeatures":
        """Return the features of texts whose own ones, of any length, are `own_BD`."""
        pooled_BD = torch.nn.functional.normalize(own_BD, dim=-1)
        return cls(tokens_BLD, mask_BL, pooled_BD, own_BD.norm(dim=-1))

    def own_BD(self) -> Tensor:
        """Return the feature of each text as the network gave it, of any length: what released weights read.

        Raises:
            CvrError: the features were stored without the lengths.
        """
        if self.length_B.isnan().any():
            raise CvrError(
                "These features were stored without the lengths of texts, which this mode reads; make them again with "
                "cvr embed --overwrite."
            )
        return self.pooled_BD * self.length_B.unsqueeze(-1)


def separate_text_features(features: TextFeatures) -> list[TextFeatures]:
    """Return each text alone, without padding."""
    ends = [int(mask_L.nonzero().max()) + 1 for mask_L in features.mask_BL]
    return [
        TextFeatures(*(values[row : row + 1] for values in (
            features.tokens_BLD[:, :end], features.mask_BL[:, :end], features.pooled_BD, features.length_B,
        )))
        for row, end in enumerate(ends)
    ]  # fmt: skip


def separate_video_features(features: VideoFeatures) -> list[VideoFeatures]:
    """Return each video alone, without padding."""
    ends = [int(mask_T.nonzero().max()) + 1 for mask_T in features.mask_BT]
    return [
        VideoFeatures(features.frames_BTD[row : row + 1, :end], features.mask_BT[row : row + 1, :end])
        for row, end in enumerate(ends)
    ]


class Encoder(Protocol):
    """Brings videos and texts into a space; `dim` and `text_dim` are equal where that space is one."""

    name: str
    dim: int
    """Width of frame embeddings; 0 where videos are not encoded."""
    text_dim: int
    """Width of token and text embeddings; 0 where texts are not encoded."""
    runs_on: str
    """Device and type of the products, such as `cpu bfloat16`: what a manifest records."""

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame.

        Raises:
            UnreadableVideo: a video has no readable file (or, for stored features, CvrError: an unknown id).
        """

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per token and one per text."""


@runtime_checkable
class TellsFrameLength(Protocol):
    """An encoder that knows whether its frames are of unit length."""

    unit_frames: bool | None
    """None where it is one of imported features, or of heads."""


@runtime_checkable
class HashesWeights(Protocol):
    """An encoder whose weights a user gives, and which tells them apart."""

    def weights_sha256(self) -> str:
        """Return a hash of all weights."""


@runtime_checkable
class FrameEncoder(Encoder, Protocol):
    """An encoder of videos whose decoding is apart from its network, so that `cvr embed` can overlap the two."""

    frame_dim: int

    def read_video(self, video: Video) -> np.ndarray:
        """Return the sampled frames, uint8 (T, H, W, 3); all videos have one H and W.

        Raises:
            UnreadableVideo: no file, or one that gives no frame.
        """

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, D) float32."""


@runtime_checkable
class ClipEncoder(Encoder, Protocol):
    """An encoder that gives one embedding per video, whose decoding is apart from its network too."""

    frame_dim: int
    clips_per_call: int
    """Videos that `encode_clips` is given at once."""

    def read_clip(self, video: Video) -> Any:
        """Return what `encode_clips` takes of a video; its `pixels` are uint8 frames (T, H, W, 3).

        Raises:
            UnreadableVideo: no file, or one that gives no frame.
        """

    def encode_clips(self, clips: Sequence[Any]) -> Tensor:
        """Return (videos, D) float32."""


@runtime_checkable
class RefusesClips(Protocol):
    """An encoder of clips whose model may refuse one, or a text, as a server does, and embed the others."""

    def encode_clips_or_say(self, clips: Sequence[Any]) -> tuple[Tensor, list[str | None]]:
        """Return (videos, D) float32, and for each video why it has no embedding: its row is zero then."""

    def encode_texts_or_say(self, texts: Sequence[str]) -> tuple[TextFeatures, list[str | None]]:
        """Return the features of texts, and for each why it has none: its rows are zero then."""


@runtime_checkable
class FrameTokenEncoder(FrameEncoder, Protocol):
    """An encoder that also gives every token of a frame: `isinstance(encoder, FrameTokenEncoder)` asks for it."""

    frame_token_dim: int

    def encode_frame_tokens(self, frames: np.ndarray) -> Tensor:
        """Return (frames, P, frame_token_dim) float32; the order of the tokens is the encoder's."""


@runtime_checkable
class VideoTokenEncoder(Encoder, Protocol):
    """An encoder that gives every token of the frames of a video: `video_token_features` asks for them."""

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return the tokens of each frame, (B, T, P, D) instead of (B, T, D).

        Args:
            videos: whose tokens.
            folder: embeddings folder that has them; None is the one of the frame features.
        """


def video_token_features(encoder: Encoder, videos: Sequence[Video], folder: Path | None = None) -> VideoFeatures:
    """Return the tokens of each frame of the videos, (B, T, P, D) instead of (B, T, D).

    Raises:
        CvrError: the encoder gives none, or they are not stored.
    """
    if not isinstance(encoder, VideoTokenEncoder):
        raise CvrError(f"{encoder.name!r} gives no tokens of frames; make features with: cvr embed --all-tokens")
    return encoder.encode_video_tokens(videos, folder)


@runtime_checkable
class TellsSpace(Protocol):
    """An encoder that knows which space its features lie in."""

    def space(self) -> dict[str, Any]:
        """Return what names the space: where two differ, weights of one mean nothing in the other."""


@runtime_checkable
class WrapsEncoder(Protocol):
    """An encoder that passes on what another one gives."""

    encoder: Encoder


def space_of(encoder: Encoder) -> dict[str, Any] | None:
    """Return what names the space of an encoder's features; None where it does not say."""
    found: Any = encoder
    while isinstance(found, WrapsEncoder):
        found = found.encoder
    return found.space() if isinstance(found, TellsSpace) else None


def unit_frames_of(encoder: Encoder) -> bool | None:
    """Return whether the frames that an encoder gives are of unit length; None where it does not say."""
    return encoder.unit_frames if isinstance(encoder, TellsFrameLength) else None


def encode_by_frames(encoder: FrameEncoder, videos: Sequence[Video]) -> VideoFeatures:
    """Return one embedding per sampled frame, the frames of all videos encoded together."""
    if not videos:
        return VideoFeatures(torch.empty(0, 0, encoder.dim), torch.empty(0, 0, dtype=torch.bool))
    frames = [encoder.read_video(video) for video in videos]
    rows_ND = encoder.encode_frames(np.concatenate(frames))
    return VideoFeatures(*pad_features(rows_ND.split([len(each) for each in frames])))


def empty_text_features(width: int) -> TextFeatures:
    """Return the features of no text at all."""
    return TextFeatures.of(torch.empty(0, 0, width), torch.empty(0, 0, dtype=torch.bool), torch.empty(0, width))


def masked_feature_mean(rows_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the mean over the positions that are not padding, (B, D)."""
    weights_BT1 = mask_BT.unsqueeze(-1).to(rows_BTD.dtype)
    return (rows_BTD * weights_BT1).sum(dim=1) / weights_BT1.sum(dim=1).clamp(min=1)


def pad_features(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return ((B, longest, D) float32 padded with zeros, (B, longest) bool mask) of (length, D) tensors."""
    padded = torch.nn.utils.rnn.pad_sequence([row.float() for row in rows], batch_first=True)
    lengths_B = torch.tensor([len(row) for row in rows])
    return padded, torch.arange(padded.shape[1]) < lengths_B[:, None]
