"""FDCA's token clustering: a text's tokens in two groups by density peaks, each group a weighted mean.

Source: the clustering of TCFormer, Zeng et al., CVPR 2022 (https://arxiv.org/abs/2204.08680), as FDCA uses it: two
clusters, three neighbours. Differs: no random noise on densities; of equal ones the lower index comes first.
"""

# Shapes: B texts, L tokens, C clusters, N neighbours, D embedding.

from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLUSTERS = 2
NEIGHBOURS = 3


@dataclass(frozen=True)
class Clusters:
    """The two clusters of each text, and which one each token is in."""

    means_BCD: Tensor
    """Zero for a cluster without a token."""
    cluster_BL: Tensor
    """int64; without meaning where a token is not valid."""


class TokenConvolution(nn.Module):
    """x + a convolution over neighbouring tokens."""

    def __init__(self, dim: int):
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, kernel_size=3, padding=1, bias=False)

    def forward(self, tokens_BLD: Tensor) -> Tensor:
        """Return tokens_BLD."""
        return tokens_BLD + self.conv(tokens_BLD.transpose(1, 2)).transpose(1, 2)


class TokenClustering(nn.Module):
    """Tokens -> two weighted means; gradients flow through tokens and weights, not through the assignment."""

    def __init__(self, dim: int):
        super().__init__()
        self.conv = TokenConvolution(dim)
        self.norm = nn.LayerNorm(dim)
        self.score = nn.Linear(dim, 1)

    def convolved(self, tokens_BLD: Tensor) -> Tensor:
        """Return the tokens as they are clustered; one text has one such view however often it is split."""
        return self.norm(self.conv(tokens_BLD)).float()

    def forward(self, convolved_BLD: Tensor, valid_BL: Tensor) -> Clusters:
        """Return the clusters of the valid tokens."""
        weights_BL = self.score(convolved_BLD).squeeze(-1).float().exp().masked_fill(~valid_BL, 0.0)
        cluster_BL = _assign(convolved_BLD.detach(), valid_BL)
        member_BCL = cluster_BL[:, None, :] == torch.arange(CLUSTERS, device=cluster_BL.device)[:, None]
        weights_BCL = weights_BL[:, None, :] * member_BCL
        means_BCD = weights_BCL @ convolved_BLD / (weights_BCL.sum(dim=-1, keepdim=True) + 1e-6)
        return Clusters(means_BCD, cluster_BL)


@torch.no_grad()
def _assign(points_BLD: Tensor, valid_BL: Tensor) -> Tensor:
    """Return cluster_BL of density-peak clustering: centres are dense points far from any denser one."""
    distance_BLL = torch.cdist(points_BLD, points_BLD) / points_BLD.shape[-1] ** 0.5
    far = distance_BLL.max() + 1
    distance_BLL = torch.where(valid_BL[:, None, :], distance_BLL, far)
    nearest_BLN = distance_BLL.topk(min(NEIGHBOURS, distance_BLL.shape[-1]), dim=-1, largest=False).values
    density_BL = (-nearest_BLN.square().mean(dim=-1)).exp().masked_fill(~valid_BL, 0.0)
    centre_BC = _centres(distance_BLL, density_BL)
    to_centre_BCL = distance_BLL.gather(1, centre_BC[:, :, None].expand(-1, -1, distance_BLL.shape[-1]))
    cluster_BL = to_centre_BCL.argmin(dim=1)
    own_BC = torch.arange(CLUSTERS, device=centre_BC.device).expand_as(centre_BC)
    return cluster_BL.scatter(1, centre_BC, own_BC)


def _centres(distance_BLL: Tensor, density_BL: Tensor) -> Tensor:
    is_denser_BLL = density_BL[:, None, :] > density_BL[:, :, None]
    farthest_B11 = distance_BLL.amax(dim=(1, 2), keepdim=True)
    isolation_BL = torch.where(is_denser_BLL, distance_BLL, farthest_B11).amin(dim=-1)
    order_BL = (isolation_BL * density_BL).sort(dim=-1, descending=True, stable=True).indices
    return order_BL[:, :CLUSTERS]
