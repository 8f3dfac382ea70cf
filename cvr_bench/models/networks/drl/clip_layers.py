"""Start DRL's Transformers from CLIP's text network, as both references do: its positions and its first layers."""

from typing import Any

import torch
from torch import Tensor, nn

from cvr_bench.models.networks.drl.network import DrlNetwork
from cvr_bench.models.networks.drl.transformer import DEPTH, FrameTransformer, TransformerLayer
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.checkpoints import load_model


def copy_text_layers(clip: str, network: DrlNetwork) -> None:
    """Give the Transformer over frames, and xti's, the positions and first layers of a CLIP's text network.

    Args:
        clip: folder saved with save_pretrained, or id on the hub.
        network: one without a Transformer is left as it is.

    Raises:
        CvrError: the text network cannot be read, or is of another width or too shallow.
    """
    homes: list[tuple[nn.Embedding, nn.ModuleList]] = []
    if isinstance(network.frames, FrameTransformer):
        homes.append((network.frames.frame_position_embeddings, network.frames.transformerClip.resblocks))
    if network.architecture.interaction == "xti":
        homes.append((network.cross.embeddings.position_embeddings, network.cross.transformer.resblocks))
    if not homes:
        return
    text = load_model("CLIPModel", clip).text_model
    positions_ND, layers = text.embeddings.position_embedding.weight, text.encoder.layers
    dim = network.architecture.dim
    if positions_ND.shape[1] != dim or len(layers) < DEPTH:
        raise CvrError(
            f"{clip}: its text network is {positions_ND.shape[1]} wide with {len(layers)} layers; needed are {dim}, "
            f"the width of the embeddings, and at least {DEPTH}."
        )
    with torch.no_grad():
        for table, blocks in homes:
            count = min(len(table.weight), len(positions_ND))
            table.weight[:count] = positions_ND[:count]
            for block, layer in zip(blocks, layers, strict=False):
                assert isinstance(block, TransformerLayer)
                block.load_state_dict(_weights(layer))


def _weights(layer: Any) -> dict[str, Tensor]:
    """A layer of transformers' CLIP under the names of the blocks."""
    attention = layer.self_attn
    inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
    modules = {
        "attn.out_proj": attention.out_proj,
        "ln_1": layer.layer_norm1,
        "ln_2": layer.layer_norm2,
        "mlp.c_fc": layer.mlp.fc1,
        "mlp.c_proj": layer.mlp.fc2,
    }
    return {
        "attn.in_proj_weight": torch.cat([module.weight for module in inputs]),
        "attn.in_proj_bias": torch.cat([module.bias for module in inputs]),
        **{f"{name}.{kind}": getattr(module, kind) for name, module in modules.items() for kind in ("weight", "bias")},
    }
