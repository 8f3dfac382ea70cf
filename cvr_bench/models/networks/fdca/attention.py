"""Attention between two sequences, and a pre-norm layer around it."""

# Shapes: B rows, N queries, M keys (padded), H heads, W width.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention; keys have no bias, because a softmax cannot see one.

    Args:
        width: of queries, keys and output; a multiple of `heads`.
        heads: how many parts attend on their own.
        dropout: share of attention weights dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, query_BNW: Tensor, keys_BMW: Tensor, mask_BM: Tensor) -> Tensor:
        """Return attended_BNW; keys where the mask is False do not count."""
        parts = [self.query(query_BNW), self.key(keys_BMW), self.value(keys_BMW)]
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask_BM[:, None, None, :], dropout_p=self.dropout if self.training else 0.0
        )
        return self.out(attended.transpose(1, 2).flatten(-2))


class CrossLayer(nn.Module):
    """A pre-norm Transformer layer in which a sequence attends to itself and to a second one."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.norm_own, self.norm_other, self.norm_hidden = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads, dropout)
        self.hidden = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, own_BNW: Tensor, own_mask_BN: Tensor, other_BMW: Tensor, other_mask_BM: Tensor) -> Tensor:
        """Return own_BNW, having attended to both."""
        query_BNW = self.norm_own(own_BNW)
        keys = torch.cat([query_BNW, self.norm_other(other_BMW)], dim=1)
        mask = torch.cat([own_mask_BN, other_mask_BM], dim=1)
        own_BNW = own_BNW + self.drop(self.attention(query_BNW, keys, mask))
        return own_BNW + self.drop(self.hidden(self.norm_hidden(own_BNW)))
