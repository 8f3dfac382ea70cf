"""Features of an embeddings folder, so that no media is needed; texts it does not have are encoded and remembered.

Every model of the bench reads its features through this encoder.
"""

# Shapes: B videos or texts, T frames, L tokens, D embedding.

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from cvr_data.core.errors import CvrError
from cvr_data.core.trust import stored
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, pad_features
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
        self.raw_texts = [store.raw(), *text_stores]
        self.remembered = remembered
        self._encoded: dict[str, TextFeatures] = {}
        self._token_stores: dict[Path, FeatureStore] = {}
        self.dim, self.text_dim, self.unit_frames = store.dim, store.text_dim, store.unit_frames
        if not self.text_dim and store.encoder["name"] != UNKNOWN_ENCODER:
            self.text_dim = self.source_encoder.text_dim

    def space(self) -> dict[str, Any]:
        """Return what names the space of the stored features."""
        return self.store.space()

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return the stored frame embeddings. Raises CvrError: a video is not stored."""
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
        store_of = self._stores_of(texts)
        self._encode_missing([text for text in texts if text not in store_of], set(texts))
        found = [store_of[text].texts([text]) if text in store_of else self._encoded[text] for text in texts]
        tokens_BLD, mask_BL = pad_features([each.tokens_BLD[0] for each in found])
        pooled_BD = torch.cat([each.pooled_BD for each in found]) if found else torch.empty(0, self.text_dim)
        length_B = torch.cat([each.length_B for each in found]) if found else torch.empty(0)
        return self.store.project_texts(TextFeatures(tokens_BLD, mask_BL, pooled_BD, length_B))

    def _stores_of(self, texts: Sequence[str]) -> dict[str, FeatureStore]:
        """The first store that has a text, for those that one has."""
        found: dict[str, FeatureStore] = {}
        for store in self.raw_texts:
            others = [text for text in dict.fromkeys(texts) if text not in found]
            found.update(dict.fromkeys(compress(others, store.has_texts(others)), store))
        return found

    def _encode_missing(self, texts: Sequence[str], needed: Set[str]) -> None:
        missing = [text for text in dict.fromkeys(texts) if text not in self._encoded]
        if not missing:
            return
        features = self.source_encoder.encode_texts(missing)
        for row, text in enumerate(missing):
            # rounded as the stored ones are, so that it makes no difference where a text was found
            tokens_LD = features.tokens_BLD[row, features.mask_BL[row]].half().float()
            pooled_D = F.normalize(features.pooled_BD[row].half().float(), dim=-1)
            mask_L = torch.ones(len(tokens_LD), dtype=torch.bool)
            length_B = features.length_B[row : row + 1]
            self._encoded[text] = TextFeatures(tokens_LD[None], mask_L[None], pooled_D[None], length_B)
        for text in [text for text in self._encoded if text not in needed][
            : max(0, len(self._encoded) - self.remembered)
        ]:
            del self._encoded[text]

    @cached_property
    def source_encoder(self) -> Encoder:
        """The encoder that made the features, loaded when it is first needed."""
        name, options = self.store.encoder["name"], self.store.artifact.manifest["config"]["options"]
        with stored():
            return ENCODERS.get(name).load(ENCODERS.config(name, options))
