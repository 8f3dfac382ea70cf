"""BertAdam, the optimiser that CLIP4Clip and DRL were trained with.

Source: as in the authors' code, github.com/foolwood/DRL, on Kingma and Ba 2015 (https://arxiv.org/abs/1412.6980):
Adam with epsilon outside the root and without bias correction, decay added to the update, and the gradient of each
parameter clipped on its own.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class BertAdam(torch.optim.Optimizer):
    """Steps over parameters or groups of them.

    Args:
        params: what is trained.
        lr: learning rate.
        weight_decay: decoupled, of groups without one of their own.
        betas: decays of both moments.
        eps: added to the root of the second.
        max_norm: of the gradient of each parameter.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        weight_decay: float = 0.2,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        max_norm: float = 1.0,
    ):
        defaults = {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps, "max_norm": max_norm}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, (beta, beta_squares) = self.state[parameter], group["betas"]
        if not state:
            state["mean"], state["squares"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None
        gradient = gradient * (group["max_norm"] / (gradient.norm() + 1e-6)).clamp(max=1.0)
        state["mean"].lerp_(gradient, 1 - beta)
        state["squares"].mul_(beta_squares).addcmul_(gradient, gradient, value=1 - beta_squares)
        update = state["mean"] / (state["squares"].sqrt() + group["eps"]) + group["weight_decay"] * parameter
        parameter.sub_(update, alpha=group["lr"])
