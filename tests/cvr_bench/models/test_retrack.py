"""retrack: what `fixed` corrects, what `faithful` refuses, and several frames; golden numbers hold the rest."""

import dataclasses

import pytest
import torch
from torch.testing import assert_close

from cvr_bench.models import retrack
from cvr_bench.models.networks.covr.late import learned_pool, model_late_interaction_matches
from cvr_bench.models.parts.losses import model_loss_false_negatives
from cvr_data.core.errors import CvrError
from tests.tiny_blip import batch, disturbed, queries

SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "queries": 3}
LAST_LAYER_OF_TEXTS = {
    *(
        f"{part}.{end}"
        for part in ("intermediate.dense", "output.dense", "output.LayerNorm")
        for end in ("weight", "bias")
    ),
    "attention.attention.key.bias",
    "crossattention.attention.key.bias",
}
TEXTS = ("make it red", "a dog instead of a cat", "snow", "it", "of")


def model(features, **options):
    return disturbed(retrack, features, **{**SMALL, **options})


def in_order(whole, order):
    """The same triplets in another order."""
    targets = [whole.target_ids[row] for row in order]
    rows = {name: [getattr(whole, name)[row] for row in order] for name in ("references", "modifications", "targets")}
    return dataclasses.replace(whole, target_ids=targets, target_group_ids=targets, right_group_ids=[], **rows)


def test_only_as_released_the_order_of_a_batch_changes_its_losses(features):
    whole = batch(features, *TEXTS)
    turned = in_order(whole, [3, 0, 4, 1, 2])
    fixed, released = model(features), model(features, mode="faithful", batch=5)
    found, expected = fixed.training_step(turned), fixed.training_step(whole)
    assert_close(found, expected)
    apart = released.training_step(turned)["direction"] - released.training_step(whole)["direction"]
    assert apart.abs() > 1e-4


def test_fixed_directions_start_at_the_query_and_released_ones_at_the_candidate(features):
    generator = torch.Generator().manual_seed(0)
    moved, target, query = (torch.randn(4, 3, 6, generator=generator) for _ in range(3))
    matrix = torch.randn(3, 3, generator=generator)
    for start in ("query", "candidate"):
        expected = torch.empty(4, 4)
        for row in range(4):
            for column in range(4):
                ends = target[column] - query[row if start == "query" else column]
                best = torch.stack([max(token @ end for end in ends) for token in moved[row]])
                weights = ((best / 0.01).softmax(0) @ matrix / 0.01).softmax(0)
                expected[row, column] = (weights * best).sum()
        if start == "query":
            best_BBK = model_late_interaction_matches(moved, target, moved @ query.transpose(1, 2))
        else:
            best_BBK = model_late_interaction_matches(moved, target - query)
        assert_close(learned_pool(best_BBK, matrix), expected, atol=1e-4, rtol=1e-4)


def test_scores_do_not_depend_on_blocks(features, monkeypatch):
    found = model(features)
    found.index([query.reference for query in queries(*TEXTS)])
    expected = found.score(queries(*TEXTS))
    monkeypatch.setattr("cvr_bench.models.networks.covr.late.BLOCK", 20)
    assert_close(found.score(queries(*TEXTS)), expected)


def test_equal_targets_are_no_negatives_and_a_batch_of_nothing_else_has_no_evidence(features):
    ids = ["t", "t", "t", "t", "t"]
    losses = model(features).training_step(batch(features, *TEXTS, targets=ids))
    assert model_loss_false_negatives(ids).sum() == 20
    assert all(float(value.detach()) == 0 for value in losses.values())


def test_another_batch_than_the_weights_are_made_for_is_one_line(features):
    with pytest.raises(CvrError, match="batches of exactly 64 triplets, this one has 5: -t batch_size and -o batch"):
        model(features, mode="faithful").training_step(batch(features, *TEXTS))


def test_every_parameter_learns_in_both_modes(features):
    for options in ({}, {"mode": "faithful", "batch": 5}):
        found = model(features, **options)
        found.training_step(batch(features, *TEXTS))["loss"].backward()
        dead = {name for name, each in found.module.named_parameters() if each.grad is None or not each.grad.any()}
        # softmaxes as sharp as these hardly move their matrix; the last layer's texts are read without gradients
        assert {name for name in dead if not name.endswith("_mat_weight")} <= {
            f"qformer.encoder.layer.0.{part}" for part in LAST_LAYER_OF_TEXTS
        }


def test_more_frames_are_as_many_copies_of_the_query_tokens(features):
    found = model(features, frames=2)
    tokens_QKD = found.encode_queries(queries(*TEXTS))
    assert tokens_QKD.shape == (5, 6, 20)
    assert_close(tokens_QKD[:, :3], tokens_QKD[:, 3:])
