"""Random models of the classes that MTEB's registry of video models names, a few thousand weights each."""

import json
from pathlib import Path
from typing import Any

from tests.embedders.tiny_multimodal import QWEN_CHAT, QWEN_TOKENS, byte_tokenizer

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
DECODER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
           "num_key_value_heads": 2, "max_position_embeddings": 4096, "initializer_range": 0.4}  # fmt: skip
OMNI_TOKENS = {
    "image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>", "audio_token": "<|AUDIO|>",
    "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
}  # fmt: skip
OMNI_CHAT = (
    QWEN_CHAT.replace("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_bos|><|IMAGE|><|vision_eos|>")
    .replace("<|vision_start|><|video_pad|><|vision_end|>", "<|vision_bos|><|VIDEO|><|vision_eos|>")
    .replace("{% elif 'text'", "{% elif part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% elif 'text'")
)


def save_qwen2_vl(folder: Path) -> Path:
    """A Qwen2-VL."""
    import torch
    from transformers import (
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer, patches = byte_tokenizer(QWEN_CHAT, *QWEN_TOKENS), _patches(14)
    videos = Qwen2VLVideoProcessor(**patches, cap_pixels_per_frame=False)
    processor = Qwen2VLProcessor(Qwen2VLImageProcessor(**patches), tokenizer, videos, chat_template=QWEN_CHAT)
    text = {**DECODER, **_ends(tokenizer), "rope_scaling": {"mrope_section": [2, 1, 1], "rope_type": "default"}}
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
    torch.manual_seed(0)
    config = Qwen2VLConfig(text_config=text, vision_config=vision, **_qwen_ids(tokenizer))
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_qwen3_5(folder: Path) -> Path:
    """A Qwen3.5, as UEmbed has it: the vector is the token before the last."""
    import torch
    from transformers import Qwen2VLImageProcessor, Qwen3_5Config, Qwen3_5Model, Qwen3VLProcessor, Qwen3VLVideoProcessor

    tokenizer, patches = byte_tokenizer(QWEN_CHAT, *QWEN_TOKENS), _patches(16)
    videos = Qwen3VLVideoProcessor(**patches, cap_pixels_per_frame=False)
    processor = Qwen3VLProcessor(Qwen2VLImageProcessor(**patches), tokenizer, videos, chat_template=QWEN_CHAT)
    rope = {"mrope_interleaved": True, "mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10000.0,
            "partial_rotary_factor": 1.0}  # fmt: skip
    linear = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
              "linear_value_head_dim": 8}  # fmt: skip
    text = {**DECODER, **_ends(tokenizer), **linear, "num_hidden_layers": 4, "head_dim": 8, "rope_parameters": rope}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32,
              "num_position_embeddings": 64, "patch_size": 16}  # fmt: skip
    torch.manual_seed(0)
    Qwen3_5Model(Qwen3_5Config(text_config=text, vision_config=vision, **_qwen_ids(tokenizer))).save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "sparse_info.json").write_text(json.dumps({"num_eos_tokens": 1}))
    return folder


def save_llava_onevision(folder: Path) -> Path:
    """A LLaVA-OneVision: SigLIP and Qwen2."""
    import torch
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
    )

    chat = QWEN_CHAT.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>").replace(
        "<|vision_start|><|video_pad|><|vision_end|>", "<video>"
    )
    tokenizer, size = byte_tokenizer(chat, "<|im_start|>", "<image>", "<video>"), {"height": 32, "width": 32}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=[[32, 32]]), tokenizer,
        LlavaOnevisionVideoProcessor(size=size), chat_template=chat, num_image_tokens=16,
        vision_feature_select_strategy="full",
    )  # fmt: skip
    text = {"model_type": "qwen2", **DECODER, **_ends(tokenizer)}
    vision = {"model_type": "siglip_vision_model", **TOWER, "image_size": 32, "patch_size": 8, "vision_use_head": False}
    of = tokenizer.convert_tokens_to_ids
    torch.manual_seed(0)
    config = LlavaOnevisionConfig(
        text_config=text, vision_config=vision, image_token_index=of("<image>"), video_token_index=of("<video>"),
        image_grid_pinpoints=[[32, 32]],
    )  # fmt: skip
    LlavaOnevisionForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_qwen2_5_omni(folder: Path) -> Path:
    """The thinker of a Qwen2.5-Omni, which hears: what e5-omni, LCO, Nemotron and OmniEmbed are made of."""
    import torch
    from transformers import (
        Qwen2_5OmniProcessor,
        Qwen2_5OmniThinkerConfig,
        Qwen2_5OmniThinkerForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        WhisperFeatureExtractor,
    )

    tokenizer, patches = byte_tokenizer(OMNI_CHAT, "<|im_start|>", **OMNI_TOKENS), _patches(14)
    processor = Qwen2_5OmniProcessor(
        Qwen2VLImageProcessor(**patches), Qwen2VLVideoProcessor(**patches, cap_pixels_per_frame=False),
        WhisperFeatureExtractor(feature_size=8, return_attention_mask=True), tokenizer, chat_template=OMNI_CHAT,
    )  # fmt: skip
    text = {**DECODER, **_ends(tokenizer), "rope_scaling": {"mrope_section": [2, 1, 1], "rope_type": "default"}}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32,
              "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]}  # fmt: skip
    of = tokenizer.convert_tokens_to_ids
    kinds = {f"{name}_id": of(OMNI_TOKENS[name]) for name in ("image_token", "video_token", "audio_token")}
    ends = {"audio_start_token_id": of("<|audio_bos|>"), "audio_end_token_id": of("<|audio_eos|>"),
            "vision_start_token_id": of("<|vision_bos|>"), "vision_end_token_id": of("<|vision_eos|>")}  # fmt: skip
    torch.manual_seed(0)
    config = Qwen2_5OmniThinkerConfig(
        text_config=text, vision_config=vision, audio_config=_hearing(8), pad_token_id=tokenizer.pad_token_id,
        **kinds, **ends,
    )  # fmt: skip
    Qwen2_5OmniThinkerForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_videoprism(folder: Path) -> Path:
    """A VideoPrism with its text tower, of four frames of 32 x 32 pixels and letters."""
    import torch
    from transformers import LlavaOnevisionVideoProcessor, VideoPrismClipModel, VideoPrismConfig, VideoPrismTokenizer
    from transformers.models.videoprism.processing_videoprism import VideoPrismProcessor

    letters = [(letter, -1.0) for letter in "abcdefghijklmnopqrstuvwxyz\u2581"]
    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = VideoPrismTokenizer(vocab=[*marks, *letters], extra_ids=0)
    vision = {"image_size": 32, "num_frames": 4, "tubelet_size": [1, 8, 8], "hidden_size": 32, "intermediate_size": 64,
              "num_attention_heads": 2, "num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1,
              "initializer_range": 0.4}  # fmt: skip
    torch.manual_seed(0)
    text = {**TOWER, "vocab_size": len(tokenizer), "initializer_range": 0.4}
    VideoPrismClipModel(VideoPrismConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    films = LlavaOnevisionVideoProcessor(size={"height": 32, "width": 32}, do_normalize=False, do_sample_frames=False)
    VideoPrismProcessor(films, tokenizer).save_pretrained(folder)
    return folder


def save_videomae(folder: Path) -> Path:
    """A VideoMAE of four frames; its queries and values have a bias, as published ones do."""
    import torch
    from transformers import VideoMAEConfig, VideoMAEModel, VideoMAEVideoProcessor

    torch.manual_seed(0)
    model = VideoMAEModel(VideoMAEConfig(**TOWER, image_size=32, patch_size=8, num_frames=4, initializer_range=0.4))
    for layer in model.encoder.layer:
        torch.nn.init.normal_(layer.attention.attention.query.bias)
    model.save_pretrained(folder)
    VideoMAEVideoProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def save_vjepa2(folder: Path) -> Path:
    """A V-JEPA 2 of four frames."""
    import torch
    from transformers import VJEPA2Config, VJEPA2Model, VJEPA2VideoProcessor

    torch.manual_seed(0)
    config = VJEPA2Config(
        patch_size=8, crop_size=32, frames_per_clip=4, hidden_size=32, num_attention_heads=2, num_hidden_layers=1,
        pred_hidden_size=24, pred_num_attention_heads=2, pred_num_hidden_layers=1, initializer_range=0.4,
    )  # fmt: skip
    VJEPA2Model(config).save_pretrained(folder)
    VJEPA2VideoProcessor(crop_size=32).save_pretrained(folder)
    return folder


def _patches(size: int) -> dict[str, Any]:
    """Of Qwen's processors: patches joined two by two, in space and in time."""
    pixels = {"shortest_edge": 4 * (2 * size) ** 2, "longest_edge": 16 * (2 * size) ** 2}
    return {"patch_size": size, "merge_size": 2, "temporal_patch_size": 2, "size": pixels}


def _ends(tokenizer: Any) -> dict[str, Any]:
    return {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>",
             "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}  # fmt: skip
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def _hearing(bands: int) -> dict[str, Any]:
    return {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
            "num_mel_bins": bands, "output_dim": 32, "initializer_range": 0.4}  # fmt: skip
