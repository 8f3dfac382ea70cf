"""clip_openai: transformers' CLIP for the ViT and text towers, a formula of its own for the ResNet, safe archives."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.clip_tokenizer import load_clip_tokenizer
from cvr_data.features.encoders.networks.openai_clip import OpenAIClip
from cvr_data.features.encoders.networks.openai_weights import read_openai_encoder_weights

pytestmark = pytest.mark.slow

CLOSE = {"atol": 2e-5, "rtol": 1e-4}
LENGTH = 16
TEXTS = [
    "a red dog",
    "The cat's 12 dogs, and... the RED one!",
    "",
    "caf\u00e9 th\u00e9",
    "the dog and the cat and the dog and the cat and the dog and the cat and the dog",
]


def resnet_state(vit_state, blocks=(2, 1, 1, 2), width=16, dim=24, side=2):
    """A ModifiedResNet of random weights with statistics that are not trivial; its text side is the ViT's."""
    draw = torch.Generator().manual_seed(1)

    def normal(*shape, scale=1.0):
        return torch.randn(*shape, generator=draw) * scale

    state = {name: tensor for name, tensor in vit_state.items() if not name.startswith("visual.")}

    def convolution(name, norm, wide, inputs, kernel):
        state[f"visual.{name}.weight"] = normal(wide, inputs, kernel, kernel, scale=(2 / (inputs * kernel**2)) ** 0.5)
        state[f"visual.{norm}.weight"] = 1 + normal(wide, scale=0.1)
        state[f"visual.{norm}.bias"] = normal(wide, scale=0.1)
        state[f"visual.{norm}.running_mean"] = normal(wide, scale=0.1)
        state[f"visual.{norm}.running_var"] = torch.rand(wide, generator=draw) + 0.5
        state[f"visual.{norm}.num_batches_tracked"] = torch.tensor(7)

    for index, (inputs, wide) in enumerate(((3, width // 2), (width // 2, width // 2), (width // 2, width)), 1):
        convolution(f"conv{index}", f"bn{index}", wide, inputs, 3)
    inputs = width
    for stage, count in enumerate(blocks, 1):
        planes = width * 2 ** (stage - 1)
        for block in range(count):
            place = f"layer{stage}.{block}"
            convolution(f"{place}.conv1", f"{place}.bn1", planes, inputs, 1)
            convolution(f"{place}.conv2", f"{place}.bn2", planes, planes, 3)
            convolution(f"{place}.conv3", f"{place}.bn3", 4 * planes, planes, 1)
            if block == 0:
                convolution(f"{place}.downsample.0", f"{place}.downsample.1", 4 * planes, inputs, 1)
            inputs = 4 * planes
    state["visual.attnpool.positional_embedding"] = normal(side**2 + 1, inputs, scale=inputs**-0.5)
    for name, outputs in (("q", inputs), ("k", inputs), ("v", inputs), ("c", dim)):
        state[f"visual.attnpool.{name}_proj.weight"] = normal(outputs, inputs, scale=inputs**-0.5)
        state[f"visual.attnpool.{name}_proj.bias"] = normal(outputs, scale=0.1)
    return state


def slow_resnet(state, pixels):
    """The formula, function by function, with PyTorch's own multi-head attention at the end."""

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"visual.{name}.{kind}"].view(1, -1, 1, 1)
            for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    def step(x, conv, bn, **options):
        return norm(F.conv2d(x, state[f"visual.{conv}.weight"], **options), bn)

    x = step(pixels, "conv1", "bn1", stride=2, padding=1).relu()
    x = step(x, "conv2", "bn2", padding=1).relu()
    x = F.avg_pool2d(step(x, "conv3", "bn3", padding=1).relu(), 2)
    for stage in range(1, 5):
        block = 0
        while f"visual.layer{stage}.{block}.conv1.weight" in state:
            at = f"layer{stage}.{block}"
            stride = 2 if block == 0 and stage > 1 else 1
            y = step(x, f"{at}.conv1", f"{at}.bn1").relu()
            y = step(y, f"{at}.conv2", f"{at}.bn2", padding=1).relu()
            y = step(F.avg_pool2d(y, stride), f"{at}.conv3", f"{at}.bn3")
            if block == 0:
                x = step(F.avg_pool2d(x, stride), f"{at}.downsample.0", f"{at}.downsample.1")
            x = (x + y).relu()
            block += 1
    x = x.flatten(start_dim=2).permute(2, 0, 1)
    x = torch.cat([x.mean(dim=0, keepdim=True), x]) + state["visual.attnpool.positional_embedding"][:, None]
    pool = {name: state[f"visual.attnpool.{name}"] for name in map("{}_proj.weight".format, "qkvc")}
    biases = [state[f"visual.attnpool.{name}_proj.bias"] for name in "qkv"]
    out, _ = F.multi_head_attention_forward(
        x[:1], x, x, x.shape[-1], x.shape[-1] // 64, None, torch.cat(biases), None, None, False, 0.0,
        pool["c_proj.weight"], state["visual.attnpool.c_proj.bias"], training=False, need_weights=False,
        use_separate_proj_weight=True, q_proj_weight=pool["q_proj.weight"], k_proj_weight=pool["k_proj.weight"],
        v_proj_weight=pool["v_proj.weight"],
    )  # fmt: skip
    return out[0]


def load(path, merges, **options):
    options = {"model": str(path), "tokenizer": str(merges), "dtype": "float32", "normalise": "false", **options}
    return ENCODERS.get("clip-openai").load(ENCODERS.config("clip-openai", options))


def test_vit_and_texts_equal_transformers(openai_file, merges, clip_folder, frames):
    from transformers import CLIPModel, CLIPTokenizer

    encoder = load(openai_file, merges)
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    pixels = encoder.towers.preprocessing.pixels(torch.from_numpy(prepared), torch.device("cpu"))
    library = CLIPModel.from_pretrained(clip_folder).eval()
    words = CLIPTokenizer.from_pretrained(clip_folder)(
        TEXTS, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt"
    )
    with torch.no_grad():
        images_ND = library.visual_projection(library.vision_model(pixels).pooler_output)
        states = library.text_model(**words)
        tokens_BLD, texts_BD = (library.text_projection(x) for x in (states.last_hidden_state, states.pooler_output))
    assert_close(encoder.encode_frames(prepared), images_ND, **CLOSE)
    features = encoder.encode_texts(TEXTS)
    assert torch.equal(features.mask_BL, words["attention_mask"].bool())
    assert_close(features.tokens_BLD[features.mask_BL], tokens_BLD[features.mask_BL], **CLOSE)
    assert_close(features.pooled_BD, F.normalize(texts_BD, dim=-1), **CLOSE)


@pytest.mark.parametrize("blocks", [(2, 1, 1, 2), (1, 1, 3, 1)])
def test_the_resnet_equals_its_formula(vit_state, merges, frames, tmp_path, blocks):
    state = resnet_state(vit_state, blocks)
    torch.save(state, tmp_path / "RN.pt")
    encoder = load(tmp_path / "RN.pt", merges)
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    pixels = encoder.towers.preprocessing.pixels(torch.from_numpy(prepared), torch.device("cpu"))
    assert prepared.shape == (5, 64, 64, 3)
    assert_close(encoder.encode_frames(prepared), slow_resnet(state, pixels), atol=1e-3, rtol=1e-3)
    double = {name: tensor.double() for name, tensor in state.items()}
    with torch.no_grad():
        exact_ND = encoder.towers.network.visual.double()(pixels.double())
    assert_close(exact_ND, slow_resnet(double, pixels.double()), atol=1e-10, rtol=1e-8)
    encoder.towers.network.visual.float()
    assert encoder.encode_frame_tokens(prepared).shape == (5, 4, 512)


@pytest.mark.parametrize(
    ("size", "target", "left", "top"),
    [((320, 240), (298, 224), 37, 0), ((240, 427), (224, 398), 0, 87), ((333, 224), (333, 224), 54, 0)],
)
def test_preprocessing_is_the_published_one(size, target, left, top):
    """As Resize(224, BICUBIC), CenterCrop(224), Normalize; 333 - 224 halves to 54.5, which rounds to 54."""
    from PIL import Image

    from cvr_data.features.encoders.networks.images import Preprocessing

    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    preprocessing = Preprocessing(size=224, fit="crop", crop_rounds=True)
    resized = np.asarray(Image.fromarray(frame).resize(target, Image.Resampling.BICUBIC))
    expected = resized[top : top + 224, left : left + 224]
    fitted = preprocessing.fit_frames(frame[None])
    assert np.array_equal(fitted[0], expected)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])
    pixels = preprocessing.pixels(torch.from_numpy(fitted), torch.device("cpu"))
    assert_close(pixels[0].permute(1, 2, 0), (torch.from_numpy(expected.copy()) / 255 - mean) / std)


class Node(nn.Module):
    """A module that holds tensors and modules by name, and can be scripted."""

    def __init__(self, state):
        super().__init__()
        here = {name: tensor for name, tensor in state.items() if "." not in name}
        for name, tensor in here.items():
            self.register_buffer(name, tensor)
        for child in {name.split(".")[0]: None for name in state if "." in name}:
            inside = {name.partition(".")[2]: tensor for name, tensor in state.items() if name.startswith(f"{child}.")}
            self.add_module(child, Node(inside))

    def forward(self):
        return torch.zeros(1)


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_is_read_without_running_it(vit_state, merges, frames, tmp_path):
    halves = {name: tensor.half() for name, tensor in vit_state.items()}
    extra = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(16), "vocab_size": torch.tensor(5)}
    torch.jit.save(torch.jit.script(Node({**halves, **extra})), str(tmp_path / "archive.pt"))
    assert any(name.endswith("/constants.pkl") for name in zipfile.ZipFile(tmp_path / "archive.pt").namelist())
    weights = read_openai_encoder_weights(tmp_path / "archive.pt")
    assert weights.keys() == vit_state.keys()
    for name, tensor in halves.items():
        assert torch.equal(weights[name], tensor.float()), name
    torch.save(halves, tmp_path / "plain.pt")
    prepared = load(tmp_path / "plain.pt", merges).towers.preprocessing.fit_frames(frames)
    both = [load(tmp_path / name, merges).encode_frames(prepared) for name in ("plain.pt", "archive.pt")]
    assert torch.equal(*both)


class Evil:
    """Runs a command when a careless reader unpickles it."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.marker),)


def test_a_file_that_would_run_something_is_refused(tmp_path):
    marker = tmp_path / "ran"
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("evil/constants.pkl", b"")
        archive.writestr("evil/data.pkl", pickle.dumps(Evil(marker)))
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(marker), protocol=2))
    with zipfile.ZipFile(tmp_path / "number.pt", "w") as archive:
        archive.writestr("number/constants.pkl", b"")
        archive.writestr("number/data.pkl", pickle.dumps(7))
    for name in ("script.pt", "plain.pt", "number.pt"):
        with pytest.raises(CvrError, match=f"{name}: not a file of weights that can be read safely") as told:
            read_openai_encoder_weights(tmp_path / name)
        assert "\n" not in str(told.value)
    assert not marker.exists()


def test_safetensors_give_the_same_and_broken_files_are_told(vit_state, openai_file, tmp_path):
    from safetensors.torch import save_file

    save_file(vit_state, tmp_path / "model.safetensors")
    weights = read_openai_encoder_weights(tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in read_openai_encoder_weights(openai_file).items())
    for name in ("half.safetensors", "half.pt"):
        whole = (tmp_path / "model.safetensors" if name.endswith("s") else openai_file).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CvrError, match=r"not a file of weights|cannot be read as safetensors"):
            read_openai_encoder_weights(tmp_path / name)
    with pytest.raises(CvrError, match="no such file"):
        read_openai_encoder_weights(tmp_path / "absent.pt")


def test_other_weights_are_named(vit_state, merges, tmp_path):
    state = dict(vit_state)
    state["visual.ln_middle.weight"] = state.pop("visual.ln_post.weight")
    torch.save(state, tmp_path / "renamed.pt")
    with pytest.raises(CvrError, match=r"missing: visual.ln_post.weight; unexpected: visual.ln_middle.weight"):
        load(tmp_path / "renamed.pt", merges)
    torch.save({**vit_state, "visual.ln_post.bias": torch.zeros(3)}, tmp_path / "shape.pt")
    with pytest.raises(CvrError, match=r"visual.ln_post.bias has shape \(3,\), \(128,\) was expected"):
        load(tmp_path / "shape.pt", merges)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(CvrError, match=r"missing: ln_final.weight, positional_embedding, text_projection and"):
        load(tmp_path / "other.pt", merges)
    torch.save({**vit_state, "token_embedding.weight": torch.zeros(20, 128)}, tmp_path / "words.pt")
    with pytest.raises(CvrError, match="knows 20 tokens, the tokenizer 525"):
        load(tmp_path / "words.pt", merges)


def test_tokens_are_those_of_transformers_from_merges_or_folder(merges, clip_folder):
    from transformers import CLIPTokenizer

    library = CLIPTokenizer.from_pretrained(clip_folder)
    texts = [*TEXTS, "  many\t spaces ", "Z\u00fcrich 2024!?", "red&amp;red", "\U0001f600 smile"]
    expected = [library(text.replace("&amp;", "&"), truncation=True, max_length=LENGTH)["input_ids"] for text in texts]
    for place in (merges, clip_folder):
        ids_BL, mask_BL = load_clip_tokenizer(str(place), LENGTH)(texts)
        assert [ids_L[mask_L].tolist() for ids_L, mask_L in zip(ids_BL, mask_BL, strict=True)] == expected


@pytest.mark.engine
def test_the_published_vocabulary_gives_the_published_ids():
    tokenizer = load_clip_tokenizer(None, 77)
    ids_BL, mask_BL = tokenizer(["a photo of a cat", "a diagram", "word " * 100])
    assert tokenizer.size == 49408
    assert ids_BL[0, mask_BL[0]].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert ids_BL[1, mask_BL[1]].tolist() == [49406, 320, 22697, 49407]
    assert ids_BL.shape == (3, 77)
    assert ids_BL[2, -1] == 49407


def test_a_place_without_a_tokenizer_is_told(tmp_path):
    with pytest.raises(CvrError, match=r"neither a merges file nor a folder with tokenizer.json"):
        load_clip_tokenizer(str(tmp_path), LENGTH)
    (tmp_path / "merges.txt").write_text("#version\na b\na b c\n")
    with pytest.raises(CvrError, match="line 3 is not a merge of two pieces"):
        load_clip_tokenizer(str(tmp_path / "merges.txt"), LENGTH)


def released_shapes(visual, width, layers, dim):
    """The shapes that decide an architecture; the count of blocks is read off their names."""
    text = {
        "text_projection": (width, dim),
        "token_embedding.weight": (49408, width),
        "positional_embedding": (77, width),
        "ln_final.weight": (width,),
    }
    return {**text, **{f"transformer.resblocks.{layer}.ln_1.weight": (width,) for layer in range(layers)}, **visual}


def vit_shapes(width, layers, patch, resolution, dim):
    blocks = {f"visual.transformer.resblocks.{layer}.ln_1.weight": (width,) for layer in range(layers)}
    places = (resolution // patch) ** 2 + 1
    edges = {"visual.proj": (width, dim), "visual.conv1.weight": (width, 3, patch, patch)}
    return {**edges, "visual.positional_embedding": (places, width), **blocks}


def resnet_shapes(width, blocks, resolution, dim):
    places = (resolution // 32) ** 2 + 1
    names = [
        f"visual.layer{stage}.{block}.conv1.weight" for stage, count in enumerate(blocks, 1) for block in range(count)
    ]
    pool = {"positional_embedding": (places, 32 * width), "c_proj.weight": (dim, 32 * width)}
    return {**dict.fromkeys(names, (width, width, 1, 1)), **{f"visual.attnpool.{name}": pool[name] for name in pool}}


@pytest.mark.parametrize(
    ("shapes", "resolution", "tokens", "dim", "parameters"),
    [
        (released_shapes(resnet_shapes(64, (3, 4, 6, 3), 224, 1024), 512, 12, 1024), 224, 49, 1024, 102_007_137),
        (released_shapes(resnet_shapes(64, (3, 4, 23, 3), 224, 512), 512, 12, 512), 224, 49, 512, 119_688_033),
        (released_shapes(resnet_shapes(80, (4, 6, 10, 6), 288, 640), 640, 12, 640), 288, 81, 640, 178_300_601),
        (released_shapes(vit_shapes(768, 12, 32, 224, 512), 512, 12, 512), 224, 50, 512, 151_277_313),
        (released_shapes(vit_shapes(768, 12, 16, 224, 512), 512, 12, 512), 224, 197, 512, 149_620_737),
        (released_shapes(vit_shapes(1024, 24, 14, 224, 768), 768, 12, 768), 224, 257, 768, 427_616_513),
    ],
    ids=["RN50", "RN101", "RN50x4", "ViT-B/32", "ViT-B/16", "ViT-L/14"],
)
def test_released_sizes_have_the_released_number_of_parameters(shapes, resolution, tokens, dim, parameters):
    """On the meta device: shapes without numbers, so that 428 million parameters cost nothing."""
    with torch.device("meta"):
        network = OpenAIClip({name: torch.empty(shape) for name, shape in shapes.items()}).eval()
        assert network.visual.resolution == resolution
        pixels = torch.empty(1, 3, resolution, resolution)
        assert network.visual(pixels).shape == (1, dim)
        assert network.visual.tokens(pixels).shape[1] == tokens
        assert network.texts(torch.zeros(2, 77, dtype=torch.long)).shape == (2, 77, dim)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
