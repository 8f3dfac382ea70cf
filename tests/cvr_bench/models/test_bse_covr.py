"""bse-covr: what a description adds, and the text-only query as released and as meant."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import bse_covr, covr_blip
from tests.tiny_blip import batch, queries, save_blip

TOKENS = Path("tokens")
TEXT, DESCRIPTION = "make it red", "a dog of snow"
SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blip")
    save_blip(folder)
    return folder


def load(module, features, folder=None, **options):
    size = SMALL if folder is None else {"model": str(folder), "reference_tokens": TOKENS}
    return module.load(module.Config(**size, **options), features)


@pytest.mark.parametrize("size", ["small", "published"])
def test_without_a_description_it_is_covr_blip(size, folder, features):
    place = None if size == "small" else folder
    ours, plain = load(bse_covr, features, place), load(covr_blip, features, place)
    weights = ours.module.state_dict()
    plain.module.load_state_dict({name: weights[name] for name in plain.module.state_dict()})
    assert_close(ours.embed(queries(TEXT, "snow")), plain.embed(queries(TEXT, "snow")))
    mixed = ours.embed(queries(TEXT, TEXT, described=[None, DESCRIPTION]))
    assert_close(mixed[0], plain.embed(queries(TEXT, TEXT))[0])
    assert not torch.allclose(mixed[1], plain.embed(queries(TEXT, TEXT))[1], atol=1e-3)


@pytest.mark.parametrize(("mode", "training", "first"), [("fixed", False, 1), ("faithful", False, 13)])
def test_the_projected_description_is_added_to_every_image_token(mode, training, first, folder, features):
    model = load(bse_covr, features, folder, mode=mode)
    network = model.module
    ids, described = torch.tensor([[13, 4, 5, 6, 2]]), torch.tensor([[first, 7, 8, 11, 12, 2]])
    found = features.encode_video_tokens([queries("x")[0].reference.video], TOKENS)
    image = found.frames_BTD[0, int(found.mask_BT[0].sum()) // 2][None]
    with torch.no_grad():
        prompt = network.prompt_proj(network.text_encoder(input_ids=described).last_hidden_state[:, 0])
        states = network.text_encoder(input_ids=ids, encoder_hidden_states=image + prompt[:, None]).last_hidden_state
        expected = F.normalize(network.text_proj(states[:, 0]), dim=-1)
    assert_close(model.embed(queries(TEXT, described=[DESCRIPTION])), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", ["small", "published"])
def test_text_only_ignores_the_description_as_released_and_reads_it_when_fixed(size, folder, features):
    place = None if size == "small" else folder
    queried = queries(TEXT, TEXT, described=[DESCRIPTION, "a cat"])
    apart = {}
    for mode in ("faithful", "fixed"):
        model = load(bse_covr, features, place, mode=mode, text_only=True)
        for parameter in model.module.parameters():  # first weights are small, and so is all that they do
            parameter.data.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.2)
        first, second = model.embed(queried)
        apart[mode] = (first - second).abs().max()
    assert apart["faithful"] < 1e-6
    assert apart["fixed"] > 1e-3


def test_the_text_chooses_among_the_tokens_of_a_description(features):
    """With one key every query of the cross-attention would give the same, and its weights no gradient."""
    model = load(bse_covr, features, mode="fixed", text_only=True)
    for parameter in model.module.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.2)
    texts = (TEXT, "snow", "a dog")
    described = {"reference_description": [DESCRIPTION, None, "red snow"]}
    model.training_step(batch(features, *texts, **described))["loss"].backward()
    attention = {name: weight for name, weight in model.module.named_parameters() if ".crossattention.self." in name}
    alive = {name.split(".")[-2] for name, weight in attention.items() if weight.grad.abs().max() > 1e-5}
    assert alive == {"query", "key", "value"}
    assert model.embed(queries(TEXT, "snow", described=[None, None])).isfinite().all()


def test_it_learns_from_descriptions_where_there_are_some(features):
    model = load(bse_covr, features)
    texts = (TEXT, "snow", "a dog")
    for extra in ({}, {"reference_description": [DESCRIPTION, None, "red snow"]}):
        model.module.zero_grad()
        model.training_step(batch(features, *texts, **extra))["loss"].backward()
        assert (model.module.prompt_proj.weight.grad is not None) == bool(extra)
        assert model.module.text_proj.weight.grad.abs().sum() > 0
