"""Losses over a batch of triplets, from its logits: row i is query i, column j the target of query j.

Logits are similarities already divided by the temperature. A cell off the diagonal is a negative unless `ignored_BB`
says otherwise: two triplets with the same target, or targets that are near-duplicates, are no negatives of each other.
Everything is computed in float32 (or wider) and in log space, so it is finite for any temperature one would use.
"""

# Shapes: B triplets of a batch (rows queries, columns targets), D embedding.

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

NEGLIGIBLE = -1e30
"""A logit that takes no part in a sum of exponentials; finite, so that a row of nothing else has no NaN gradient."""


def loss_similarities(first_BD: Tensor, second_BD: Tensor) -> Tensor:
    """Return dot products_BB in float32 or wider, in mixed precision too: a logit of 100 needs the digits."""
    with torch.autocast(first_BD.device.type, enabled=False):
        return wide_loss_values(first_BD) @ wide_loss_values(second_BD).T


def model_loss_false_negatives(*ids: Sequence[str]) -> Tensor:
    """Return ignored_BB, bool: True off the diagonal where rows i and j agree in at least one of the given id lists."""
    size = len(ids[0])
    same_BB = torch.zeros(size, size, dtype=torch.bool)
    for values in ids:
        number_of: dict[str, int] = {}
        numbers_B = torch.tensor([number_of.setdefault(value, len(number_of)) for value in values])
        same_BB |= numbers_B[:, None] == numbers_B[None, :]
    return same_BB.fill_diagonal_(False)


def info_nce(logits_BB: Tensor, ignored_BB: Tensor | None = None, *, symmetric: bool = True) -> Tensor:
    """Return the cross-entropy of each query against its own target; `symmetric` averages both directions."""
    hidden_BB = (
        wide_loss_values(logits_BB)
        if ignored_BB is None
        else wide_loss_values(logits_BB).masked_fill(ignored_BB, NEGLIGIBLE)
    )
    rows_B = torch.arange(len(hidden_BB), device=hidden_BB.device)
    to_target = F.cross_entropy(hidden_BB, rows_B)
    return (to_target + F.cross_entropy(hidden_BB.T, rows_B)) / 2 if symmetric else to_target


def hn_nce(
    logits_BB: Tensor, ignored_BB: Tensor | None = None, *, alpha: float = 1.0, beta: float = 0.5,
    reference_axis: bool = False,
) -> Tensor:  # fmt: skip
    """Return a cross-entropy whose negatives weigh more the closer they are, summed over both directions.

    The weights of a row's negatives are a softmax of beta times their logits, times their number; beta 0 with alpha 1
    is twice `info_nce`.

    Source: Radenovic et al. 2023 (https://arxiv.org/abs/2301.02280), as CoVR uses it, Ventura et al., AAAI 2024
    (https://arxiv.org/abs/2308.14746). Differs from the CoVR code, which divides cell (i, j) of the query-to-target
    weights by the sum of row j instead of row i.

    Args:
        logits_BB: at least 2 x 2.
        ignored_BB: cells that are no negatives.
        alpha: weight of the positive in the denominator, 0 to 1.
        beta: sharpness of the weights; it multiplies logits, that is after the temperature.
        reference_axis: divide as the CoVR code does, to continue training its published checkpoints.
    """
    wide_BB = wide_loss_values(logits_BB)
    if min(wide_BB.shape) < 2:
        raise ValueError(f"HN-NCE needs at least 2 triplets, got logits of shape {tuple(wide_BB.shape)}.")
    to_query_ignored_BB = None if ignored_BB is None else ignored_BB.T
    to_target = _hn_nce_one_way(wide_BB, ignored_BB, alpha, beta, reference_axis=reference_axis)
    return to_target + _hn_nce_one_way(wide_BB.T, to_query_ignored_BB, alpha, beta, reference_axis=False)


def _hn_nce_one_way(
    logits_BB: Tensor, ignored_BB: Tensor | None, alpha: float, beta: float, *, reference_axis: bool
) -> Tensor:
    no_negative_BB = torch.eye(len(logits_BB), dtype=torch.bool, device=logits_BB.device)
    if ignored_BB is not None:
        no_negative_BB = no_negative_BB | ignored_BB
    count_B = (~no_negative_BB).sum(dim=1)
    sharpened_BB = (beta * logits_BB).masked_fill(no_negative_BB, NEGLIGIBLE)
    normaliser_B = sharpened_BB.logsumexp(dim=1)
    divisor_BB = normaliser_B[None, :] if reference_axis else normaliser_B[:, None]
    log_weights_BB = count_B.clamp(min=1).log()[:, None] + sharpened_BB - divisor_BB
    negatives_BB = (logits_BB + log_weights_BB).masked_fill(no_negative_BB, NEGLIGIBLE)
    positive_B = logits_BB.diagonal()
    log_alpha = math.log(alpha) if alpha > 0 else NEGLIGIBLE
    both_BC = torch.cat([(positive_B + log_alpha)[:, None], negatives_BB], dim=1)
    return (both_BC.logsumexp(dim=1) - positive_B).mean()


def triplet_margin(
    anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, *, margin: float = 0.2, counted_B: Tensor | None = None
) -> Tensor:
    """Return the mean of max(0, |anchor - positive| - |anchor - negative| + margin), Euclidean, over the counted rows.

    Zero if `counted_B` (bool) counts none.
    """
    loss_B = F.triplet_margin_loss(
        wide_loss_values(anchor_BD),
        wide_loss_values(positive_BD),
        wide_loss_values(negative_BD),
        margin=margin,
        reduction="none",
    )
    if counted_B is None:
        return loss_B.mean()
    return (loss_B * counted_B).sum() / counted_B.sum().clamp(min=1)


def wide_loss_values(values: Tensor) -> Tensor:
    """Return the values in float32 at least."""
    return values if values.dtype == torch.float64 else values.float()
