"""What DRL minimises: a contrastive loss in both directions, and CDCR between matching parts.

Channel decorrelation regularisation (CDCR): matching parts of a text and its video should agree channel by channel. The
correlation of all channels is one matrix product; the released code builds an outer product per row first, which takes
N D D numbers.

Source: Wang et al., "Disentangled Representation Learning for Text-Video Retrieval", 2022
(https://arxiv.org/abs/2203.07111); the loss of correlations is that of Barlow Twins, Zbontar et al., ICML 2021.
"""

# Shapes: B texts with their videos, L tokens, T frames, N matched parts, D embedding (its channels).

from dataclasses import dataclass

import torch
from torch import Tensor

from cvr_bench.models.networks.drl.network import DrlNetwork, drl_matches, drl_pooled
from cvr_bench.models.parts.late_interaction import Parts
from cvr_bench.models.parts.losses import info_nce, wide_loss_values


@dataclass(frozen=True, kw_only=True)
class Cdcr:
    """Which parts the regularisation compares, and how."""

    mode: int
    """0 none; 1 a random token with a random frame; 2 each part with its best match; 3 the same, weighted."""
    diagonal: float
    others: float
    released: bool
    """As released: sample deviations, unweighted means."""


@dataclass(frozen=True)
class BatchScores:
    """Scores of all pairs of a batch, without the temperature."""

    to_video_BB: Tensor
    to_text_BB: Tensor
    """Rows are texts too."""
    own: Tensor | None
    """Cosines of tokens and frames of each text with its own video, (B, L, T); None where there are no parts."""


def drl_batch_scores(
    network: DrlNetwork, text: Parts, video: Parts, *, zero_mask: bool, two_passes: bool
) -> BatchScores:
    """Return the scores of a batch; `two_passes` has xti score every pair twice, each time with its own dropout."""
    interaction = network.architecture.interaction
    if interaction == "xti":
        scores_BB = _cross_scores(network, text, video)
        return BatchScores(scores_BB, _cross_scores(network, text, video) if two_passes else scores_BB, None)
    found_BLBT = drl_matches(text, video, zero_mask=zero_mask)
    scores_BB = found_BLBT[:, 0, :, 0] if interaction == "dp" else drl_pooled(found_BLBT, text, video)
    own_BLT = torch.diagonal(found_BLBT, dim1=0, dim2=2).permute(2, 0, 1)
    return BatchScores(scores_BB, scores_BB, own_BLT)


def drl_contrastive_loss(scores: BatchScores, scale: Tensor, ignored_BB: Tensor | None) -> Tensor:
    """Return the mean of the cross-entropies of texts among videos and of videos among texts."""
    other_BB = None if ignored_BB is None else ignored_BB.T
    to_video = info_nce(scale * scores.to_video_BB, ignored_BB, symmetric=False)
    return (to_video + info_nce(scale * scores.to_text_BB.T, other_BB, symmetric=False)) / 2


def cdcr_loss(cdcr: Cdcr, text: Parts, video: Parts, own_BLT: Tensor) -> Tensor:
    """Return the regularisation of a batch."""
    count = len(text.vectors_BND)
    if text.mask_BN.shape[1] == video.mask_BN.shape[1] == 1:  # dp: one vector each
        correlation_DD = _correlation(cdcr, text.vectors_BND[:, 0], video.vectors_BND[:, 0], over=count)
    elif cdcr.mode == 1:
        correlation_DD = _correlation(cdcr, _one_part(text), _one_part(video), over=count)
    else:
        of_text = _best_correlation(cdcr, text, video, own_BLT)
        correlation_DD = (of_text + _best_correlation(cdcr, video, text, own_BLT.transpose(1, 2))) / 2
    return drl_decorrelation_loss(correlation_DD, diagonal=cdcr.diagonal, others=cdcr.others)


def _best_correlation(cdcr: Cdcr, parts: Parts, partners: Parts, own_BNM: Tensor) -> Tensor:
    """Channels of each part against those of its best match in its own pair."""
    best_BN = own_BNM.argmax(dim=2)
    rows_B1 = torch.arange(len(best_BN), device=best_BN.device).unsqueeze(1)
    matched_ND = partners.vectors_BND[rows_B1, best_BN][parts.mask_BN]
    parts_ND, weights_N = parts.vectors_BND[parts.mask_BN], parts.weights_BN[parts.mask_BN]
    if cdcr.mode == 2:
        return _correlation(cdcr, parts_ND, matched_ND, over=len(parts_ND))
    return _correlation(cdcr, parts_ND, matched_ND, over=len(best_BN), weights_N=weights_N)


def _correlation(
    cdcr: Cdcr, first_ND: Tensor, second_ND: Tensor, *, over: int, weights_N: Tensor | None = None
) -> Tensor:
    with torch.autocast(first_ND.device.type, enabled=False):
        if cdcr.released:
            return drl_released_channel_correlation(first_ND, second_ND, over=over, weights_N=weights_N)
        return drl_channel_correlation(first_ND, second_ND, weights_N)


def _one_part(parts: Parts) -> Tensor:
    """A random part of each item, (B, D)."""
    counts_B = parts.mask_BN.sum(dim=1)
    chosen_B = (torch.rand(len(counts_B), device=counts_B.device) * counts_B).long()
    return parts.vectors_BND[torch.arange(len(counts_B), device=counts_B.device), chosen_B]


def _cross_scores(network: DrlNetwork, text: Parts, video: Parts) -> Tensor:
    """Xti's score of every text with every video, (B, B); all pairs are one batch, as their gradients are needed."""
    texts, videos = len(text.vectors_BND), len(video.vectors_BND)
    scores = network.pair_scores(
        text.vectors_BND[:, 0].repeat_interleave(videos, dim=0),
        video.vectors_BND.repeat(texts, 1, 1),
        video.mask_BN.repeat(texts, 1),
    )
    return scores.view(texts, videos)


EPSILON = 1e-8
"""Added to a variance: a channel that is constant correlates with nothing."""


def drl_channel_correlation(first_ND: Tensor, second_ND: Tensor, weights_N: Tensor | None = None) -> Tensor:
    """Return correlation_DD, from -1 to 1, of the channels of matched rows; rows count as much as their weights say."""
    first_ND, second_ND = wide_loss_values(first_ND), wide_loss_values(second_ND)
    weights_N = first_ND.new_ones(len(first_ND)) if weights_N is None else wide_loss_values(weights_N)
    weights_N1 = (weights_N / weights_N.sum()).unsqueeze(-1)
    return (weights_N1 * _standard(first_ND, weights_N1)).T @ _standard(second_ND, weights_N1)


def drl_released_channel_correlation(
    first_ND: Tensor, second_ND: Tensor, *, over: float, weights_N: Tensor | None = None
) -> Tensor:
    """Return the same as the DRL code has it: no correlation in the strict sense, and NaN for a constant channel.

    Means and deviations are unweighted, the deviation is that of a sample (N - 1), and the sum is divided by `over`.
    """
    first_ND, second_ND = wide_loss_values(first_ND), wide_loss_values(second_ND)
    standard_ND = (first_ND - first_ND.mean(dim=0)) / first_ND.std(dim=0)
    if weights_N is not None:
        standard_ND = standard_ND * weights_N.unsqueeze(-1)
    return standard_ND.T @ ((second_ND - second_ND.mean(dim=0)) / second_ND.std(dim=0)) / over


def drl_decorrelation_loss(correlation_DD: Tensor, *, diagonal: float, others: float) -> Tensor:
    """Return the summed squares of (1 - a channel's own correlation) and of all others, each times its weight."""
    own_D = correlation_DD.diagonal()
    between = correlation_DD.square().sum() - own_D.square().sum()
    return diagonal * (1 - own_D).square().sum() + others * between


def _standard(values_ND: Tensor, weights_N1: Tensor) -> Tensor:
    """Mean 0 and variance 1 per channel under the weights, which add up to 1."""
    centred_ND = values_ND - (weights_N1 * values_ND).sum(dim=0)
    return centred_ND * torch.rsqrt((weights_N1 * centred_ND.square()).sum(dim=0) + EPSILON)
