"""Names of weights: those under which CoVR's and LAVIS' code saved them, brought to those of transformers.

    renamed_checkpoint({"Qformer.bert.encoder.layer.0.attention.self.query.weight": weight}, "blip2")
    # {"qformer.encoder.layer.0.attention.attention.query.weight": weight}

BLIP's text side has the same names in both. EVA, the vision network of BLIP-2, keeps the biases of query and value and
has none for the key; transformers keeps all three in one.

Source: the code of https://github.com/lucas-ventura/CoVR and https://github.com/salesforce/LAVIS.
"""

import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from cvr_data.core.errors import CvrError

Layout = Literal["blip", "blip2", "same"]
"""Whose names a published file has; `same` are those of our own network."""

WRAPPING = re.compile(r"^(?:_forward_module\.|module\.)+")
VISION = (
    (r"^visual_encoder\.", "vision_model."),
    (r"^(vision_model)\.cls_token$", r"\1.embeddings.class_embedding"),
    (r"^(vision_model)\.pos_embed$", r"\1.embeddings.position_embedding"),
    (r"^(vision_model)\.patch_embed\.proj\.", r"\1.embeddings.patch_embedding."),
    (r"^(vision_model)\.blocks\.", r"\1.encoder.layers."),
    (r"^(vision_model\..*)\.norm([12])\.", r"\1.layer_norm\2."),
    (r"\.attn\.proj\.", ".self_attn.projection."),
    (r"\.attn\.", ".self_attn."),
    (r"^(vision_model)\.norm\.", r"\1.post_layernorm."),
)
QFORMER = (
    (r"^ln_vision\.", "vision_model.post_layernorm."),
    (r"^Qformer\.bert\.embeddings\.LayerNorm\.", "qformer.layernorm."),
    (r"^Qformer\.bert\.embeddings\.", "embeddings."),
    (r"^Qformer\.bert\.", "qformer."),
    (r"\.(attention|crossattention)\.self\.", r".\1.attention."),
    (r"^text_proj\.", "text_projection."),
    (r"^vision_proj\.", "vision_projection."),
)
RULES: Mapping[Layout, tuple[tuple[str, str], ...]] = {"blip": VISION, "blip2": (*VISION, *QFORMER), "same": ()}
UNUSED: Mapping[Layout, re.Pattern[str]] = {
    "blip": re.compile(r"\.position_ids$|^temp$|^(text|vision|visual)_(encoder|proj)_m\.|_queue$|^queue_ptr$"),
    "blip2": re.compile(r"\.position_ids$|^temp$|^Qformer\.cls\.|^anchor_projector\.|^point_factor$"),
    "same": re.compile(r"(?!)"),
}
"""What no query or target depends on: buffers, the language head, BLIP's momentum networks, what ReTrack never uses."""


def renamed_checkpoint(weights: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Return the weights under the names of transformers, without those that nothing depends on.

    Raises:
        CvrError: two of them get one name.
    """
    found: dict[str, Tensor] = {}
    for name, weight in _with_joined_biases(weights).items():
        bare = WRAPPING.sub("", name)
        if UNUSED[layout].search(bare):
            continue
        for pattern, replacement in RULES[layout]:
            bare = re.sub(pattern, replacement, bare)
        if bare in found:
            raise CvrError(f"Two weights of the checkpoint are called {bare}; one of them was {name}.")
        found[bare] = weight
    return found


def _with_joined_biases(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """EVA's q_bias and v_bias as one bias of query, key (zero) and value."""
    joined = {name: weight for name, weight in weights.items() if not name.endswith((".q_bias", ".v_bias"))}
    for name, query in weights.items():
        if name.endswith(".q_bias"):
            stem = name.removesuffix("q_bias")
            value = weights.get(f"{stem}v_bias")
            if value is None:
                raise CvrError(f"The checkpoint has {name} but no {stem}v_bias.")
            joined[f"{stem}qkv.bias"] = torch.cat([query, torch.zeros_like(query), value])
    return joined
