"""combiner: the published formula, its weights, and both ways to train it."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import combiner
from cvr_bench.models.combiner import Combiner
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import masked_feature_mean
from tests.tiny_blip import batch

DIM = 8
TEXTS = ("red", "blue", "red", "green")
TARGETS = ("t0", "t1", "t2", "t0")
SHAPES = {  # of the published Combiner, in units of the embedding, the projection (4) and the hidden width (8)
    "text_projection_layer.weight": (32, 8),
    "image_projection_layer.weight": (32, 8),
    "combiner_layer.weight": (64, 64),
    "output_layer.weight": (8, 64),
    "dynamic_scalar.0.weight": (64, 64),
    "dynamic_scalar.3.weight": (1, 64),
}


def encoder(**changes):
    module = ENCODERS.get("hash")
    return module.load(module.Config(**{"dim": DIM, "frames": 2, **changes}))


def test_the_parameters_are_named_and_shaped_as_published():
    module = combiner.load(combiner.Config(mode="faithful"), encoder()).module
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items() if name.endswith("weight")}
    assert shapes == SHAPES
    assert len(module.state_dict()) == 2 * len(SHAPES)


def test_matches_the_formula_row_by_row():
    torch.manual_seed(0)
    module = Combiner(DIM, projection=4, hidden=5, dropout=0.5, temperature=None).eval()
    video_BD, text_BD = torch.randn(2, 3, DIM)
    for video_D, text_D, found_D in zip(video_BD, text_BD, module(video_BD, text_BD), strict=True):
        both = torch.cat([module.text_projection_layer(text_D).relu(), module.image_projection_layer(video_D).relu()])
        share = module.dynamic_scalar(both)
        learned = module.output_layer(module.combiner_layer(both).relu())
        assert_close(found_D, F.normalize(learned + share * text_D + (1 - share) * video_D, dim=0))


def test_faithful_scales_by_100_and_masks_nothing():
    features = encoder()
    retriever = combiner.load(combiner.Config(mode="faithful"), features)
    retriever.module.eval()
    triplets = batch(features, *TEXTS, targets=TARGETS)
    mean_BD = masked_feature_mean(triplets.reference.frames_BTD, triplets.reference.mask_BT)
    query = retriever.module(mean_BD, triplets.modification.own_BD())
    logits = 100 * query @ triplets.target.pooled_BD().T
    assert_close(retriever.training_step(triplets)["loss"], F.cross_entropy(logits, torch.arange(4)))


def test_fixed_leaves_out_equal_targets_and_learns_its_temperature():
    features = encoder()
    retriever = combiner.load(combiner.Config(), features)
    retriever.module.eval()
    triplets = batch(features, *TEXTS, targets=TARGETS)
    query = retriever.module(triplets.reference.pooled_BD(), triplets.modification.pooled_BD)
    logits = query @ triplets.target.pooled_BD().T / 0.07
    logits[0, 3] = logits[3, 0] = -torch.inf  # both have target t0
    rows = torch.arange(4)
    expected = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2
    loss = retriever.training_step(triplets)["loss"]
    assert_close(loss, expected)
    loss.backward()
    assert all(parameter.grad is not None for parameter in retriever.module.parameters())


def test_a_seed_gives_the_same_weights_and_leaves_the_shared_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (combiner.load(combiner.Config(seed=seed), encoder()).module for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.output_layer.weight, again.output_layer.weight)
    assert not torch.equal(first.output_layer.weight, other.output_layer.weight)


def test_a_checkpoint_of_the_published_layout_loads(tmp_path):
    weights = combiner.load(combiner.Config(mode="faithful", seed=5), encoder()).module.state_dict()
    torch.save({"epoch": 3, "Combiner": weights}, tmp_path / "combiner.pt")
    loaded = combiner.load(combiner.Config(mode="faithful", checkpoint=tmp_path / "combiner.pt"), encoder()).module
    assert torch.equal(loaded.output_layer.weight, weights["output_layer.weight"])
    with pytest.raises(CvrError, match="it lacks log_scale"):
        combiner.load(combiner.Config(checkpoint=tmp_path / "combiner.pt"), encoder())
