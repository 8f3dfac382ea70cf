"""What the networks of the CoVR family read: words of texts, and the image tokens of references.

A network of published size has a tokenizer, and looks at every token of the reference's middle frame, which
`cvr embed --all-tokens` stored. The small network over any features reads the stored tokens of texts, and looks at the
frames of the reference, each of which is one image token.
"""

# Shapes: B texts or videos, T frames, P image tokens, V width of an image token.

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from cvr_bench.models.networks.covr.blip import Built, ImageTokens, Words
from cvr_bench.models.networks.covr.config import NetworkConfig
from cvr_bench.models.parts.device import Features, model_inputs_on_device, network_device
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.checkpoints import Padding, tokenize_for_encoder
from cvr_data.features.encoders.networks.clean_caption import clean_text_for_encoder
from cvr_data.features.protocol import Encoder, VideoFeatures, video_token_features
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
    padded: bool = False
    """Whether shorter texts get that many tokens too, for a network that reads padding."""


AS_PUBLISHED = Limits(words=30, train_tokens=35, test_tokens=64)
"""CoVR-BLIP's; half of the dense modification texts and nearly all descriptions lose their end."""
LONG = Limits(words=None, train_tokens=256, test_tokens=256)


class Inputs:
    """Texts and references -> what a network is given, where its weights are; `limits` say what is read as released."""

    def __init__(self, config: NetworkConfig, encoder: Encoder, built: Built, limits: Limits = AS_PUBLISHED):
        self.encoder, self.built, self.folder = encoder, built, config.reference_tokens
        self.limits = limits if config.is_faithful else LONG

    def words(self, texts: Sequence[str], *, training: bool = False, raw: bool = False) -> Words:
        """Return the words of texts; `raw` leaves a text as it is, not cleaned."""
        if self.built.tokenizer is None:
            features = self.encoder.encode_texts(texts)
            spare = self.limits.padded * max(0, self.limits.test_tokens - features.mask_BL.shape[1])
            mask_BL = functional.pad(features.mask_BL, (0, spare))
            return self._placed(Words(None, mask_BL, functional.pad(features.tokens_BLD, (0, 0, 0, spare))))
        cut = 10**9 if self.limits.words is None else self.limits.words
        cleaned = list(texts) if raw else [clean_text_for_encoder(text, cut) for text in texts]
        length = self.limits.train_tokens if training else self.limits.test_tokens
        padding: Padding = "max_length" if self.limits.padded else "longest"
        return self._placed(Words(*tokenize_for_encoder(self.built.tokenizer, cleaned, length, padding)))

    def images(self, videos: Sequence[Video], *, drawn: bool = False, whole: bool = False) -> ImageTokens:
        """Return the image tokens of videos; `drawn` takes one of each one's frames at random, `whole` takes all.

        Raises:
            CvrError: tokens are needed and not stored, or are those of another network.
        """
        needed = self.built.token_width
        if needed is None:
            features = self.encoder.encode_videos(videos)
            if not drawn:
                return self._placed(ImageTokens(features.frames_BTD, features.mask_BT))
            tokens_BPV = _any_frame(features)[:, None]
        else:
            features = video_token_features(self.encoder, videos, self.folder)
            if (width := features.frames_BTD.shape[-1]) != needed:
                where = self.folder or "the features"
                raise CvrError(f"The frame tokens of {where} are {width} wide, this network needs {needed}.")
            if whole:
                mask_BP = features.mask_BT.repeat_interleave(features.frames_BTD.shape[2], dim=1)
                return self._placed(ImageTokens(features.frames_BTD.flatten(1, 2), mask_BP))
            tokens_BPV = _any_frame(features) if drawn else model_input_middle_frame(features)
        return self._placed(ImageTokens(tokens_BPV, torch.ones(tokens_BPV.shape[:2], dtype=torch.bool)))

    def _placed(self, given: Features) -> Features:
        return model_inputs_on_device(given, network_device(self.built.network))


def model_input_middle_frame(features: VideoFeatures) -> torch.Tensor:
    """Return the frame in the middle of each video, (B, ...): the later one of two."""
    rows_B = torch.arange(len(features.mask_BT))
    return features.frames_BTD[rows_B, features.mask_BT.sum(dim=1) // 2]


def _any_frame(features: VideoFeatures) -> torch.Tensor:
    """Return a frame of each video, (B, ...), drawn by torch's generator, as dropout is."""
    lengths_B = features.mask_BT.sum(dim=1)
    drawn_B = (torch.rand(len(lengths_B)) * lengths_B).long()
    return features.frames_BTD[torch.arange(len(lengths_B)), drawn_B]
