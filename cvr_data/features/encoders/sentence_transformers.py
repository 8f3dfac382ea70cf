"""Texts by any model of the sentence-transformers library, by folder or hub id; no videos.

    cvr embed videos --encoder sentence-transformers -o model=FOLDER

A text becomes the model's text embedding, of unit length, and one state per token; a model that gives no tokens, or
tokens of another width (one that ends in a dense layer), gives the text embedding as the only token.
"""

# Shapes: B texts, L tokens, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cvr_data.core.device import torch_device_of
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.checkpoints import loading_encoder
from cvr_data.features.encoders.networks.options import OnDevice, Products
from cvr_data.features.protocol import TextFeatures, VideoFeatures, empty_text_features, pad_features
from cvr_data.media.video import Video

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, kw_only=True)
class Config(Products):
    model: str
    """A folder of the library, or an id on the hub."""
    prompt: str = ""
    """Put before every text, for models that were trained with instructions; it is part of the tokens."""
    max_tokens: int | None = None
    """Longer texts are cut; None leaves it to the model."""
    batch_size: int = field(default=64, metadata={"output": False})
    """Texts that go through the network at once."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise ValueError(f"batch_size and max_tokens must be at least 1, got {self.batch_size}, {self.max_tokens}.")


def load(config: Config) -> "SentenceEncoder":
    network = _load_sentence_transformer(config.model, torch_device_of(config.device))
    if config.max_tokens is not None:
        network.max_seq_length = config.max_tokens
    return SentenceEncoder(network, config)


class SentenceEncoder(OnDevice):
    """Texts -> one embedding per token and per text."""

    name = "sentence-transformers"
    dim = 0

    def __init__(self, network: "SentenceTransformer", config: Config):
        self.network = network
        self.config = config
        super().__init__(config)
        self.text_dim = self._encode(["width"])[0]["sentence_embedding"].shape[-1]

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per token and per text."""
        if not texts:
            return empty_text_features(self.text_dim)
        encoded = self._encode(texts)
        pooled_BD = torch.stack([each["sentence_embedding"].float().cpu() for each in encoded])
        tokens_BLD, mask_BL = pad_features([self._tokens(each) for each in encoded])
        return TextFeatures.of(tokens_BLD, mask_BL, pooled_BD)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Refuse: these networks know no pixels."""
        raise CvrError(
            "sentence-transformers encodes texts only; --encoder mteb takes multimodal models of the library."
        )

    def _encode(self, texts: Sequence[str]) -> list[dict[str, Tensor]]:
        with torch.no_grad(), self.autocast():
            encoded = self.network.encode(
                [self.config.prompt + text for text in texts],
                batch_size=self.config.batch_size,
                output_value=None,
                show_progress_bar=False,
            )
        return list(encoded)  # type: ignore[arg-type]

    def _tokens(self, encoded: dict[str, Tensor]) -> Tensor:
        tokens_LD = encoded.get("token_embeddings")
        if tokens_LD is None or tokens_LD.shape[-1] != self.text_dim:
            return encoded["sentence_embedding"].float().cpu()[None]
        kept = encoded["attention_mask"].bool()
        return tokens_LD[: len(kept)][kept].float().cpu()


def _load_sentence_transformer(model: str, device: torch.device) -> "SentenceTransformer":
    """Return a model of the library in evaluation mode.

    Raises:
        CvrError: no model is there, or the hub cannot be reached.
    """
    from sentence_transformers import SentenceTransformer

    what = f"{model}: neither a folder of sentence-transformers nor a reachable model"
    with loading_encoder(what, OSError, ValueError, RuntimeError):
        here = Path(model).is_dir()
        return SentenceTransformer(model, device=str(device), local_files_only=here, trust_remote_code=False).eval()
