"""Optimiser and learning-rate schedule of a training.

BertAdam, the optimiser that CLIP4Clip and DRL were trained with.

Source: as in the authors' code, github.com/foolwood/DRL, on Kingma and Ba 2015 (https://arxiv.org/abs/1412.6980):
Adam with epsilon outside the root and without bias correction, decay added to the update, and the gradient of each
parameter clipped on its own.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cvr_bench.training.config import TrainConfig
from cvr_data.core.errors import CvrError

SHARE = "lr_share"
"""Of the learning rate, in the groups of a pretrained part."""
BETAS, EPSILON, MAX_NORM = (0.9, 0.98), 1e-6, 1.0
"""Of BertAdam: decays of both moments, what is added to the root of the second, and most of a parameter's gradient."""


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimiser; where it decays, norms, biases and single numbers are left out unless `decay` is all.

    Raises:
        CvrError: a pretrained part is to have its own learning rate, and no parameter is of it.
    """
    if config.optimizer == "adam":
        return torch.optim.Adam(_parameter_groups(module, config, decay=False), lr=config.lr, fused=True)
    groups = _parameter_groups(module, config, decay=True)
    if config.optimizer == "bertadam":
        return BertAdam(groups, lr=config.lr)
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate; a pretrained part has its share of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get(SHARE, 1.0)


def lr_share(step: int, total: int, schedule: str, warmup: float) -> float:
    """Return the share of the highest learning rate at a step, counted from 0, of `total`.

    It rises in a line in the share `warmup` of all steps, then goes by the schedule, but for BertAdam's.
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


def _parameter_groups(module: nn.Module, config: TrainConfig, *, decay: bool) -> list[dict[str, Any]]:
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


class BertAdam(torch.optim.Optimizer):
    """Steps over parameters or groups of them; decay is decoupled, and of groups without one of their own."""

    def __init__(self, params: Iterable[Any], *, lr: float, weight_decay: float = 0.2):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, (beta, beta_squares) = self.state[parameter], BETAS
        if not state:
            state["mean"], state["squares"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None
        gradient = gradient * (MAX_NORM / (gradient.norm() + 1e-6)).clamp(max=1.0)
        state["mean"].lerp_(gradient, 1 - beta)
        state["squares"].mul_(beta_squares).addcmul_(gradient, gradient, value=1 - beta_squares)
        update = state["mean"] / (state["squares"].sqrt() + EPSILON) + group["weight_decay"] * parameter
        parameter.sub_(update, alpha=group["lr"])
