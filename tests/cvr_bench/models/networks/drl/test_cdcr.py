"""cdcr: against correlations of NumPy and the outer products of the released code, and gradients of the formula."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cvr_bench.models.networks.drl.losses import (
    drl_channel_correlation,
    drl_decorrelation_loss,
    drl_released_channel_correlation,
)

ROWS, DIM = 20, 5


@pytest.fixture
def matched():
    """(first_ND, second_ND, weights_N), of which the second agrees in part with the first."""
    generator = torch.Generator().manual_seed(0)
    first_ND = torch.randn(ROWS, DIM, dtype=torch.float64, generator=generator)
    second_ND = first_ND + torch.randn(ROWS, DIM, dtype=torch.float64, generator=generator)
    return first_ND, second_ND, torch.rand(ROWS, dtype=torch.float64, generator=generator)


def test_correlations_are_those_of_numpy(matched):
    first_ND, second_ND, _ = matched
    expected = np.corrcoef(first_ND.T.numpy(), second_ND.T.numpy())[:DIM, DIM:]
    assert_close(drl_channel_correlation(first_ND, second_ND), torch.from_numpy(expected), atol=1e-6, rtol=0)


def test_a_whole_weight_counts_as_so_many_rows(matched):
    first_ND, second_ND, _ = matched
    weights_N = torch.arange(ROWS) % 3
    repeated = [values_ND.repeat_interleave(weights_N, dim=0) for values_ND in (first_ND, second_ND)]
    assert_close(drl_channel_correlation(first_ND, second_ND, weights_N), drl_channel_correlation(*repeated))


def test_the_released_form_is_a_sum_of_outer_products(matched):
    first_ND, second_ND, weights_N = matched
    standard = [(values_ND - values_ND.mean(0)) / values_ND.std(0) for values_ND in (first_ND, second_ND)]
    products_NDD = torch.einsum("nk,nl->nkl", *standard) * weights_N[:, None, None]
    found = drl_released_channel_correlation(first_ND, second_ND, over=4, weights_N=weights_N)
    assert_close(found, products_NDD.sum(dim=0) / 4)


def test_equal_parts_leave_their_own_channels_nothing_to_lose(matched):
    correlation_DD = drl_channel_correlation(matched[0], matched[0])
    assert drl_decorrelation_loss(correlation_DD, diagonal=1.0, others=0.0) < 1e-10
    assert drl_decorrelation_loss(correlation_DD, diagonal=0.0, others=1.0) > 0.1


def test_a_constant_channel_and_a_single_row_stay_finite(matched):
    first_ND, second_ND, _ = matched
    first_ND[:, 1] = 3.0
    for rows in (ROWS, 1):
        first, second = first_ND[:rows].clone().requires_grad_(), second_ND[:rows]
        loss = drl_decorrelation_loss(drl_channel_correlation(first, second), diagonal=0.11, others=0.06)
        loss.backward()
        assert loss.isfinite() and first.grad is not None and first.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences(matched):
    first_ND, second_ND, weights_N = (values[:6].clone().requires_grad_() for values in matched)

    def loss(*values):
        return drl_decorrelation_loss(drl_channel_correlation(*values), diagonal=0.11, others=0.06)

    assert torch.autograd.gradcheck(loss, (first_ND, second_ND, weights_N))
