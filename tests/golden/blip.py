"""CoVR-BLIP's text side, its text-only variant and BSE-CoVR's query, from weights with the published names."""

import json

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
    text = Words(torch.from_numpy(arrays["input_ids"]), torch.from_numpy(arrays["attention_mask"]).bool())
    described = Words(torch.from_numpy(arrays["description_ids"]), torch.from_numpy(arrays["description_mask"]).bool())
    tokens_BPV = torch.from_numpy(arrays["visual_embeds"])
    image = ImageTokens(tokens_BPV, torch.ones(tokens_BPV.shape[:2], dtype=torch.bool))
    with torch.no_grad():
        prompted = ImageTokens(tokens_BPV + network_.prompt(described)[:, :1], image.mask_BP)
        found = {
            "hidden": network_.states(text, image),
            "query": network_.query(text, image),
            "text_only_query": network_.query(described, None),
            "bse_query": network_.query(text, prompted),
        }
    return [
        Comparison(name=name, expected=arrays[f"out_{name}"], found=value.numpy(), tolerance=TOLERANCE)
        for name, value in found.items()
    ]


def network(arrays: Arrays) -> BlipNetwork:
    """Return the network with the weights of the file."""
    sizes = json.loads(str(arrays["config_json"]))
    weights = renamed_checkpoint(
        {
            name.removeprefix(WEIGHTS): torch.from_numpy(value)
            for name, value in arrays.items()
            if name.startswith(WEIGHTS)
        },
        "blip",
    )
    config = blip_text_config(
        width=sizes["hidden_size"],
        layers=sizes["num_hidden_layers"],
        heads=sizes["num_attention_heads"],
        hidden=sizes["intermediate_size"],
        vocabulary=sizes["vocab_size"],
        positions=sizes["max_position_embeddings"],
        vision_width=sizes["encoder_width"],
    )
    found = BlipNetwork(
        BlipTextModel(config, add_pooling_layer=False),
        sizes["encoder_width"],
        len(weights["text_proj.bias"]),
        enc_id=int(arrays["input_ids"][0, 0]),
        with_prompt=True,
    )
    found.load_state_dict(weights)
    return found.eval()
