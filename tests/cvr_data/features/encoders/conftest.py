"""Tiny random checkpoints of real architectures, saved to disk once: what the encoders load."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvr_data.core.trust import naming

MERGES = ["t h", "th e</w>", "d o", "do g</w>", "c a", "ca t</w>", "r e", "re d</w>", "' s</w>", "a n", "an d</w>"]
LENGTH = 16
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**TOWER, "image_size": 32, "patch_size": 8}
TEXTS = [
    "a red dog",
    "The cat's 12 dogs, and... the RED one!",
    "",
    "caf\u00e9 &amp; th\u00e9",
    "the dog and the cat and the dog and the cat and the dog and the cat and the dog",
]

BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "layer_norm2": "ln_2",
}


@pytest.fixture(autouse=True, scope="session")
def encoders_of_tests():
    """A model that lies outside cvr is named here, as a command line names it."""
    of_tests = ("tests.cvr_data.features.encoders.test_sentence_transformers:TwoMeans",)
    with naming([*of_tests, "tests.native_embedders:LastGrey"]):
        yield


@pytest.fixture(scope="session")
def merges(tmp_path_factory) -> Path:
    """A merges file as OpenAI's: a first line of no meaning, then one merge a line."""
    path = tmp_path_factory.mktemp("bpe") / "merges.txt.gz"
    path.write_bytes(gzip.compress("\n".join(['"version"', *MERGES, ""]).encode()))
    return path


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory, merges) -> Path:
    """A CLIP checkpoint with two layers, as save_pretrained writes it."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    from cvr_data.features.encoders.networks.clip_tokenizer import END, START, clip_encoder_byte_letters

    folder = tmp_path_factory.mktemp("clip")
    letters = clip_encoder_byte_letters()
    words = [*letters, *(f"{each}</w>" for each in letters), *("".join(pair.split()) for pair in MERGES), START, END]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=LENGTH)
    tokenizer.save_pretrained(folder)
    tower = {"num_hidden_layers": 2, "hidden_act": "quick_gelu", "hidden_size": 128, "intermediate_size": 512}
    text = {"vocab_size": len(words), "max_position_embeddings": LENGTH, "eos_token_id": len(words) - 1}
    ends = {"bos_token_id": len(words) - 2, "pad_token_id": len(words) - 1}
    config = CLIPConfig(
        text_config={**tower, **text, **ends, "num_attention_heads": 2},
        vision_config={**tower, "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    _save_roughened(CLIPModel, config, folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory) -> Path:
    """A SigLIP checkpoint with two layers."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    folder = tmp_path_factory.mktemp("siglip")
    size = _save_word_tokenizer(folder, pad="</s>", end="</s>")
    text = {**TOWER, "vocab_size": size, "max_position_embeddings": LENGTH, "projection_size": 32}
    _save_roughened(SiglipModel, SiglipConfig(text_config=text, vision_config=VISION), folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def blip_folder(tmp_path_factory) -> Path:
    """A BLIP retrieval checkpoint with two layers."""
    from transformers import BlipConfig, BlipForImageTextRetrieval, BlipImageProcessor

    folder = tmp_path_factory.mktemp("blip")
    size = _save_word_tokenizer(folder, pad="[PAD]", start="[CLS]", end="[SEP]")
    text = {**TOWER, "vocab_size": size, "max_position_embeddings": 40, "is_decoder": True, "encoder_hidden_size": 32}
    config = BlipConfig(text_config=text, vision_config=VISION, image_text_hidden_size=20)
    _save_roughened(BlipForImageTextRetrieval, config, folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def blip2_folder(tmp_path_factory) -> Path:
    """A BLIP-2 retrieval checkpoint with two layers and four query tokens."""
    from transformers import Blip2Config, Blip2ForImageTextRetrieval, BlipImageProcessor

    folder = tmp_path_factory.mktemp("blip2")
    size = _save_word_tokenizer(folder, pad="[PAD]", start="[CLS]", end="[SEP]")
    qformer = {
        "vocab_size": size,
        "encoder_hidden_size": 32,
        "use_qformer_text_input": True,
        "cross_attention_frequency": 1,
    }
    qformer = {**TOWER, **qformer}
    config = Blip2Config(vision_config=VISION, qformer_config=qformer, num_query_tokens=4, image_text_hidden_size=20)
    _save_roughened(Blip2ForImageTextRetrieval, config, folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sentence_folder(tmp_path_factory, clip_folder):
    """A two-layer BERT with mean pooling, saved by the library."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    bert = tmp_path_factory.mktemp("bert")
    AutoTokenizer.from_pretrained(clip_folder).save_pretrained(bert)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=600, max_position_embeddings=40, **TOWER)).save_pretrained(bert)
    folder = tmp_path_factory.mktemp("sentences")
    network = Transformer(str(bert))
    SentenceTransformer(modules=[network, Pooling(32)], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="session")
def frames() -> np.ndarray:
    """Five frames, taller than wide, smooth enough that a resize means something."""
    rows, columns = np.mgrid[0:90, 0:61]
    waves = [np.sin(rows / (5 + shift)) + np.cos(columns / (7 + 2 * shift)) for shift in range(15)]
    scaled = (np.stack(waves) + 2) / 4 * 255
    return np.moveaxis(scaled.reshape(5, 3, 90, 61), 1, -1).astype(np.uint8).copy()


@pytest.fixture(scope="session")
def vit_state(clip_folder):
    from safetensors.torch import load_file

    return renamed(load_file(clip_folder / "model.safetensors"))


@pytest.fixture(scope="session")
def openai_file(vit_state, tmp_path_factory):
    path = tmp_path_factory.mktemp("vit") / "ViT-tiny.pt"
    torch.save(vit_state, path)
    return path


def _save_roughened(kind: Callable[[Any], Any], config: Any, folder: Path) -> None:
    """Fresh checkpoints have biases of 0 and norms of 1, which would hide a mistake in their names."""
    torch.manual_seed(0)
    model = kind(config)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)


def _save_word_tokenizer(folder: Path, *, pad: str, end: str, start: str | None = None) -> int:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    specials = list(dict.fromkeys([pad, end, *([start] if start else []), "[UNK]"]))
    words = [*specials, "a", "the", "red", "dog", "cat", "and", "one", "12", "dogs", ",", "'", "s"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    template = f"{start} $A {end}" if start else f"$A {end}"
    ends = [(each, words.index(each)) for each in dict.fromkeys([start, end]) if each]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=pad, unk_token="[UNK]", eos_token=end)
    fast.save_pretrained(folder)
    return len(words)


def renamed(hugging):
    """The weights of transformers' CLIPModel under OpenAI's names."""
    state = {
        "positional_embedding": hugging["text_model.embeddings.position_embedding.weight"],
        "text_projection": hugging["text_projection.weight"].T,
        "token_embedding.weight": hugging["text_model.embeddings.token_embedding.weight"],
        "logit_scale": hugging["logit_scale"],
        "visual.class_embedding": hugging["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": hugging["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": hugging["vision_model.embeddings.patch_embedding.weight"],
        "visual.proj": hugging["visual_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        state[f"ln_final.{kind}"] = hugging[f"text_model.final_layer_norm.{kind}"]
        state[f"visual.ln_pre.{kind}"] = hugging[f"vision_model.pre_layrnorm.{kind}"]
        state[f"visual.ln_post.{kind}"] = hugging[f"vision_model.post_layernorm.{kind}"]
        for theirs, ours in (("text_model", "transformer"), ("vision_model", "visual.transformer")):
            for layer in range(2):
                prefix = f"{theirs}.encoder.layers.{layer}"
                heads = [hugging[f"{prefix}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
                state[f"{ours}.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(heads)
                for part, name in BLOCK.items():
                    state[f"{ours}.resblocks.{layer}.{name}.{kind}"] = hugging[f"{prefix}.{part}.{kind}"]
    return {name: tensor.contiguous() for name, tensor in state.items()}
