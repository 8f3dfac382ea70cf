"""Gradients of models on a batch that two processes share: run as `python -m tests.two_processes RANK PORT OUT`.

Each process has half of the rows, in one chunk or in two; the averaged gradients of the first one are written to OUT.
"""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator

from cvr_bench.models import MODELS
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.processes import average_network_gradients, is_first_model_process, model_process_number
from cvr_bench.training.launch import Place, join_training_group, leave_training_group
from cvr_bench.training.loop import training_backward
from cvr_data.features.encoders import ENCODERS

TEXTS = ("make it red", "not a dog, a cat without a hat", "the same dog", "it jumps and does not run")
CASES = [
    ("combiner", {"projection": 8, "hidden": 8, "dropout": 0.0}),
    ("tirg", {}),
    ("fdca", {"width": 8, "heads": 2, "dropout": 0.0, "fusion_dropout": 0.0}),
    ("fdca", {"mode": "faithful", "depth": 1, "dropout": 0.0}),
    ("composer", {"width": 8, "heads": 2, "noise": 0.0, "dropout": 0.0, "fusion_dropout": 0.0}),
    ("drl", {"positions": 16}),
    ("clip4clip", {"positions": 16}),
    ("covr-blip", {"width": 8, "layers": 1, "heads": 2}),
    ("covr-blip2", {"width": 8, "layers": 1, "heads": 2}),
    ("bse-covr", {"width": 8, "layers": 1, "heads": 2}),
    ("ecde", {"width": 8, "layers": 1, "heads": 2}),
]
BY_BATCH = {"tirg", "drl", "clip4clip", "covr-blip", "covr-blip2", "bse-covr", "ecde", "retrack", "hud"}
"""Models that are compared in eval mode: batch norm sees a part at a time, and dropout is drawn in parts."""
ROWS = 12
SIDES = ("reference", "target")


def tiny_encoder():
    return ENCODERS.get("hash").load(ENCODERS.config("hash", {"dim": "16", "frames": "2"}))


def triplets():
    """Some have the same target, and texts are of several lengths: those of one half are all shorter."""
    targets = [f"t{row % 8}" for row in range(ROWS)]
    return TrainingSet(
        reference_ids=[f"v{row % 7}" for row in range(ROWS)],
        modifications=[f"{TEXTS[row % len(TEXTS)]} {row}" for row in range(ROWS)],
        target_ids=targets,
        target_group_ids=targets,
        extra={f"{side}_caption": [f"{TEXTS[row % 3]} {side} {row}" for row in range(ROWS)] for side in SIDES},
    )


def model(name, options):
    """A model in training mode, if that is not drawn anew."""
    component = MODELS.get(name)
    retriever = component.load(component.Config(**options), tiny_encoder())
    retriever.module.train(name not in BY_BATCH)
    return retriever


def gradients(retriever, groups, training_step=None):
    """(losses, gradients by name) of a batch in chunks of these rows; of several processes, of the batch of all."""
    chunks = [triplets().batch(rows, tiny_encoder()) for rows in groups]
    losses = training_backward(Accelerator(cpu=True), training_step or retriever.training_step, chunks)
    average_network_gradients(retriever.module)
    found = {name: parameter.grad for name, parameter in retriever.module.named_parameters()}
    retriever.module.zero_grad()
    return losses, found


def main(rank: str, port: str, out: str) -> None:
    join_training_group(Place(int(rank), 2, int(rank), "127.0.0.1", int(port)))
    half = list(range(ROWS))[ROWS // 2 * model_process_number() :][: ROWS // 2]
    found = {}
    for number, (name, options) in enumerate(CASES):
        found[f"{number} whole"] = gradients(model(name, options), [half])
        found[f"{number} chunks"] = gradients(model(name, options), [half[:3], half[3:]])
    if is_first_model_process():
        torch.save(found, Path(out))
    leave_training_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
