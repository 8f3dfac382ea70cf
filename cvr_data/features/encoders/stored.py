"""Features of an embeddings folder, so that no media is needed; texts it does not have are encoded and remembered.

Every model of the bench reads its features through this encoder.
"""

# Shapes: B videos or texts, T frames, L tokens, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, pad_rows
from cvr_data.features.store import UNKNOWN_ENCODER, FeatureStore, Space
from cvr_data.media.video import Video


@dataclass(frozen=True, kw_only=True)
class Config:
    embeddings: Path
    """A folder written by `cvr embed`."""
    texts: tuple[Path, ...] = ()
    """More folders, written by `cvr embed TABLE --column ...`, in which to look for texts."""
    space: Space = "shared"
    """shared: what `cvr fit-heads` learned; raw: what the networks gave."""
    remembered: int = 50_000
    """Texts encoded on demand that are kept in memory, about 10 kilobytes each."""


def load(config: Config) -> "StoredEncoder":
    """Return the encoder."""
    store = FeatureStore.open(config.embeddings, config.space)
    text_stores = [FeatureStore.open(folder, "raw") for folder in config.texts]
    for folder, text_store in zip(config.texts, text_stores, strict=True):
        if text_store.encoder != store.encoder:
            raise CvrError(f"{folder} was made by another encoder or with other options than {config.embeddings}.")
    return StoredEncoder(store, text_stores, config.remembered)


class StoredEncoder:
    """Videos by id, texts by content."""

    name = "stored"
    runs_on = "cpu float32"

    def __init__(self, store: FeatureStore, text_stores: Sequence[FeatureStore] = (), remembered: int = 50_000):
        self.store = store
        self.raw_texts = [FeatureStore(store.artifact, None), *text_stores]
        self.remembered = remembered
        self._encoded: dict[str, TextFeatures] = {}
        self._token_stores: dict[Path, FeatureStore] = {}
        self.dim, self.text_dim = store.dim, store.text_dim
        if not self.text_dim and store.encoder["name"] != UNKNOWN_ENCODER:
            self.text_dim = self._text_encoder.text_dim

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return the stored frame embeddings.

        Raises:
            CvrError: a video is not stored.
        """
        return self.store.frames([video.video_id for video in videos])

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return the stored tokens of each frame, (B, T, P, D), of this folder or another.

        Raises:
            CvrError: a video is not stored, or its tokens are not.
        """
        if folder is not None and folder not in self._token_stores:
            self._token_stores[folder] = FeatureStore.open(folder, "raw")
        store = self.store if folder is None else self._token_stores[folder]
        return VideoFeatures(*store.frame_tokens([video.video_id for video in videos]))

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return the stored embeddings of texts, encoding those that no folder has."""
        self._encode_missing(texts)
        found = [self._raw(text) for text in texts]
        tokens_BLD, mask_BL = pad_rows([each.tokens_BLD[0] for each in found])
        pooled_BD = torch.cat([each.pooled_BD for each in found]) if found else torch.empty(0, self.text_dim)
        return self.store.project_texts(TextFeatures(tokens_BLD, mask_BL, pooled_BD))

    def _raw(self, text: str) -> TextFeatures:
        store = next((store for store in self.raw_texts if store.has_text(text)), None)
        return store.texts([text]) if store else self._encoded[text]

    def _encode_missing(self, texts: Sequence[str]) -> None:
        missing = [text for text in dict.fromkeys(texts) if not self._is_known(text)]
        if not missing:
            return
        features = self._text_encoder.encode_texts(missing)
        for row, text in enumerate(missing):
            # rounded as the stored ones are, so that it makes no difference where a text was found
            tokens_LD = features.tokens_BLD[row, features.mask_BL[row]].half().float()
            pooled_D = F.normalize(features.pooled_BD[row].half().float(), dim=-1)
            mask_L = torch.ones(len(tokens_LD), dtype=torch.bool)
            self._encoded[text] = TextFeatures(tokens_LD[None], mask_L[None], pooled_D[None])
        needed = set(texts)
        for text in [text for text in self._encoded if text not in needed][: len(self._encoded) - self.remembered]:
            del self._encoded[text]

    def _is_known(self, text: str) -> bool:
        return text in self._encoded or any(store.has_text(text) for store in self.raw_texts)

    @cached_property
    def _text_encoder(self) -> Encoder:
        options = {name: value for name, value in self.store.encoder.items() if name != "name"}
        module = ENCODERS.get(self.store.encoder["name"])
        return module.load(module.Config(**options))
