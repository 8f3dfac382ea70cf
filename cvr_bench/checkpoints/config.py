"""The configuration of a transformers model, from the shapes of its weights.

Numbers of heads stand in no shape: they are those of the published networks, or come from a base model.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cvr_bench.checkpoints.names import Layout
from cvr_data.core.errors import CvrError

HEADS = {768: 12, 1024: 16, 1408: 16}
"""Width of a published network -> its heads: BERT base, ViT-L and EVA's ViT-g."""
DROPOUT = 0.1
"""Of BLIP's text encoder, as trained; transformers has 0."""
CLASSES = {"blip": "BlipForImageTextRetrieval", "blip2": "Blip2ForImageTextRetrieval"}
"""Layout -> class of transformers."""


def checkpoint_config(weights: Mapping[str, Tensor], layout: Layout, base: Any = None) -> Any:
    """Return the configuration for weights under the names of transformers; heads are as many as the base's, if given.

    Raises:
        CvrError: a size cannot be told from the weights.
    """
    import transformers

    build = _blip_checkpoint_config if layout == "blip" else _blip2_checkpoint_config
    kind = transformers.BlipConfig if layout == "blip" else transformers.Blip2Config
    if base is not None and not isinstance(base, kind):
        raise CvrError(f"The base model is a {type(base).__name__.removesuffix('Config')}, not of layout {layout}.")
    try:
        return kind(**build(weights, base))
    except KeyError as error:
        raise CvrError(
            f"The checkpoint lacks {error.args[0]}; it is of another model, or --base should give it."
        ) from None


def _blip_checkpoint_config(weights: Mapping[str, Tensor], base: Any) -> dict[str, Any]:
    text = _text_network_config(
        weights, "text_encoder.embeddings", "text_encoder.encoder.layer", base and base.text_config
    )
    names = {"bos_token_id": text["vocab_size"] - 2, "sep_token_id": 102, "eos_token_id": 102}
    text |= {name: min(value, text["vocab_size"] - 1) for name, value in names.items()}
    dropout = DROPOUT if base is None else base.text_config.hidden_dropout_prob
    text |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return {
        "text_config": {**text, "is_decoder": True},
        "vision_config": _image_network_config(weights, base and base.vision_config),
        "image_text_hidden_size": len(weights["text_proj.bias"]),
    }


def _blip2_checkpoint_config(weights: Mapping[str, Tensor], base: Any) -> dict[str, Any]:
    qformer = _text_network_config(weights, "embeddings", "qformer.encoder.layer", base and base.qformer_config)
    looking = {
        int(name.split(".")[3]) for name in weights if name.startswith("qformer.") and ".crossattention." in name
    }
    every = sorted(looking)[1] if len(looking) > 1 else qformer["num_hidden_layers"]
    return {
        "qformer_config": {**qformer, "cross_attention_frequency": every, "use_qformer_text_input": True},
        "vision_config": _image_network_config(weights, base and base.vision_config),
        "num_query_tokens": weights["query_tokens"].shape[1],
        "image_text_hidden_size": len(weights["text_projection.bias"]),
    }


def _text_network_config(weights: Mapping[str, Tensor], embeddings: str, layers: str, base: Any) -> dict[str, Any]:
    vocabulary, width = weights[f"{embeddings}.word_embeddings.weight"].shape
    own = "self" if f"{layers}.0.crossattention.self.key.weight" in weights else "attention"
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "encoder_hidden_size": weights[f"{layers}.0.crossattention.{own}.key.weight"].shape[1],
        "intermediate_size": len(weights[f"{layers}.0.intermediate.dense.bias"]),
        "num_hidden_layers": _layers_in_weights(weights, layers),
        "num_attention_heads": _heads_in_weights(width, base),
        "max_position_embeddings": len(weights[f"{embeddings}.position_embeddings.weight"]),
    }


def _image_network_config(weights: Mapping[str, Tensor], base: Any) -> dict[str, Any]:
    patches = weights["vision_model.embeddings.patch_embedding.weight"]
    places = weights["vision_model.embeddings.position_embedding"].shape[1] - 1
    return {
        "hidden_size": len(patches),
        "intermediate_size": len(weights["vision_model.encoder.layers.0.mlp.fc1.bias"]),
        "num_hidden_layers": _layers_in_weights(weights, "vision_model.encoder.layers"),
        "num_attention_heads": _heads_in_weights(len(patches), base),
        "layer_norm_eps": 1e-6 if base is None else base.layer_norm_eps,
        "patch_size": patches.shape[-1],
        "image_size": patches.shape[-1] * round(places**0.5),
    }


def _layers_in_weights(weights: Mapping[str, Tensor], layers: str) -> int:
    numbered = re.compile(re.escape(layers) + r"\.(\d+)\.")
    return 1 + max(int(found[1]) for name in weights if (found := numbered.match(name)))


def _heads_in_weights(width: int, base: Any) -> int:
    if base is not None:
        return base.num_attention_heads
    if width not in HEADS:
        raise CvrError(f"No published network is {width} wide, so its heads are unknown; name a model with --base.")
    return HEADS[width]
