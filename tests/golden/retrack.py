"""ReTrack as released, from image tokens: outputs, losses, and gradients, which a wrong stop-gradient changes alone."""

import json
from functools import partial

import numpy as np
import torch

from cvr_bench.checkpoints.names import renamed_checkpoint
from cvr_bench.models.networks.covr.qformer import LAST_NORM
from cvr_bench.models.networks.covr.retrack import RetrackNetwork, released_losses, retrack_loss_inputs
from tests.golden import Arrays, Comparison
from tests.golden.blip import WEIGHTS, image_tokens, words
from tests.golden.blip import compared as outputs_beside
from tests.golden.blip2 import stored_qformer

GRADIENTS = "out_grad."
NAMES = {"input_ids", "attention_mask", "ref_vit", "target_vit", "config_json"}
LOOSE, LOGITS, LOSSES = (1e-5, 3e-5), (1e-4, 3e-4), (2e-5, 5e-5)
"""Absolute tolerances, of one frame and of several."""
OF_GRADIENTS = 1e-3
"""Relative, in norm."""


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    return f"{WEIGHTS}compose_token_mat_weight" in arrays


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name in NAMES or name.startswith((WEIGHTS, "out_"))


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each output of the network, its losses and their gradients."""
    settings = json.loads(str(arrays["config_json"]))
    retrack = network(arrays)
    frames = [arrays[name] for name in ("ref_vit", "target_vit")]
    reference, target = (image_tokens(tokens.reshape(len(tokens), -1, tokens.shape[-1])) for tokens in frames)
    batch = retrack.encoded(words(arrays), reference, target)
    reference_BKD = retrack.target(reference)
    found = retrack_loss_inputs(retrack, batch, settings["temperature"])
    parts = released_losses(found)
    evidence = (parts["evidence_reference"] + parts["evidence_text"]) / 2
    loss = parts["ranking"] + settings["kappa"] * parts["direction"] + settings["lambda"] * evidence
    loss.backward()
    unit = partial(torch.nn.functional.normalize, dim=-1)
    exact = {
        "query_tokens": batch.query_BKD,
        "query": unit(batch.query_BKD.mean(dim=1)),
        "target_tokens": batch.target_BKD,
        "target": unit(batch.target_BKD.mean(dim=1)),
        "reference_tokens": reference_BKD,
        "reference": batch.reference_BD,
        "text": batch.text_BD,
        "scores": retrack.score(batch.query_BKD, batch.target_BKD),
        "evidence_reference": found.evidence[0],
        "evidence_text": found.evidence[1],
    }
    loose = {"reference_anchors": found.anchors[0], "text_anchors": found.anchors[1]}
    logits = {"logits": found.logits_BB, "direction_logits": found.direction_BB}
    losses = {"loss": loss, **{f"loss_{name}": value for name, value in parts.items()}}
    several = settings["frames"] > 1
    tolerances = [(exact, 1e-5), (loose, LOOSE[several]), (logits, LOGITS[several]), (losses, LOSSES[several])]
    outputs = [each for values, tolerance in tolerances for each in outputs_beside(arrays, values, tolerance)]
    return outputs + _gradients(arrays, retrack)


def network(arrays: Arrays) -> RetrackNetwork:
    """Return the network with the weights of the file."""
    sizes, weights, config = stored_qformer(arrays)
    queries, frames, batch = (sizes[name] for name in ("num_query_tokens", "frames", "batch"))
    found = RetrackNetwork(config, sizes["embed_dim"], queries=queries, frames=frames, batch=batch)
    found.load_state_dict({name.replace(LAST_NORM, "ln_vision."): weight for name, weight in weights.items()})
    return found.eval()


def _gradients(arrays: Arrays, retrack: RetrackNetwork) -> list[Comparison]:
    """Each as a part of the expected one's norm."""
    parameters = dict(retrack.named_parameters())
    wanted = [name.removeprefix(GRADIENTS) for name in arrays if name.startswith(GRADIENTS)]
    found = []
    for published in wanted:
        (name,) = renamed_checkpoint({published: torch.zeros(1)}, "blip2")
        gradient, expected = parameters[name.replace(LAST_NORM, "ln_vision.")].grad, arrays[f"{GRADIENTS}{published}"]
        assert gradient is not None, name
        off = np.linalg.norm(gradient.numpy() - expected) / np.linalg.norm(expected)
        found.append(
            Comparison(name=f"grad.{published}", expected=np.zeros(1), found=off.reshape(1), tolerance=OF_GRADIENTS)
        )
    return found
