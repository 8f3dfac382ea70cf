"""CoVR-BLIP's text side, its text-only variant and BSE-CoVR's query, from weights with the published names."""

import json
from collections.abc import Mapping

import numpy as np
import torch
from transformers.models.blip.modeling_blip_text import BlipTextModel

from cvr_bench.checkpoints.names import renamed_checkpoint
from cvr_bench.models.networks.covr.blip import BlipNetwork, ImageTokens, Words, blip_text_config
from tests.golden import Arrays, Comparison

TOLERANCE = 1e-5
WEIGHTS = "sd."
INPUTS = {"input_ids", "attention_mask", "visual_embeds", "description_ids", "description_mask", "config_json"}
OUTPUTS = {"out_hidden", "out_query", "out_text_only_query", "out_bse_query"}


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    return any(name.startswith(f"{WEIGHTS}text_encoder.") for name in arrays)


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name in INPUTS | OUTPUTS or name.startswith(WEIGHTS)


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each output of the network."""
    network_ = network(arrays)
    text, described = words(arrays), words(arrays, "description_ids", "description_mask")
    image = image_tokens(arrays["visual_embeds"])
    with torch.no_grad():
        prompted = ImageTokens(image.tokens_BPV + network_.prompt(described)[:, :1], image.mask_BP)
        found = {
            "hidden": network_.states(text, image),
            "query": network_.query(text, image),
            "text_only_query": network_.query(described, None),
            "bse_query": network_.query(text, prompted),
        }
    return compared(arrays, found, TOLERANCE)


def words(arrays: Arrays, ids: str = "input_ids", mask: str = "attention_mask") -> Words:
    """Return texts of the file."""
    return Words(torch.from_numpy(arrays[ids]), torch.from_numpy(arrays[mask]).bool())


def image_tokens(tokens_BPV: np.ndarray) -> ImageTokens:
    """Return images, no token of which is padding."""
    return ImageTokens(torch.from_numpy(tokens_BPV), torch.ones(tokens_BPV.shape[:2], dtype=torch.bool))


def compared(arrays: Arrays, found: Mapping[str, torch.Tensor], tolerance: float) -> list[Comparison]:
    """Return what we get beside the file's outputs of these names."""
    return [
        Comparison(name=name, expected=arrays[f"out_{name}"], found=value.detach().numpy(), tolerance=tolerance)
        for name, value in found.items()
    ]


def published_weights(arrays: Arrays, layout: str) -> dict[str, torch.Tensor]:
    """Return the file's weights under the names of transformers."""
    weights = {name: torch.from_numpy(value) for name, value in arrays.items() if name.startswith(WEIGHTS)}
    return renamed_checkpoint({name.removeprefix(WEIGHTS): weight for name, weight in weights.items()}, layout)


def text_sizes(sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes of a text network, as our configs call them."""
    names = {
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "hidden": "intermediate_size",
        "vocabulary": "vocab_size",
        "positions": "max_position_embeddings",
    }
    return {ours: sizes[theirs] for ours, theirs in names.items()}


def network(arrays: Arrays) -> BlipNetwork:
    """Return the network with the weights of the file."""
    sizes = json.loads(str(arrays["config_json"]))
    weights = published_weights(arrays, "blip")
    config = blip_text_config(**text_sizes(sizes), vision_width=sizes["encoder_width"])
    found = BlipNetwork(
        BlipTextModel(config, add_pooling_layer=False),
        sizes["encoder_width"],
        len(weights["text_proj.bias"]),
        enc_id=int(arrays["input_ids"][0, 0]),
        with_prompt=True,
    )
    found.load_state_dict(weights)
    return found.eval()
