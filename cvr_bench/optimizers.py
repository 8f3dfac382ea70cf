"""Optimiser and learning-rate schedule of a training."""

import math
from typing import Any

import torch
from torch import nn

from cvr_bench.bert_adam import BertAdam
from cvr_bench.train_config import TrainConfig
from cvr_data.errors import CvrError

SHARE = "lr_share"
"""Of the learning rate, in the groups of a pretrained part."""


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimiser; where it decays, norms, biases and single numbers are left out unless `decay` is all.

    Raises:
        CvrError: a pretrained part is to have its own learning rate, and no parameter is of it.
    """
    if config.optimizer == "adam":
        return torch.optim.Adam(_groups(module, config, decay=False), lr=config.lr, fused=True)
    groups = _groups(module, config, decay=True)
    if config.optimizer == "bertadam":
        return BertAdam(groups, lr=config.lr)
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate; a pretrained part has its share of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get(SHARE, 1.0)


def lr_share(step: int, total: int, schedule: str, warmup: float) -> float:
    """Return the share of the highest learning rate at a step, counted from 0, of `total`.

    Args:
        step: the step.
        total: all steps.
        schedule: cosine (or epoch-cosine), linear or constant after the warm-up, or BertAdam's.
        warmup: share of all steps in which it rises in a line.
    """
    if schedule == "bertadam":
        done = step / total
        return done / warmup if done < warmup else 0.5 * (1 + math.cos(math.pi * done))
    rising = int(warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    if schedule in ("cosine", "epoch-cosine"):
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if schedule == "linear" else 1.0


def _groups(module: nn.Module, config: TrainConfig, *, decay: bool) -> list[dict[str, Any]]:
    """The trained parameters: those of a pretrained part apart from others, and decayed ones apart from others."""
    is_apart = config.coef_lr != 1
    found: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            is_pretrained = is_apart and name.startswith(config.pretrained)
            has_decay = decay and (parameter.ndim >= 2 or config.decay == "all")
            found.setdefault((is_pretrained, has_decay), []).append(parameter)
    if is_apart and not any(is_pretrained for is_pretrained, _ in found):
        heads = sorted({name.split(".")[0] for name, _ in module.named_parameters()})
        raise CvrError(
            f"coef_lr is for a pretrained part, and no trained parameter begins with {config.pretrained!r}; set "
            f"-t pretrained=PREFIX to the start of some: {', '.join(heads)}."
        )
    kinds = sorted(found, key=lambda kind: (kind[0], not kind[1]))  # others first; decayed ones first
    return [
        {
            "params": found[kind],
            **({"weight_decay": config.weight_decay if kind[1] else 0.0} if decay else {}),
            **({SHARE: config.coef_lr} if kind[0] else {}),
        }
        for kind in kinds
    ]
