"""The type of a language model's products, decided before rows and cache keys are named after it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from cvr_data.modifications.backends import HasDevice, HasType

if TYPE_CHECKING:
    import torch

Config = TypeVar("Config")


def backend_with_type(config: Config) -> Config:
    """Return a backend's config with `dtype=auto` replaced by what its device multiplies fast.

    One without a dtype (rules, echo, a server that decides for itself) is returned as it is.
    """
    if not isinstance(config, HasType) or config.dtype != "auto":
        return config
    from cvr_data.core.device import device_hardware, torch_type_name

    chosen: Any = config
    return replace(chosen, dtype=torch_type_name("auto", device_hardware(_engine_device(config))))


def language_model_unusual_type(dtype: str) -> list[str]:
    """Return what a model's name says of the type: nothing of bfloat16, which all texts were written with once."""
    return [] if dtype == "bfloat16" else [dtype]


def backend_runs_on(config: Any) -> dict[str, str]:
    """Return what a manifest records of where texts were written: `cpu float32`; nothing without a network of ours."""
    if not isinstance(config, HasType):
        return {}
    return {"runs_on": f"{_engine_device(config).type} {backend_with_type(config).dtype}"}


def _engine_device(config: Any) -> "torch.device":
    from cvr_data.core.device import torch_device_of

    return torch_device_of(config.device if isinstance(config, HasDevice) else "auto")
