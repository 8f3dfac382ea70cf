"""Two small heads that bring raw frame features and raw text features into one space.

Each is a standardisation, a LayerNorm and a linear layer, used on every frame and on every token alike; a video or a
text is the mean over its own, unit length. `cvr fit-heads` learns them (`cvr_data.features.fit_heads`).
"""

# Shapes: B videos or texts, T frames, L tokens, N rows, D embedding.

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_data.core.artifacts import identity_of, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.core.torch_files import read_safetensors
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.protocol import TextFeatures, VideoFeatures, masked_feature_mean

STAGE = "fit-heads"
WEIGHTS = "heads.safetensors"
FITTED_ON = "videos.parquet"
"""Beside them: the ids of the videos that they were fitted to."""


class Heads(nn.Module):
    """The head of frames and the head of tokens."""

    def __init__(self, frame_dim: int, token_dim: int, dim: int):
        super().__init__()
        self.dim = dim
        self.frame_head = Head(frame_dim, dim)
        self.token_head = Head(token_dim, dim)

    @torch.no_grad()
    def frames(self, frames_ND: Tensor) -> Tensor:
        """Return frame embeddings in the shared space."""
        return self.frame_head(frames_ND)

    @torch.no_grad()
    def videos(self, raw: VideoFeatures) -> VideoFeatures:
        """Return the same frames in the shared space."""
        return VideoFeatures(self.frame_head(raw.frames_BTD) * raw.mask_BT.unsqueeze(-1), raw.mask_BT)

    @torch.no_grad()
    def texts(self, raw: TextFeatures) -> TextFeatures:
        """Return the same tokens in the shared space, and their mean as the text, unit length."""
        tokens_BLD = self.token_head(raw.tokens_BLD) * raw.mask_BL.unsqueeze(-1)
        length_B = masked_feature_mean(tokens_BLD, raw.mask_BL).norm(dim=-1)
        return TextFeatures(tokens_BLD, raw.mask_BL, masked_mean_embedding(tokens_BLD, raw.mask_BL), length_B)


class Head(nn.Module):
    """Raw rows -> rows of the shared space."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim_in: int, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim_in))
        self.register_buffer("deviation", torch.ones(dim_in))
        self.norm = nn.LayerNorm(dim_in)
        self.linear = nn.Linear(dim_in, dim)

    def forward(self, raw_ND: Tensor) -> Tensor:
        """Return embeddings of any length along D."""
        return self.linear(self.normalise(raw_ND))

    def normalise(self, raw_ND: Tensor) -> Tensor:
        """Return what the linear layer reads."""
        return self.norm((raw_ND - self.mean) / self.deviation)


def masked_mean_embedding(rows_BND: Tensor, mask_BN: Tensor) -> Tensor:
    """Return (B, D), the mean over rows that are not padding, unit length."""
    weights_BN1 = mask_BN.unsqueeze(-1).to(rows_BND.dtype)
    return F.normalize((rows_BND * weights_BN1).sum(dim=1), dim=-1)


def videos_of_heads(folder: Path) -> frozenset[str] | None:
    """Return the ids of the videos that heads were fitted to; None for heads of before this was kept."""
    path = folder / FITTED_ON
    return frozenset(read_parquet(path, ["video_id"]).column(0).to_pylist()) if path.is_file() else None


def load_heads(folder: Path, embeddings_key: str | None = None) -> Heads:
    """Return the heads of a folder written by `cvr fit-heads`, in evaluation mode.

    Raises:
        CvrError: no such artifact, or it was fitted on other embeddings than those of `embeddings_key`.
    """
    artifact = open_artifact(folder, STAGE)
    if embeddings_key not in (None, identity_of(artifact.manifest)["inputs"].get("embeddings")):
        raise CvrError(f"{folder} was fitted on other embeddings; run cvr fit-heads with --overwrite.")
    state = read_safetensors(artifact.path / WEIGHTS)
    with reading(artifact.path / WEIGHTS, "heads; fit them again with --overwrite"):
        dim, frame_dim = state["frame_head.linear.weight"].shape
        heads = Heads(frame_dim, state["token_head.linear.weight"].shape[1], dim)
        heads.load_state_dict(state)
    return heads.eval().requires_grad_(False)
