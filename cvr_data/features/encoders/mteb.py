"""Frames and texts by any multimodal model with MTEB's or sentence-transformers' methods, named as MODULE:NAME.

    cvr embed videos --encoder mteb -o model=sentence_transformers:SentenceTransformer -o argument=clip-ViT-B-32
    cvr embed videos --encoder mteb -o model=mteb:get_model -o argument=openai/clip-vit-base-patch32
    cvr embed videos --encoder mteb -o model=my_package.my_module:my_model

NAME is a model, or a class or function that gives one when it is called (with `argument`, if given). A model has
`get_text_embeddings(batches)` and `get_image_embeddings(batches)`, as MTEB's have, or `encode(list)`, as those of
sentence-transformers have, which takes texts and PIL images. It gives one embedding per frame and per text, and that
text embedding is the only token.
"""

# Shapes: N frames, H height, W width, C channels, B texts, D embedding.

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from cvr_data.core.errors import CvrError, first_line
from cvr_data.features.encoders.networks.images import Fit, Preprocessing
from cvr_data.features.encoders.networks.named_model import encoder_takes_loader, load_named_encoder
from cvr_data.features.encoders.networks.options import Frames
from cvr_data.features.protocol import TextFeatures, VideoFeatures, empty_text_features, encode_by_frames
from cvr_data.media.video import Video


@dataclass(frozen=True, kw_only=True)
class Config(Frames):
    model: str
    """MODULE:NAME of a model, or of a class or function that gives one."""
    argument: str | None = None
    """What the class or function is called with, such as a hub id or a folder; None calls it with nothing."""
    size: int = 384
    """Side in pixels of the squares that frames are brought to before the model prepares them its own way."""
    fit: Fit = "square"
    """square: squeezed, so that nothing is lost; crop: the middle is kept."""
    normalise: bool = True
    """Frame features to unit length; false leaves them as the model gives them."""
    batch_size: int = field(default=16, metadata={"output": False})
    """Frames or texts that the model is given at once."""

    def __post_init__(self) -> None:
        if min(self.frames, self.size, self.batch_size) < 1:
            raise ValueError("frames, size and batch_size must be at least 1.")


def load(config: Config) -> "MtebEncoder":
    model = load_named_encoder(config.model, config.argument)
    if encoder_takes_loader(model) and not hasattr(model, "get_image_embeddings"):
        raise CvrError(f"{config.model} embeds whole videos, as MTEB 2 has it: --encoder embedder takes it.")
    return MtebEncoder(model, config)


class MtebEncoder:
    """Videos and texts -> embeddings of a model that someone else runs."""

    name = "mteb"

    def __init__(self, model: Any, config: Config):
        self.model = model
        self.config = config
        self.preprocessing = Preprocessing(size=config.size, fit=config.fit)
        blank = np.zeros((1, config.size, config.size, 3), np.uint8)
        self.dim = self.frame_dim = self._probe(self.encode_frames, blank, "images").shape[1]
        self.text_dim = self._probe(self._encode_texts, ["a video"], "texts").shape[1]
        self.runs_on = f"{torch.device(getattr(model, 'device', None) or 'cpu').type} as the model chooses"

    def read_video(self, video: Video) -> np.ndarray:
        """Return the sampled frames, uint8 (T, size, size, 3).

        Raises:
            UnreadableVideo: no path, or a file that gives no frame.
        """
        return self.preprocessing.read_video(video, self.config.frames, self.config.sampler)

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, D) float32."""
        if not len(frames):
            return torch.empty(0, self.dim)
        features_ND = self._encode("image", [Image.fromarray(frame_HWC) for frame_HWC in frames])
        return F.normalize(features_ND, dim=-1) if self.config.normalise else features_ND

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame."""
        return encode_by_frames(self, videos)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per text, which is its only token too."""
        if not texts:
            return empty_text_features(self.text_dim)
        features_BD = self._encode_texts(texts)
        mask_BL = torch.ones(len(texts), 1, dtype=torch.bool)
        return TextFeatures.of(features_BD[:, None], mask_BL, features_BD)

    def _encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self._encode("text", list(texts))

    def _encode(self, kind: str, items: list[Any]) -> Tensor:
        model = self.config.model
        return mteb_encoder_features(
            self.model, f"get_{kind}_embeddings", items, {kind: items}, self.config.batch_size, model
        )

    def _probe(self, encode: Callable[[Any], Tensor], example: Any, kind: str) -> Tensor:
        try:
            return encode(example)
        except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
            raise CvrError(f"{self.config.model} does not encode {kind} ({first_line(error)}).") from None


def mteb_encoder_features(
    model: Any, method: str, items: list[Any], columns: dict[str, list[Any]], batch_size: int, where: str
) -> Tensor:
    """Return features_ND of items, by the method that takes batches of columns or, without it, by `encode`.

    Raises:
        CvrError: it gives something else than a row per item.
    """
    in_batches = getattr(model, method, None)
    with torch.no_grad():
        if in_batches is None:
            found = model.encode(items, batch_size=batch_size, show_progress_bar=False)
        else:
            parts = [slice(start, start + batch_size) for start in range(0, len(items), batch_size)]
            batches = [{name: values[part] for name, values in columns.items()} for part in parts]
            found = in_batches(batches, show_progress_bar=False)
    features_ND = torch.as_tensor(found).float().cpu()
    if features_ND.ndim != 2 or len(features_ND) != len(items):
        shape, kinds = tuple(features_ND.shape), " and ".join(columns)
        raise CvrError(f"{where} gave {shape} for {len(items)} of {kinds}, ({len(items)}, D) was expected.")
    return features_ND
