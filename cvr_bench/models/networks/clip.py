"""A CLIP whose frames and texts become vectors with gradients, and a tiny one with random weights for tests."""

# Shapes: B videos or texts, T frames (padded), H height, W width, C channels, L tokens, D embedding.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.parts.clip_loading import Clips
from cvr_data.features.encoders.networks.images import Preprocessing

Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
TINY_LENGTH = 48
TINY_SIDE = 16
START, END = 256, 257


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
        ends_B = mask_BL.sum(dim=1) - 1
        ended_BW = states_BLW[torch.arange(len(ends_B), device=device), ends_B]
        return F.normalize(self.clip.text_projection(ended_BW).float(), dim=-1)

    def compose(self, video_BD: Tensor, text_BD: Tensor) -> Tensor:
        """Return the query of video and text: their weighted sum, with a learned weight, unit length."""
        return F.normalize(torch.lerp(video_BD, text_BD, self.text_share.sigmoid()), dim=-1)


def clip_parts(model: str) -> ClipParts:
    """Return a CLIP of the transformers library, by hub id or folder.

    Raises:
        CvrError: the checkpoint is missing, cannot be reached, or holds another model's weights.
    """
    from cvr_data.features.encoders.clip import ClipTowers

    towers = ClipTowers(model)
    return ClipParts(towers.network, towers.tokenize, towers.preprocessing)


def tiny_parts() -> ClipParts:
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
    return ClipParts(network.eval(), bytes_of, Preprocessing(size=TINY_SIDE, fit="square"))


def bytes_of(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return (ids_BL, mask_BL) of the bytes of texts, cut to the tiny network's length."""
    rows = [[START, *text.encode("utf-8", "replace")[: TINY_LENGTH - 2], END] for text in texts]
    longest = max(len(row) for row in rows)
    mask_BL = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    return torch.tensor([row + [END] * (longest - len(row)) for row in rows]), mask_BL
