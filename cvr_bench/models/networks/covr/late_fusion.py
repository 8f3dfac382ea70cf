"""CoVR's late fusion: a gated sum of frozen text and image embeddings, and a learned part.

The released code tests a model of this form without holding its module, so widths are ours.

Source: src/test/blip2/webvid_covr_exp.py of https://github.com/lucas-ventura/CoVR.
"""

# Shapes: B queries, D embedding.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LateFusion(nn.Module):
    """(text, image) -> query embedding."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.combiner_layer = nn.Linear(2 * dim, hidden)
        self.output_layer = nn.Linear(hidden, dim)
        self.dynamic_scalar = nn.Sequential(nn.Linear(2 * dim, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Sigmoid())

    def forward(self, text_BD: Tensor, image_BD: Tensor) -> Tensor:
        """Return query_BD, unit length."""
        both_BC = torch.cat([text_BD, image_BD], dim=-1)
        share_B1 = self.dynamic_scalar(both_BC)
        learned_BD = self.output_layer(F.relu(self.combiner_layer(both_BC)))
        return F.normalize((learned_BD + share_B1 * text_BD + (1 - share_B1) * image_BD).float(), dim=-1)
