"""What a training is known by: a hash of all that decides the network it ends with, and of nothing else."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.tasks.task import Item, Task
from cvr_bench.training.config import TrainConfig
from cvr_data.core.artifacts import artifact_key
from cvr_data.core.registry import config_dict


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """Where a network and its features come from; what neither its weights nor its data tell."""

    model: str
    """Its name."""
    options: Mapping[str, Any]
    """Of its Config (`config_dict`): losses, margins, dropout."""
    source: str
    """The digest of its code, losses included."""
    features: Mapping[str, str]
    """The key of each artifact that features and media are read from."""


def training_key(
    made_by: MadeBy, start: nn.Module, training_set: TrainingSet, validation_task: Task | None, config: TrainConfig
) -> str:
    """Return the key of a training that begins with the weights of `start`.

    Devices, processes and what is logged are not in it. Where media lie is not: `features` says which they are.
    """
    return artifact_key(
        {
            "made_by": {**vars(made_by), "options": dict(made_by.options), "features": dict(made_by.features)},
            "start": _weights_digest(start),
            "train": config_dict(config),
            "triplets": {
                name: list(getattr(training_set, name))
                for name in ("reference_ids", "modifications", "target_ids", "target_group_ids", "weights")
            },
            "columns": {name: list(values) for name, values in training_set.extra.items()},
            "validation": None if validation_task is None else _validation(validation_task),
        }
    )


def _weights_digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _validation(task: Task) -> dict[str, Any]:
    """What chooses the epoch that is kept: which queries are ranked against what, and what is counted."""
    return {
        "queries": [
            [query.query_id, query.reference and _item_as_key(query.reference), query.modification, query.description]
            for query in task.queries
        ],
        "gallery": sorted(_item_as_key(item) for item in task.gallery),
        "targets": _sorted_members(task.targets),
        "candidates": None if task.candidates is None else _sorted_members(task.candidates),
        "ks": list(task.ks),
        "protocol": task.protocol.key,
    }


def _item_as_key(item: Item) -> list[Any]:
    return [item.item_id, item.text or "", list(item.texts)]


def _sorted_members(sets: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    return {name: sorted(members) for name, members in sets.items()}
