"""import-checkpoint: whole tiny models under published names come back with equal outputs; what is wrong is named."""

import pickle
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from cli import group
from cvr_bench.checkpoints.config import checkpoint_config
from cvr_bench.checkpoints.import_checkpoint import Given, import_checkpoint
from cvr_bench.models.parts.weights import EXTRA, WEIGHTS
from cvr_data.core.errors import CvrError
from tests.tiny_blip import published_blip, published_blip2, save_blip, save_blip2

pytestmark = pytest.mark.slow

SAVE = {"covr-blip": save_blip, "covr-blip2": save_blip2}
PUBLISHED = {"covr-blip": published_blip, "covr-blip2": published_blip2}
CLASSES = {"covr-blip": "BlipForImageTextRetrieval", "covr-blip2": "Blip2ForImageTextRetrieval"}


@pytest.fixture(scope="module", params=list(SAVE))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp(kind)


@pytest.fixture(scope="module")
def model(kind, folder) -> nn.Module:
    return SAVE[kind](folder)


def checkpoint(weights, path, prefix="") -> Path:
    """A file as Lightning Fabric writes it."""
    optimizer = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 1e-5}]}
    torch.save(
        {"epoch": 4, "model": {f"{prefix}{name}": weight for name, weight in weights.items()}, "optimizer": optimizer},
        path,
    )
    return path


def load(kind, folder):
    import transformers

    return getattr(transformers, CLASSES[kind]).from_pretrained(folder).eval()


@pytest.mark.parametrize("prefix", ["", "_forward_module.module."])
def test_a_whole_model_comes_back_with_equal_outputs(kind, folder, model, tmp_path, prefix):
    file = checkpoint(PUBLISHED[kind](model), tmp_path / "webvid-covr.ckpt", prefix)
    out = tmp_path / "out"
    outcome = CliRunner().invoke(
        group, ["import-checkpoint", str(file), "-m", kind, "--base", str(folder), "-O", str(out)]
    )
    assert outcome.exit_code == 0, outcome.output
    found = load(kind, out)
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[1, 4, 5, 6, 2], [1, 8, 2, 0, 0]])
    head = {"use_itm_head": False} if kind == "covr-blip" else {"use_image_text_matching_head": False}
    with torch.no_grad():
        expected, got = (
            each(pixel_values=pixels, input_ids=ids, attention_mask=(ids > 0).long(), **head) for each in (model, found)
        )
    name = "itm_score" if kind == "covr-blip" else "logits_per_image"
    torch.testing.assert_close(getattr(got, name), getattr(expected, name), rtol=0, atol=0)


def test_without_a_base_the_sizes_come_from_the_weights(kind, folder, model, tmp_path):
    file = checkpoint(PUBLISHED[kind](model), tmp_path / "x.ckpt")
    with pytest.raises(CvrError, match=r"No published network is 32 wide, so its heads are unknown; name a model with"):
        import_checkpoint(file, kind, tmp_path / "out", Given())
    assert not (tmp_path / "out").exists()


def test_published_sizes_are_told_from_the_weights():
    import transformers

    text = {"vocab_size": 30524, "encoder_hidden_size": 1024, "is_decoder": True, "num_attention_heads": 12}
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    large = transformers.BlipConfig(text_config=text, vision_config={**vision, "image_size": 384, "patch_size": 16})
    qformer = {"vocab_size": 30523, "use_qformer_text_input": True, "encoder_hidden_size": 1408}
    giant = transformers.Blip2Config(vision_config={"image_size": 364}, qformer_config=qformer)
    for kind, layout, config in (("covr-blip", "blip", large), ("covr-blip2", "blip2", giant)):
        with torch.device("meta"):
            weights = getattr(transformers, CLASSES[kind])(config).state_dict()
        found = checkpoint_config(weights, layout)
        sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        towers = {"vision_config": (*sizes, "image_size", "patch_size")}
        towers["text_config" if layout == "blip" else "qformer_config"] = (*sizes, "vocab_size", "encoder_hidden_size")
        for tower, names in towers.items():
            for name in names:
                assert getattr(getattr(found, tower), name) == getattr(getattr(config, tower), name), (
                    kind,
                    tower,
                    name,
                )
        lacking = {name: weight for name, weight in weights.items() if not name.startswith("vision_model.")}
        with pytest.raises(CvrError, match=r"lacks vision_model\.embeddings.*--base should give it"):
            checkpoint_config(lacking, layout)


def test_what_a_file_lacks_comes_from_the_base(kind, folder, model, tmp_path):
    weights = {name: weight for name, weight in PUBLISHED[kind](model).items() if not name.startswith("visual_enc")}
    file = checkpoint(weights, tmp_path / "x.ckpt")
    import_checkpoint(file, kind, tmp_path / "out", Given(base=str(folder)))
    for name, weight in load(kind, tmp_path / "out").state_dict().items():
        if not name.startswith("itm_head."):
            torch.testing.assert_close(weight, model.state_dict()[name], rtol=0, atol=0, msg=name)


def test_weights_of_another_model_are_named(kind, folder, model, tmp_path):
    given = Given(base=str(folder))
    odd = checkpoint({**PUBLISHED[kind](model), "logit_scale": torch.ones(1)}, tmp_path / "odd.ckpt")
    with pytest.raises(CvrError, match=r"odd\.ckpt also holds logit_scale: it is of another model"):
        import_checkpoint(odd, kind, tmp_path / "out", given)
    weights = PUBLISHED[kind](model)
    wide = checkpoint({**weights, "text_proj.weight": torch.ones(20, 33)}, tmp_path / "wide.ckpt")
    with pytest.raises(CvrError, match=r"has shape \(20, 33\), the model \(20, 32\)"):
        import_checkpoint(wide, kind, tmp_path / "out", given)


def test_the_projection_of_descriptions_lies_beside_the_model(tmp_path):
    model = save_blip(tmp_path / "base")
    weights = {**published_blip(model), "prompt_proj.weight": torch.ones(24, 32), "prompt_proj.bias": torch.ones(24)}
    file = checkpoint(weights, tmp_path / "bse.ckpt")
    import_checkpoint(file, "bse-covr", tmp_path / "out", Given(base=str(tmp_path / "base")))
    assert (tmp_path / "out" / EXTRA).is_file()
    load("covr-blip", tmp_path / "out")


def test_our_own_networks_keep_their_names(tmp_path):
    from safetensors.torch import load_file

    torch.save({"Combiner": {"output.weight": torch.ones(2, 3), "clip_model.x": torch.ones(4)}}, tmp_path / "c.pt")
    import_checkpoint(tmp_path / "c.pt", "fdca", tmp_path / "out", Given())
    assert list(load_file(tmp_path / "out" / WEIGHTS)) == ["output.weight"]


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_mistakes_are_one_line_and_nothing_is_run(tmp_path, capsys):
    torch.save({"model": Evil()}, tmp_path / "evil.ckpt")
    (tmp_path / "old.ckpt").write_bytes(pickle.dumps({"model": {}}))
    for file, model, message in (
        ("evil.ckpt", "covr-blip", "not a file of weights that can be read safely"),
        ("old.ckpt", "covr-blip", "neither safetensors nor a file of torch.save"),
        ("none.ckpt", "covr-blip", "does not exist"),
        ("old.ckpt", "covr-blp", "No published checkpoint is for the model 'covr-blp'. Did you mean: covr-blip"),
    ):
        with pytest.raises(CvrError, match=message):
            import_checkpoint(tmp_path / file, model, tmp_path / "out", Given())
    assert "run" not in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
