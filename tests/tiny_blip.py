"""Tiny BLIP and BLIP-2 models of transformers, their weights under the published names, and features to look at."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

from cvr_bench.models.parts.batches import TrainingSet, TripletBatch
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import Encoder, VideoFeatures, pad_features
from cvr_data.media.video import Video

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "make", "it", "red", "a", "dog", "cat", "instead", "of", "snow", "[ENC]"]
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
DIM = 20


def save_blip(folder: Path) -> nn.Module:
    """Write a BLIP retrieval model of two layers, and return it."""
    from transformers import BlipConfig, BlipForImageTextRetrieval

    text = {**TOWER, "vocab_size": len(WORDS), "max_position_embeddings": 40}
    config = BlipConfig(
        text_config={**text, "is_decoder": True, "encoder_hidden_size": 24, "bos_token_id": 1, "sep_token_id": 2},
        vision_config={**TOWER, "hidden_size": 24, "image_size": 32, "patch_size": 8, "layer_norm_eps": 1e-6},
        image_text_hidden_size=DIM,
    )
    return _save(folder, BlipForImageTextRetrieval(config))


def save_blip2(folder: Path) -> nn.Module:
    """Write a BLIP-2 retrieval model of two layers and four query tokens, and return it."""
    from transformers import Blip2Config, Blip2ForImageTextRetrieval

    qformer = {"vocab_size": len(WORDS), "max_position_embeddings": 40, "cross_attention_frequency": 2}
    config = Blip2Config(
        vision_config={**TOWER, "hidden_size": 24, "image_size": 32, "patch_size": 8},
        qformer_config={**TOWER, **qformer, "encoder_hidden_size": 24, "use_qformer_text_input": True},
        num_query_tokens=4,
        image_text_hidden_size=DIM,
    )
    model = _save(folder, Blip2ForImageTextRetrieval(config))
    assert isinstance(model.vision_model, nn.Module)
    return model


def published_blip(model: nn.Module) -> dict[str, Tensor]:
    """Return its weights as CoVR saves them: BLIP's names, with the buffer and without the head of transformers."""
    weights = {}
    for name, weight in model.state_dict().items():
        if not name.startswith("itm_head."):
            weights[_vision_name(name)] = weight
    weights["text_encoder.embeddings.position_ids"] = torch.arange(40)[None]
    weights["temp"] = torch.tensor(0.07)
    return weights


def published_blip2(model: nn.Module) -> dict[str, Tensor]:
    """Return its weights as CoVR-2 saves them: LAVIS' names, EVA's two biases, the language head of the Q-Former."""
    weights = {}
    for name, weight in model.state_dict().items():
        if name.endswith("qkv.bias"):
            stem = _vision_name(name).removesuffix("qkv.bias")
            weights[f"{stem}q_bias"], _, weights[f"{stem}v_bias"] = weight.chunk(3)
        elif name.startswith("vision_model.post_layernorm."):
            weights[name.replace("vision_model.post_layernorm", "ln_vision")] = weight
        elif name.startswith("vision_model."):
            weights[_vision_name(name)] = weight
        elif not name.startswith("itm_head."):
            weights[_qformer_name(name)] = weight
    weights["Qformer.bert.embeddings.position_ids"] = torch.arange(40)[None]
    weights["Qformer.cls.predictions.bias"] = torch.zeros(len(WORDS))
    weights["temp"] = torch.tensor(0.07)
    return weights


def _vision_name(name: str) -> str:
    pairs = {
        "vision_model.embeddings.class_embedding": "visual_encoder.cls_token",
        "vision_model.embeddings.position_embedding": "visual_encoder.pos_embed",
        "vision_model.embeddings.patch_embedding": "visual_encoder.patch_embed.proj",
        "vision_model.encoder.layers": "visual_encoder.blocks",
        "vision_model.post_layernorm": "visual_encoder.norm",
        "layer_norm1": "norm1",
        "layer_norm2": "norm2",
        "self_attn.qkv": "attn.qkv",
        "self_attn.projection": "attn.proj",
    }
    for ours, theirs in pairs.items():
        name = name.replace(ours, theirs)
    return name


def _qformer_name(name: str) -> str:
    pairs = {
        "qformer.layernorm": "Qformer.bert.embeddings.LayerNorm",
        "qformer.encoder": "Qformer.bert.encoder",
        "attention.attention.": "attention.self.",
        "text_projection": "text_proj",
        "vision_projection": "vision_proj",
    }
    if name.startswith("embeddings."):
        return f"Qformer.bert.{name}"
    for ours, theirs in pairs.items():
        name = name.replace(ours, theirs)
    return name


def _save(folder: Path, model: nn.Module) -> nn.Module:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():  # fresh biases of 0 and norms of 1 would hide a wrong name
        parameter.data.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        if name.endswith("qkv.bias"):
            parameter.data.view(3, -1)[1] = 0  # EVA has none for the key
    model.eval().save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return model


class TokenFeatures:
    """The hash encoder, twenty wide, with 17 tokens of 24 numbers per frame, drawn from the video's id."""

    def __init__(self) -> None:
        self.encoder = ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=DIM, frames=4))
        self.name, self.runs_on = self.encoder.name, self.encoder.runs_on
        self.dim, self.text_dim = DIM, DIM
        self.encode_videos, self.encode_texts = self.encoder.encode_videos, self.encoder.encode_texts

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return (B, T, 17, 24), or without a folder query tokens, (B, T, 4, 20)."""
        size = (17, 24) if folder else (4, DIM)
        counts = self.encode_videos(videos).mask_BT.sum(dim=1).tolist()
        return VideoFeatures(*pad_features([
            torch.randn(count, *size, generator=torch.Generator().manual_seed(crc32(video.video_id.encode())))
            for video, count in zip(videos, counts, strict=True)
        ]))  # fmt: skip


def queries(*texts: str, described: Sequence[str | None] = ()) -> list[Query]:
    """One query per text, about the videos v0, v1, ..."""
    found = [Item(f"v{row}", Video(f"v{row}")) for row in range(len(texts))]
    descriptions = described or [None] * len(texts)
    rows = zip(found, texts, descriptions, strict=True)
    return [Query(f"q{row}", item, text, described) for row, (item, text, described) in enumerate(rows)]


def batch(encoder: Encoder, *texts: str, targets: Sequence[str] = (), **extra: Sequence[object]) -> TripletBatch:
    """One triplet per text, from v0, v1, ... to `targets`, by default t0, t1, ..."""
    target_ids = list(targets) or [f"t{row}" for row in range(len(texts))]
    training_set = TrainingSet(
        reference_ids=[f"v{row}" for row in range(len(texts))],
        modifications=list(texts),
        target_ids=target_ids,
        target_group_ids=target_ids,
        extra=extra,
    )
    return training_set.batch(range(len(texts)), encoder)


def disturbed(module: ModuleType, features: Encoder, **options: object) -> Any:
    """Return a model of which no matrix is the identity any more, in evaluation mode."""
    torch.manual_seed(1)
    found = module.load(module.Config(**options), features)
    with torch.no_grad():
        for parameter in found.module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    found.module.eval()
    return found


def losses_of(model: Any, triplets: TripletBatch, *, steps: int, lr: float = 1e-2) -> list[float]:
    """Train on one batch again and again, and return the loss of each step."""
    optimizer = torch.optim.Adam([each for each in model.module.parameters() if each.requires_grad], lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.training_step(triplets)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
