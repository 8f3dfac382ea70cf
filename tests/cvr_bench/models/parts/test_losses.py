"""Losses: hand-checked numbers of CoVR's specification, masking, and what must not matter."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from cvr_bench.models.parts.losses import (
    NEGLIGIBLE,
    _hn_nce_one_way,
    hn_nce,
    info_nce,
    model_loss_false_negatives,
    triplet_margin,
)


def formula_logits(size, dim, temperature=0.07):
    """Logits of t = N(sin(1 + 7i + 3j)), q = N(t + 0.5 cos(5i + 2j)): rows i, columns j."""
    i, j = torch.arange(size)[:, None], torch.arange(dim)[None, :]
    target = F.normalize(torch.sin(1.0 + 7 * i + 3 * j), dim=-1)
    query = F.normalize(target + 0.5 * torch.cos(5.0 * i + 2 * j), dim=-1)
    return query @ target.T / temperature


def random_logits(size=6, seed=0, dtype=torch.float64):
    return torch.randn(size, size, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 5


# sizes, alpha, beta -> the reference's value, the corrected one; measured on the reference implementation
@pytest.mark.parametrize(
    ("size", "dim", "alpha", "beta", "reference", "corrected"),
    [
        (4, 6, 1.0, 0.0, 2.484638, 2.484638),
        (4, 6, 1.0, 0.5, 3.183754, 2.978064),
        (4, 6, 0.9, 0.5, 3.109873, 2.911907),
        (8, 16, 1.0, 0.0, 1.007872, 1.007872),
        (8, 16, 1.0, 0.5, 2.373453, 2.477818),
        (8, 16, 1.0, 1.0, 2.636770, 2.749681),
    ],
)
def test_hn_nce_has_the_reference_value_on_its_axis_and_the_corrected_one_on_ours(
    size, dim, alpha, beta, reference, corrected
):
    logits = formula_logits(size, dim)
    assert hn_nce(logits, alpha=alpha, beta=beta, reference_axis=True).item() == pytest.approx(reference, abs=5e-6)
    assert hn_nce(logits, alpha=alpha, beta=beta).item() == pytest.approx(corrected, abs=5e-6)


@pytest.mark.parametrize(("size", "dim", "expected"), [(4, 6, (1.429850, 1.548213)), (8, 16, (1.214801, 1.263018))])
def test_both_directions_have_their_corrected_values(size, dim, expected):
    logits = formula_logits(size, dim)
    found = [_hn_nce_one_way(side, None, 1.0, 0.5, reference_axis=False).item() for side in (logits, logits.T)]
    assert found == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(("size", "dim", "expected"), [(4, 6, 1.242319), (8, 16, 0.503936)])
def test_info_nce_has_the_reference_value(size, dim, expected):
    assert info_nce(formula_logits(size, dim)).item() == pytest.approx(expected, abs=5e-6)


def test_without_sharpness_hn_nce_is_twice_info_nce():
    ignored = model_loss_false_negatives(["a", "b", "a", "c", "d", "d"])
    assert_close(hn_nce(random_logits(), ignored, beta=0.0), 2 * info_nce(random_logits(), ignored))


def test_a_single_negative_weighs_one_however_sharp():
    logits = random_logits(2)
    assert_close(hn_nce(logits, beta=3.0), 2 * info_nce(logits))
    ignored = model_loss_false_negatives(["a", "a", "b"])
    both = hn_nce(random_logits(3), ignored, beta=3.0)
    assert both > 0
    rows = random_logits(3).masked_fill(ignored, -torch.inf)
    alone = [(rows[0], 0), (rows[1], 1), (rows.T[0], 0), (rows.T[1], 1)]  # rows with one negative, and row 2 apart
    single = sum(row.logsumexp(0) - row[own] for row, own in alone) / 3
    third = sum(_hn_nce_row(side[2], 2, beta=3.0) for side in (rows, rows.T)) / 3
    assert_close(both, single + third)


def _hn_nce_row(row, own, beta):
    """One row of the formula, as it is written in the specification."""
    others = torch.tensor([column for column in range(len(row)) if column != own])
    weights = len(others) * (beta * row[others]).softmax(dim=0)
    return ((weights * row[others].exp()).sum() + row[own].exp()).log() - row[own]


@pytest.mark.parametrize("loss", [info_nce, hn_nce])
def test_the_order_of_a_batch_and_of_its_sides_does_not_matter(loss):
    logits, order = random_logits(), torch.tensor([3, 1, 0, 5, 4, 2])
    ignored = model_loss_false_negatives(["a", "b", "a", "c", "d", "d"])
    expected = loss(logits, ignored)
    assert_close(loss(logits[order][:, order], ignored[order][:, order]), expected)
    assert_close(loss(logits.T, ignored), expected)


@pytest.mark.parametrize("loss", [info_nce, hn_nce])
def test_a_false_negative_has_no_part_in_the_loss_of_its_row(loss):
    logits, ignored = random_logits(), model_loss_false_negatives(["a", "b", "a", "c", "d", "e"])
    higher = logits.clone()
    higher[0, 2] += 9
    higher[2, 0] -= 9
    assert_close(loss(higher, ignored), loss(logits, ignored))
    assert loss(higher) != loss(logits)


@pytest.mark.parametrize("loss", [info_nce, hn_nce])
def test_a_batch_of_false_negatives_only_teaches_nothing(loss):
    logits = random_logits(4).requires_grad_()
    value = loss(logits, model_loss_false_negatives(["a"] * 4))
    value.backward()
    assert value.item() == pytest.approx(0.0)
    assert_close(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("loss", [info_nce, hn_nce, lambda logits: hn_nce(logits, alpha=0.3, beta=1.0)])
def test_gradients_are_those_of_finite_differences(loss):
    logits = random_logits(5).requires_grad_()
    assert torch.autograd.gradcheck(loss, (logits,))


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(2, 9),
    temperature=st.floats(0.005, 1.0),
    beta=st.floats(0.0, 5.0),
    alpha=st.floats(0.0, 1.0),
    seed=st.integers(0, 99),
)
def test_hn_nce_is_finite_at_any_temperature(size, temperature, beta, alpha, seed):
    generator = torch.Generator().manual_seed(seed)
    unit = F.normalize(torch.randn(2, size, 8, generator=generator), dim=-1)
    logits = (unit[0] @ unit[1].T / temperature).requires_grad_()
    value = hn_nce(logits, alpha=alpha, beta=beta)
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


LOSSES = {
    "info_nce": info_nce,
    "info_nce one way": lambda logits, ignored=None: info_nce(logits, ignored, symmetric=False),
    "hn_nce": lambda logits, ignored=None: hn_nce(logits, ignored, beta=1.0),
    "hn_nce, reference axis": lambda logits, ignored=None: hn_nce(logits, ignored, beta=0.5, reference_axis=True),
}
GROUPS = st.lists(st.integers(0, 3), min_size=2, max_size=8)


def drawn_logits(size, seed, temperature):
    """Cosines over a temperature."""
    unit = F.normalize(torch.randn(2, size, 8, generator=torch.Generator().manual_seed(seed)), dim=-1)
    return unit[0] @ unit[1].T / temperature


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@given(groups=GROUPS, temperature=st.floats(0.005, 1.0), seed=st.integers(0, 99))
def test_losses_are_finite_at_any_temperature_and_masking(loss, groups, temperature, seed):
    logits = drawn_logits(len(groups), seed, temperature).requires_grad_()
    value = loss(logits, model_loss_false_negatives(groups))
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


@given(groups=GROUPS, seed=st.integers(0, 99), temperature=st.floats(0.02, 1.0))
def test_any_batch_without_sharpness_is_twice_info_nce(groups, seed, temperature):
    logits, ignored = drawn_logits(len(groups), seed, temperature).double(), model_loss_false_negatives(groups)
    assert_close(hn_nce(logits, ignored, beta=0.0), 2 * info_nce(logits, ignored))
    assert_close(hn_nce(logits, beta=0.0, reference_axis=True), 2 * info_nce(logits))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@given(groups=GROUPS, seed=st.integers(0, 99), temperature=st.floats(0.02, 1.0), data=st.data())
def test_no_batch_depends_on_its_order(loss, groups, seed, temperature, data):
    order = torch.tensor(data.draw(st.permutations(range(len(groups)))))
    logits, ignored = drawn_logits(len(groups), seed, temperature).double(), model_loss_false_negatives(groups)
    assert_close(loss(logits[order][:, order], ignored[order][:, order]), loss(logits, ignored))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_with_masks_are_those_of_finite_differences(loss):
    ignored = model_loss_false_negatives(["a", "b", "a", "c", "d"])
    assert torch.autograd.gradcheck(lambda logits: loss(logits, ignored), (random_logits(5).requires_grad_(),))


def test_gradients_of_the_triplet_margin_are_those_of_finite_differences():
    points = torch.randn(3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    counted = torch.tensor([True, False, True, True, False])

    def loss(anchor, positive, negative):
        return triplet_margin(anchor, positive, negative, margin=0.7, counted_B=counted)

    assert torch.autograd.gradcheck(loss, tuple(side.clone().requires_grad_() for side in points))


def test_the_triplet_margin_of_equal_points_has_finite_gradients():
    anchor, positive, negative = (torch.ones(2, 3, requires_grad=True) for _ in range(3))
    triplet_margin(anchor, positive, negative).backward()
    assert all(torch.isfinite(side.grad).all() for side in (anchor, positive, negative))


def test_half_precision_logits_are_widened():
    logits = random_logits(dtype=torch.float32).bfloat16()
    assert info_nce(logits).dtype == torch.float32
    assert_close(hn_nce(logits), hn_nce(logits.float()))


def test_hn_nce_of_one_triplet_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 triplets, got logits of shape \(1, 1\)"):
        hn_nce(torch.zeros(1, 1))


def test_false_negatives_agree_in_one_list_and_are_off_the_diagonal():
    ignored = model_loss_false_negatives(["a", "b", "a"], ["x", "y", "z"])
    assert ignored.tolist() == [[False, False, True], [False, False, False], [True, False, False]]
    assert model_loss_false_negatives(["a", "b", "a"], ["x", "x", "z"])[0].tolist() == [False, True, True]


def test_the_triplet_margin_counts_rows():
    anchor = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    positive, negative = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [9.0, 0.0]])
    assert triplet_margin(anchor, positive, negative, margin=0.2).item() == pytest.approx((5 - 1 + 0.2) / 2, abs=1e-4)
    counted = torch.tensor([True, False])
    assert triplet_margin(anchor, positive, negative, counted_B=counted).item() == pytest.approx(4.2, abs=1e-4)
    assert triplet_margin(anchor, positive, negative, counted_B=torch.zeros(2, dtype=torch.bool)).item() == 0.0


def test_a_negligible_logit_vanishes():
    assert torch.tensor([0.0, NEGLIGIBLE]).logsumexp(dim=0).item() == 0.0
