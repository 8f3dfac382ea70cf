"""An encoder that is asked once: training reads the same features every epoch, and no frozen network runs twice."""

# Shapes: B rows asked for, N rows kept, S frames or tokens (padded), D embedding.

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, unit_frames_of, video_token_features
from cvr_data.media.video import Video

BUDGET_BYTES = 1 << 30
"""Of videos, of tokens of their frames and of texts each; what comes after is encoded every time it is asked for."""


class RememberingEncoder:
    """Gives what another encoder gives, from memory the second time."""

    def __init__(self, encoder: Encoder, budget_bytes: int = BUDGET_BYTES):
        self.encoder = encoder
        self.name, self.runs_on = encoder.name, encoder.runs_on
        self.dim, self.text_dim, self.unit_frames = encoder.dim, encoder.text_dim, unit_frames_of(encoder)
        self._videos, self._tokens, self._texts = (_Rows(budget_bytes) for _ in range(3))

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame."""

        def encode(missing: Sequence[Video]) -> tuple[Tensor, Tensor, Tensor]:
            features = self.encoder.encode_videos(missing)
            return features.frames_BTD, features.mask_BT, features.frames_BTD[:, 0]

        if not self._videos.remember(videos, encode):
            return self.encoder.encode_videos(videos)
        frames_BTD, mask_BT, _ = self._videos.get(videos)
        return VideoFeatures(frames_BTD, mask_BT)

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return every token of each frame: those of the frame features from memory, of another folder read anew."""

        def encode(missing: Sequence[Video]) -> tuple[Tensor, Tensor, Tensor]:
            features = video_token_features(self.encoder, missing)
            places_B1 = torch.full((len(missing), 1), float(features.frames_BTD.shape[2]))
            return features.frames_BTD.flatten(2), features.mask_BT, places_B1

        if folder is not None or not self._tokens.remember(videos, encode):
            return video_token_features(self.encoder, videos, folder)
        tokens_BTE, mask_BT, places_B1 = self._tokens.get(videos)
        return VideoFeatures(tokens_BTE.unflatten(2, (int(places_B1[0]), -1)), mask_BT)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per token and one per text."""

        def encode(missing: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
            features = self.encoder.encode_texts(missing)
            own_BE = torch.cat([features.pooled_BD, features.length_B.unsqueeze(-1)], dim=-1)
            return features.tokens_BLD, features.mask_BL, own_BE

        if not self._texts.remember(texts, encode):
            return self.encoder.encode_texts(texts)
        tokens_BLD, mask_BL, own_BE = self._texts.get(texts)
        return TextFeatures(tokens_BLD, mask_BL, own_BE[:, :-1], own_BE[:, -1])


@dataclass
class _Rows:
    """Padded sequences, by key, in tensors that grow by half when they are full."""

    budget_bytes: int
    places: dict[Hashable, int] = field(default_factory=dict)
    values_NSD: Tensor = field(default_factory=lambda: torch.empty(0, 0, 0))
    pooled_ND: Tensor = field(default_factory=lambda: torch.empty(0, 0))
    lengths_N: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def remember(self, keys: Sequence, encode: Callable[[Sequence], tuple[Tensor, Tensor, Tensor]]) -> bool:
        """Take in the rows that are not there yet; False if there is no room."""
        missing = [key for key in dict.fromkeys(keys) if key not in self.places]
        if not missing:
            return bool(keys)
        if self.values_NSD.nbytes > self.budget_bytes:
            return False
        self._add(missing, *encode(missing))
        return True

    def get(self, keys: Sequence) -> tuple[Tensor, Tensor, Tensor]:
        """(values_BSD, mask_BS, pooled_BD), padded to the longest of them."""
        rows_B = torch.tensor([self.places[key] for key in keys])
        lengths_B = self.lengths_N[rows_B]
        longest = int(lengths_B.max())
        mask_BS = torch.arange(longest) < lengths_B[:, None]
        return self.values_NSD[:, :longest][rows_B], mask_BS, self.pooled_ND[rows_B]

    def _add(self, keys: Sequence, values_BSD: Tensor, mask_BS: Tensor, pooled_BD: Tensor) -> None:
        start, stop = len(self.places), len(self.places) + len(keys)
        longest = max(values_BSD.shape[1], self.values_NSD.shape[1])
        if stop > len(self.values_NSD) or longest > self.values_NSD.shape[1]:
            self._grow(max(stop, start * 3 // 2), longest, values_BSD, pooled_BD)
        self.values_NSD[start:stop, : values_BSD.shape[1]] = values_BSD
        self.pooled_ND[start:stop] = pooled_BD
        self.lengths_N[start:stop] = mask_BS.sum(dim=1)
        self.places.update((key, start + number) for number, key in enumerate(keys))

    def _grow(self, count: int, longest: int, values_BSD: Tensor, pooled_BD: Tensor) -> None:
        kept = len(self.places)
        old_values_NSD, old_pooled_ND, old_lengths_N = self.values_NSD, self.pooled_ND, self.lengths_N
        self.values_NSD = values_BSD.new_zeros(count, longest, values_BSD.shape[2])
        self.pooled_ND = pooled_BD.new_zeros(count, pooled_BD.shape[1])
        self.lengths_N = torch.zeros(count, dtype=torch.int64)
        if kept:
            self.values_NSD[:kept, : old_values_NSD.shape[1]] = old_values_NSD[:kept]
            self.pooled_ND[:kept], self.lengths_N[:kept] = old_pooled_ND[:kept], old_lengths_N[:kept]
