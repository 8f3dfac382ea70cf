"""Starting DRL's Transformers from CLIP's text layers: the outputs are those of transformers; a misfit is refused."""

import pytest
import torch
from torch.testing import assert_close

from cvr_bench.models import MODELS
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS

DIM, LENGTH = 64, 12


def save_clip(folder, layers, width=DIM):
    """A random CLIP with this many text layers, of the layer norm that DRL's blocks have."""
    from transformers import CLIPConfig, CLIPModel

    shape = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": 1, "layer_norm_eps": 1e-12}
    text = {**shape, "num_hidden_layers": layers, "vocab_size": 8, "max_position_embeddings": LENGTH}
    ends = {"bos_token_id": 6, "eos_token_id": 7, "pad_token_id": 7}
    vision = {**shape, "num_hidden_layers": 1, "image_size": 8, "patch_size": 8}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config={**text, **ends}, vision_config=vision, projection_dim=width))
    with torch.no_grad():
        for parameter in model.parameters():  # biases that are zero would hide a mistake
            parameter.add_(0.05 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    return model.eval()


def drl(clip, **options):
    encoder = ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=DIM, frames=2))
    component = MODELS.get("drl")
    return component.load(component.Config(clip=str(clip), positions=LENGTH, **options), encoder).module


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """(folder, model) of a CLIP of five text layers."""
    folder = tmp_path_factory.mktemp("clip")
    return folder, save_clip(folder, layers=5)


def through_clip(model, values_BND):
    """The first four layers of transformers' text network, in which every position sees all others."""
    for layer in model.text_model.encoder.layers[:4]:
        output = layer(values_BND, attention_mask=None)
        values_BND = output[0] if isinstance(output, tuple) else output
    return values_BND


def test_frames_go_through_the_first_four_text_layers(clip):
    folder, model = clip
    frames_BTD = torch.randn(3, 5, DIM, generator=torch.Generator().manual_seed(1))
    network = drl(folder, interaction="dp").eval()
    with torch.no_grad():
        placed_BTD = frames_BTD + model.text_model.embeddings.position_embedding.weight[:5]
        expected = frames_BTD + through_clip(model, placed_BTD)
        assert_close(network.frames(frames_BTD, torch.ones(3, 5, dtype=torch.bool)), expected, atol=1e-4, rtol=1e-4)


def test_xti_is_the_formula_over_the_same_layers(clip):
    folder, model = clip
    generator = torch.Generator().manual_seed(2)
    text_BD, frames_BTD = torch.randn(2, DIM, generator=generator), torch.randn(2, 4, DIM, generator=generator)
    network = drl(folder, interaction="xti", aggregation="none").eval()
    with torch.no_grad():
        joint_BND = torch.cat([text_BD[:, None], frames_BTD], dim=1)
        joint_BND = through_clip(model, joint_BND + model.text_model.embeddings.position_embedding.weight[:5])
        first_BD = torch.nn.functional.layer_norm(joint_BND[:, 0], (DIM,), eps=1e-12)
        hidden_BD = network.cross.pooler.dense(first_BD)
        expected = network.similarity_dense(hidden_BD * torch.sigmoid(1.702 * hidden_BD))[:, 0]
        found = network.pair_scores(text_BD, frames_BTD, torch.ones(2, 4, dtype=torch.bool))
    assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_text_network_that_does_not_fit_is_one_line(clip, tmp_path):
    save_clip(tmp_path / "shallow", layers=3)
    with pytest.raises(CvrError, match=r"is 64 wide with 3 layers; needed are 64, .* and at least 4"):
        drl(tmp_path / "shallow")
    assert drl(clip[0], interaction="dp", aggregation="none").frames is None  # nothing to start
