"""Random multimodal models of a few thousand weights of the real classes, saved as a user would save a real one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

QWEN_TOKENS = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""What of Qwen3-VL's template decides the input: roles, the places of pictures and films, texts."""


def byte_tokenizer(chat: str, *special: str, **named: str) -> Any:
    """A token per byte, and one per special text; some of these have names that processors look for."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>", chat_template=chat, padding_side="left",
        extra_special_tokens=named or list(special),
    )  # fmt: skip


def save_qwen3_vl(folder: Path, *, head: bool = False) -> Path:
    """A Qwen3-VL over bytes and small films; with a head for tokens it is what a re-ranker reads yes and no from."""
    import torch
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLModel,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = byte_tokenizer(QWEN_CHAT, *QWEN_TOKENS)
    of = tokenizer.convert_tokens_to_ids
    sizes = {"shortest_edge": 4 * 32 * 32, "longest_edge": 16 * 32 * 32}
    patches = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2, "size": sizes}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**patches), tokenizer, Qwen3VLVideoProcessor(**patches, cap_pixels_per_frame=False),
        chat_template=QWEN_CHAT,
    )  # fmt: skip
    text = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "initializer_range": 0.4,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [2, 1, 1], "rope_type": "default"},
            "max_position_embeddings": 4096, "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32,
              "num_position_embeddings": 64, "deepstack_visual_indexes": [0], "patch_size": 16,
              "initializer_range": 0.4}  # fmt: skip
    config = Qwen3VLConfig(
        text_config=text, vision_config=vision, image_token_id=of("<|image_pad|>"), video_token_id=of("<|video_pad|>"),
        vision_start_token_id=of("<|vision_start|>"), vision_end_token_id=of("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(0)
    kind = Qwen3VLForConditionalGeneration if head else Qwen3VLModel
    kind(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_sentence(folder: Path, save: Callable[[Path], Path] = save_qwen3_vl) -> Path:
    """The same as a model of sentence-transformers: last token, unit length, a prompt for queries."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    transformer = Transformer(str(save(folder / "transformer")))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    prompts = {"query": "Find the video that is meant.", "document": "Represent the user's input."}
    model = SentenceTransformer(modules=[transformer, pooling, Normalize()], prompts=prompts, device="cpu")
    model.save_pretrained(str(folder / "sentence"))
    return folder / "sentence"


def save_xclip(folder: Path) -> Path:
    """An X-CLIP of four frames of 32 x 32 pixels, and CLIP's tokenizer over bytes."""
    import json

    import torch
    from transformers import CLIPTokenizer, VideoMAEImageProcessor, XCLIPConfig, XCLIPModel, XCLIPProcessor

    from cvr_data.features.encoders.networks.clip_tokenizer import END, START, clip_byte_letters

    letters = clip_byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=64)
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(words), "max_position_embeddings": 64, "eos_token_id": len(words) - 1,
            "bos_token_id": len(words) - 2, "pad_token_id": len(words) - 1}  # fmt: skip
    vision = {**tower, "image_size": 32, "patch_size": 8, "num_frames": 4, "mit_hidden_size": 32,
              "mit_intermediate_size": 64, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2}  # fmt: skip
    torch.manual_seed(0)
    XCLIPModel(XCLIPConfig(text_config=text, vision_config=vision, projection_dim=32)).save_pretrained(folder)
    images = VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    XCLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def save_cross_encoder(folder: Path) -> Path:
    """A Qwen3-VL that scores a pair by the logit of `y` minus that of `n`."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore

    saved = save_qwen3_vl(folder / "transformer", head=True)
    transformer = Transformer(
        str(saved), transformer_task="any-to-any",
        processing_kwargs={"chat_template": {"add_generation_prompt": True}},
    )  # fmt: skip
    of = transformer.tokenizer.convert_tokens_to_ids
    model = CrossEncoder(modules=[transformer, LogitScore(of("y"), of("n"))], device="cpu")
    model.save_pretrained(str(folder / "cross"))
    return folder / "cross"
