"""Optimiser and learning-rate schedule of a training."""

import math

import torch
from torch import nn

from cvr_bench.train_config import TrainConfig


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return Adam, or AdamW that leaves norms, biases and single numbers undecayed."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if config.optimizer == "adam":
        return torch.optim.Adam(trained, lr=config.lr, fused=True)
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.lr, fused=True)


def lr_share(step: int, total: int, schedule: str, warmup: float) -> float:
    """Return the share of the highest learning rate at a step, counted from 0, of `total`.

    Args:
        step: the step.
        total: all steps.
        schedule: cosine, linear or constant after the warm-up.
        warmup: share of all steps in which it rises in a line.
    """
    rising = int(warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if schedule == "linear" else 1.0
