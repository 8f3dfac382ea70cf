"""Options that encoders share; the Config of an encoder inherits them."""

from dataclasses import dataclass, field

import torch

from cvr_data.core.device import DeviceName, DtypeName, torch_device_in_words, torch_device_of, torch_dtype_of


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Which frames of a video are encoded."""

    frames: int = 8
    """Frames decoded per video, at most."""
    sampler: str = "uniform"
    """Which frames: uniform (the middle of equal segments), middle, first, per-second (as DRL), fps@2 (two of each
    second, evenly), mteb or mteb@2 (as MTEB takes them), mteb-stride (as it did up to 2.24.0: never the tail)."""


@dataclass(frozen=True, kw_only=True)
class Products:
    """How precisely and where a network multiplies."""

    dtype: DtypeName = field(default="auto", metadata={"output": False})
    """Type of the products; auto is bfloat16 where the hardware has it. The manifest records what was used."""
    device: DeviceName = field(default="auto", metadata={"output": False})
    """Where the network runs; auto is the GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class TwoTowers(Frames, Products):
    """Of an image-text model."""

    model: str
    """A folder saved with save_pretrained, or an id on the hub."""
    normalise: bool = True
    """Frame features to unit length; false leaves them as projected."""
    batch_size: int = field(default=16, metadata={"output": False})
    """Frames or texts that go through the network at once."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.batch_size < 1:
            raise ValueError(f"frames and batch_size must be at least 1, got {self.frames} and {self.batch_size}.")


class OnDevice:
    """What runs where its options say, as precisely as they say."""

    def __init__(self, config: Products):
        self.device = torch_device_of(config.device)
        self.dtype = torch_dtype_of(config.dtype, self.device)
        self.runs_on = torch_device_in_words(self.device, self.dtype)

    def autocast(self) -> torch.autocast:
        """Return a block whose products are of the type asked for."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
