"""What the networks of the CoVR family read: words of texts, and the image tokens of references.

A network of published size has a tokenizer, and looks at every token of the reference's middle frame, which
`cvr embed --all-tokens` stored. The small network over any features reads the stored tokens of texts, and looks at the
frames of the reference, each of which is one image token.
"""

# Shapes: B texts or videos, T frames, P image tokens, V width of an image token.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cvr_bench.models.networks.covr.blip import Built, ImageTokens, Words
from cvr_bench.models.networks.covr.config import CovrConfig
from cvr_bench.models.parts.device import device_of, on_device
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.clean_caption import clean_caption
from cvr_data.features.protocol import Encoder, VideoFeatures, video_tokens
from cvr_data.media.video import Video

AT_ONCE = 64
"""Queries of a network of published size that are read and encoded at once: 577 x 1024 numbers each."""


@dataclass(frozen=True)
class Limits:
    """How much of a text is read."""

    words: int | None
    """After cleaning; None cuts none off."""
    train_tokens: int
    test_tokens: int


AS_PUBLISHED = Limits(words=30, train_tokens=35, test_tokens=64)
"""CoVR-BLIP's; half of the dense modification texts and nearly all descriptions lose their end."""
LONG = Limits(words=None, train_tokens=256, test_tokens=256)


@dataclass(frozen=True)
class Texts:
    """Texts -> words, by a tokenizer or by the stored tokens of an encoder."""

    encoder: Encoder
    tokenizer: Any = None
    limits: Limits = LONG

    def __call__(self, texts: Sequence[str], *, training: bool = False, raw: bool = False) -> Words:
        """Return the words of texts; `raw` leaves a text as it is, not cleaned."""
        if self.tokenizer is None:
            features = self.encoder.encode_texts(texts)
            return Words(None, features.mask_BL, features.tokens_BLD)
        from cvr_data.features.encoders.networks.checkpoints import tokenize

        cut = 10**9 if self.limits.words is None else self.limits.words
        cleaned = list(texts) if raw else [clean_caption(text, cut) for text in texts]
        length = self.limits.train_tokens if training else self.limits.test_tokens
        return Words(*tokenize(self.tokenizer, cleaned, length))


@dataclass(frozen=True)
class References:
    """Reference videos -> what a network looks at."""

    encoder: Encoder
    folder: Path | None = None
    """Embeddings folder with the tokens; None is that of the scored features."""
    token_width: int | None = None
    """Of the network's image tokens; None looks at frames instead of their tokens."""

    def __call__(self, videos: Sequence[Video], *, drawn: bool = False) -> ImageTokens:
        """Return the image tokens of the videos; `drawn` takes one of each one's frames at random.

        Raises:
            CvrError: tokens are needed and not stored, or are those of another network.
        """
        if self.token_width is None:
            features = self.encoder.encode_videos(videos)
            if not drawn:
                return ImageTokens(features.frames_BTD, features.mask_BT)
            one_B1D = any_frame(features)[:, None]
            return ImageTokens(one_B1D, torch.ones(one_B1D.shape[:2], dtype=torch.bool))
        features = video_tokens(self.encoder, videos, self.folder)
        width = features.frames_BTD.shape[-1]
        if width != self.token_width:
            where = self.folder or "the features"
            raise CvrError(f"The frame tokens of {where} are {width} wide, this network needs {self.token_width}.")
        tokens_BPV = any_frame(features) if drawn else middle(features)
        return ImageTokens(tokens_BPV, torch.ones(tokens_BPV.shape[:2], dtype=torch.bool))


class Inputs:
    """What a network is given, where its weights are; as released texts are read to `limits`, else to their end."""

    def __init__(self, config: CovrConfig, encoder: Encoder, built: Built, limits: Limits = AS_PUBLISHED):
        self.network = built.network
        self._texts = Texts(encoder, built.tokenizer, limits if config.is_faithful else LONG)
        self._references = References(encoder, config.reference_tokens, built.token_width)

    def words(self, texts: Sequence[str], *, training: bool, raw: bool = False) -> Words:
        """Return the words of texts."""
        return on_device(self._texts(texts, training=training, raw=raw), device_of(self.network))

    def images(self, videos: Sequence[Video], *, drawn: bool = False) -> ImageTokens:
        """Return the image tokens of references."""
        return on_device(self._references(videos, drawn=drawn), device_of(self.network))


def middle(features: VideoFeatures) -> torch.Tensor:
    """Return the frame in the middle of each video, (B, ...): the later one of two."""
    rows_B = torch.arange(len(features.mask_BT))
    return features.frames_BTD[rows_B, features.mask_BT.sum(dim=1) // 2]


def any_frame(features: VideoFeatures) -> torch.Tensor:
    """Return a frame of each video, (B, ...), drawn by torch's generator, as dropout is."""
    lengths_B = features.mask_BT.sum(dim=1)
    drawn_B = (torch.rand(len(lengths_B)) * lengths_B).long()
    return features.frames_BTD[torch.arange(len(lengths_B)), drawn_B]
