"""FDCA's released network in evaluation, at any width, length, depth and batch."""

import json

import numpy as np
import torch
from torch import Tensor

from cvr_bench.models.networks.fdca.faithful import FaithfulFdca, FaithfulLosses, TextView
from tests.golden import Arrays, Comparison

INPUTS = ("ids", "ids_without_negation", "text_feat", "text_tok", "text_feat_wo", "text_tok_wo", "reference", "target")
OUTPUTS = ("query", "query_token", "query_negative", "retained", "retained_token")
LOGITS = ("logits", "logits_token", "logits_retained")
WEIGHTS = ("weight_seed", "weight_shapes_json")
NAMES = {*INPUTS, *WEIGHTS, "out_triplet", *(f"out_{name}" for name in (*OUTPUTS, *LOGITS))}
TOLERANCE, TOKEN_LOGITS_TOLERANCE = 1e-4, 2e-3


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    return "ids" in arrays or "weight_shapes_json" in arrays


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name in NAMES


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each output of the network, with the query also as retrieval computes it."""
    module = network(arrays)
    inputs = {name: torch.from_numpy(arrays[name]) for name in INPUTS}
    video_BD = inputs["reference"].mean(dim=1)
    text = TextView(inputs["text_feat"], inputs["text_tok"], inputs["ids"] != 0)
    stripped = TextView(inputs["text_feat_wo"], inputs["text_tok_wo"], inputs["ids_without_negation"] != 0)
    composition = module.compose(video_BD, text, stripped)
    losses = FaithfulLosses.of(composition, inputs["target"].mean(dim=1))
    with torch.no_grad():
        merged_BD = module.encode_query(video_BD, text.pooled_BD)
    found = {name: getattr(composition, f"{name}_BD") for name in OUTPUTS}
    found |= {name: getattr(losses, f"{name}_BB") for name in LOGITS}
    compared = [_comparison(arrays, name, value) for name, value in {**found, "triplet": losses.triplet}.items()]
    return [*compared, _comparison(arrays, "query", merged_BD, " (merged projections)")]


def network(arrays: Arrays) -> FaithfulFdca:
    """Return the network with the weights that the file describes."""
    weights = drawn_weights(int(arrays["weight_seed"]), json.loads(str(arrays["weight_shapes_json"])))
    layers = {name.split(".")[2] for name in weights if name.startswith("trans_1.layers.")}
    module = FaithfulFdca(
        arrays["text_feat"].shape[-1],
        depth=len(layers),
        hidden=len(weights["trans_1.layers.0.linear1.bias"]),
        positions=(
            len(weights["remained_extractor.imgs_pos_embedding.weight"]),
            len(weights["remained_extractor.words_pos_embedding.weight"]),
        ),
    )
    module.load_state_dict(weights)
    return module.eval()


def drawn_weights(seed: int, shapes: list[tuple[str, list[int]]]) -> dict[str, Tensor]:
    """Return the weights, drawn one after the other from one generator."""
    draw = np.random.RandomState(seed)
    weights = {}
    for name, shape in shapes:
        scale = 0.3 if len(shape) == 1 else 1 / np.sqrt(np.prod(shape[1:]))
        values = draw.standard_normal(shape) * scale
        if name.endswith("weight") and len(shape) == 1:
            values = values + 1
        weights[name] = torch.from_numpy(values).float()
    return weights


def _comparison(arrays: Arrays, name: str, found: Tensor, how: str = "") -> Comparison:
    return Comparison(
        name=f"{name}{how}",
        expected=arrays[f"out_{name}"],
        found=found.detach().numpy(),
        tolerance=TOKEN_LOGITS_TOLERANCE if name == "logits_token" else TOLERANCE,
    )
