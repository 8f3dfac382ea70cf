"""tirg: the published formula, and both ways to train it."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import tirg
from cvr_bench.models.tirg import Tirg
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import masked_feature_mean
from tests.tiny_blip import batch, losses_of

DIM = 8
TEXTS = ("red", "blue", "green", "small")
TARGETS = ("t0", "t1", "t2", "t0")


def encoder():
    module = ENCODERS.get("hash")
    return module.load(module.Config(dim=DIM, frames=2))


def test_matches_the_formula_row_by_row():
    torch.manual_seed(0)
    module = Tirg(DIM, scale=4.0).eval()
    for norm in (module.gate[0], module.residual[0]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    video_BD, text_BD = torch.randn(2, 3, DIM)

    def normed(norm, values):
        return (values - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias

    for video_D, text_D, found_D in zip(video_BD, text_BD, module(video_BD, text_BD), strict=True):
        both = torch.cat([video_D, text_D])
        gate = 1 / (1 + (-module.gate[2](normed(module.gate[0], both).relu())).exp())
        residual = module.residual[4](module.residual[2](normed(module.residual[0], both).relu()).relu())
        assert_close(found_D, F.normalize(1.0 * gate * video_D + 10.0 * residual, dim=0))


def test_faithful_scales_by_four_and_masks_nothing():
    features = encoder()
    retriever = tirg.load(tirg.Config(mode="faithful"), features)
    retriever.module.eval()
    triplets = batch(features, *TEXTS, targets=TARGETS)
    mean_BD = masked_feature_mean(triplets.reference.frames_BTD, triplets.reference.mask_BT)
    query = retriever.module(mean_BD, triplets.modification.own_BD())
    logits = 4 * query @ triplets.target.pooled_BD().T
    assert_close(retriever.training_step(triplets)["loss"], F.cross_entropy(logits, torch.arange(4)))


def test_fixed_goes_both_ways_and_leaves_out_equal_targets():
    features = encoder()
    retriever = tirg.load(tirg.Config(temperature=0.5), features)
    retriever.module.eval()
    triplets = batch(features, *TEXTS, targets=TARGETS)
    query = retriever.module(triplets.reference.pooled_BD(), triplets.modification.pooled_BD)
    logits = 2 * query @ triplets.target.pooled_BD().T
    logits[0, 3] = logits[3, 0] = -torch.inf
    there, back = (F.cross_entropy(each, torch.arange(4)) for each in (logits, logits.T))
    assert_close(retriever.training_step(triplets)["loss"], (there + back) / 2)


def test_learns_and_its_gradients_reach_every_weight():
    features = encoder()
    retriever = tirg.load(tirg.Config(), features)
    losses = losses_of(retriever, batch(features, *TEXTS, targets=TARGETS), steps=30)
    assert losses[-1] < losses[0] / 2
    assert all(weight.grad is not None for weight in retriever.module.parameters())


def test_needs_one_space():
    features = encoder()
    features.text_dim = DIM + 1
    with pytest.raises(CvrError, match="tirg needs videos and texts in one space"):
        tirg.load(tirg.Config(), features)
