"""CoVR-2's Q-Former: the joint pass of a query and the image pass of a target, from weights with published names."""

import json
from typing import Any

import torch

from cvr_bench.models.networks.covr.qformer import QFormerNetwork, qformer_network_config
from tests.golden import Arrays, Comparison
from tests.golden.blip import TOLERANCE, WEIGHTS, compared, image_tokens, published_weights, text_sizes, words

NAMES = {"input_ids", "attention_mask", "visual_embeds", "config_json", "out_hidden"}


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    is_retrack = f"{WEIGHTS}compose_token_mat_weight" in arrays
    return not is_retrack and any(name.startswith(f"{WEIGHTS}Qformer.") for name in arrays)


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name in NAMES or name.startswith((WEIGHTS, "out_query", "out_target"))


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each output of the network."""
    qformer = network(arrays)
    text, image = words(arrays), image_tokens(arrays["visual_embeds"])
    with torch.no_grad():
        query_BKD, target_BKD = qformer.query_tokens_of(text, image), qformer.visual_tokens_of(image)
        found = {
            "hidden": qformer.states(text, image),
            "query_tokens": query_BKD,
            "query": query_BKD.mean(dim=1),
            "target_tokens": target_BKD,
            "target": target_BKD.mean(dim=1),
        }
    return compared(arrays, found, TOLERANCE)


def network(arrays: Arrays) -> QFormerNetwork:
    """Return the network with the weights of the file."""
    sizes, weights, config = stored_qformer(arrays)
    found = QFormerNetwork(config, len(weights["text_projection.bias"]), queries=sizes["num_query_tokens"])
    found.load_state_dict(weights)
    return found.eval()


def stored_qformer(arrays: Arrays) -> tuple[dict[str, Any], dict[str, torch.Tensor], Any]:
    """Return the sizes that a file says, its weights under the names of transformers, and the Q-Former's config."""
    sizes = json.loads(str(arrays["config_json"]))
    vision = {"vision_width": sizes["encoder_hidden_size"], "every": sizes["cross_attention_frequency"]}
    return sizes, published_weights(arrays, "blip2"), qformer_network_config(**text_sizes(sizes), **vision)
