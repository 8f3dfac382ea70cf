"""Gradients of a model that were worked out in two ways, compared as float32 on any processor allows.

Rounding errors are as large as the terms of a sum, not as its result: a parameter whose gradient is zero by the model's
symmetries (a bias before a norm) has nothing but such errors. So they are held against the whole model's gradient, 2e-7
of which was the most that was seen (AVX2), and beyond that against the parameter's own.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

OF_MODEL, OF_PARAMETER = 2e-6, 1e-4


def assert_same_gradients(found: Mapping[str, Tensor | None], expected: Mapping[str, Tensor | None]) -> None:
    """Check that both have gradients for the same parameters, and equal ones but for rounding."""
    assert {name for name, gradient in found.items() if gradient is not None} == {
        name for name, gradient in expected.items() if gradient is not None
    }
    pairs = {name: (found[name].double(), value.double()) for name, value in expected.items() if value is not None}
    whole = torch.stack([value.norm() for _, value in pairs.values()]).norm()
    off = {
        name: (float(one.sub(other).norm()), float(OF_MODEL * whole + OF_PARAMETER * other.norm()))
        for name, (one, other) in pairs.items()
    }
    assert not {name: sizes for name, sizes in off.items() if not sizes[0] <= sizes[1]}
