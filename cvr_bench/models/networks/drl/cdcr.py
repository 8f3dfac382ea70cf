"""Channel decorrelation regularisation (CDCR): matching parts of a text and its video should agree channel by channel.

    correlation_DD = channel_correlation(tokens_ND, best_frames_ND, weights_N)
    loss = decorrelation(correlation_DD, diagonal=0.11, others=0.06)

The correlation of all channels is one matrix product; the released code builds an outer product per row first, which
takes N D D numbers.

Source: Wang et al., "Disentangled Representation Learning for Text-Video Retrieval", 2022
(https://arxiv.org/abs/2203.07111); the loss is that of Barlow Twins, Zbontar et al., ICML 2021.
"""

# Shapes: N matched parts, D channels.

import torch
from torch import Tensor

EPSILON = 1e-8
"""Added to a variance: a channel that is constant correlates with nothing."""


def channel_correlation(first_ND: Tensor, second_ND: Tensor, weights_N: Tensor | None = None) -> Tensor:
    """Return correlation_DD, from -1 to 1, of the channels of matched rows; rows count as much as their weights say."""
    first_ND, second_ND = _wide(first_ND), _wide(second_ND)
    weights_N = first_ND.new_ones(len(first_ND)) if weights_N is None else _wide(weights_N)
    weights_N1 = (weights_N / weights_N.sum()).unsqueeze(-1)
    return (weights_N1 * _standard(first_ND, weights_N1)).T @ _standard(second_ND, weights_N1)


def released_correlation(
    first_ND: Tensor, second_ND: Tensor, *, over: float, weights_N: Tensor | None = None
) -> Tensor:
    """Return the same as the DRL code has it: no correlation in the strict sense, and NaN for a constant channel.

    Means and deviations are unweighted, the deviation is that of a sample (N - 1), and the sum is divided by `over`.
    """
    first_ND, second_ND = _wide(first_ND), _wide(second_ND)
    standard_ND = (first_ND - first_ND.mean(dim=0)) / first_ND.std(dim=0)
    if weights_N is not None:
        standard_ND = standard_ND * weights_N.unsqueeze(-1)
    return standard_ND.T @ ((second_ND - second_ND.mean(dim=0)) / second_ND.std(dim=0)) / over


def decorrelation(correlation_DD: Tensor, *, diagonal: float, others: float) -> Tensor:
    """Return the summed squares of (1 - a channel's own correlation) and of all others, each times its weight."""
    own_D = correlation_DD.diagonal()
    between = correlation_DD.square().sum() - own_D.square().sum()
    return diagonal * (1 - own_D).square().sum() + others * between


def _standard(values_ND: Tensor, weights_N1: Tensor) -> Tensor:
    """Mean 0 and variance 1 per channel under the weights, which add up to 1."""
    centred_ND = values_ND - (weights_N1 * values_ND).sum(dim=0)
    return centred_ND * torch.rsqrt((weights_N1 * centred_ND.square()).sum(dim=0) + EPSILON)


def _wide(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
