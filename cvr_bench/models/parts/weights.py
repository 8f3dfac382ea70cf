"""Trained weights on disk: our safetensors, and the published `.pt` files of FDCA and the CLIP4Cir Combiner."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from safetensors.torch import save
from torch import Tensor, nn

from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.torch_files import find_in_nested_dict, load_torch_file, read_safetensors
from cvr_data.core.whole_files import write_bytes

WEIGHTS = "model.safetensors"
TRAINING = "training"
"""The folder, beside a result, that training writes."""
WRAPPERS = ("Combiner", "state_dict", "model")
"""Names under which published files keep their weights."""
FROZEN = ("clip_model.", "vision_model.", "itm_head.")
"""Names of frozen networks, and of a head nothing uses, that whole checkpoints hold as well; features replace them."""
EXTRA = "extra.safetensors"
"""Beside the weights of a transformers model: those of ours for which its class has no place."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where training starts; the Config of a trained model inherits it."""

    checkpoint: Path | None = None
    """Trained weights; None starts from random ones."""
    seed: int = 0
    """Of the first weights."""


@runtime_checkable
class KnowsOlderWeights(Protocol):
    """A module that reads files of before it had some of its weights."""

    def older_weights(self) -> dict[str, Tensor]:
        """Return what these files lack, as it was."""


def write_network_weights(module: nn.Module, path: Path) -> None:
    """Write the weights of a module; the file appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_bytes(path, save(weights))


def load_model_weights(module: nn.Module, path: Path | None) -> None:
    """Load weights, all that a module has, from a file or a folder of `cvr bench` or training; None changes nothing.

    Raises:
        CvrError: the file is absent, unreadable, unsafe to load, or of another model.
    """
    if path is None:
        return
    file = _find(path)
    weights = {name: tensor for name, tensor in read_model_weights(file).items() if not name.startswith(FROZEN)}
    weights |= read_model_extra_weights(file.parent)
    weights = {**(module.older_weights() if isinstance(module, KnowsOlderWeights) else {}), **weights}
    expected = module.state_dict()
    lacking, surplus = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    for what, names in (("lacks", lacking), ("also holds", surplus)):
        if names:
            raise CvrError(f"{file} is of another model or other options: it {what} {first_few(names)}.")
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            found, allowed = tuple(weights[name].shape), tuple(tensor.shape)
            raise CvrError(f"{file} is of other options: {name} has shape {found}, the model {allowed}.")
    module.load_state_dict(weights)


def _find(path: Path) -> Path:
    if (path / MANIFEST).exists():
        open_artifact(path)
    for file in (path, path / WEIGHTS, path / TRAINING / WEIGHTS):
        if file.is_file():
            return file
    raise CvrError(f"There is no checkpoint at {path}: neither a file nor a folder with {TRAINING}/{WEIGHTS}.")


def read_model_extra_weights(folder: Path) -> dict[str, Tensor]:
    """Return the weights beside those of a transformers model in a folder; none where there are none."""
    return read_safetensors(folder / EXTRA) if (folder / EXTRA).is_file() else {}


def read_model_weights(file: Path) -> Mapping[str, Tensor]:
    """Return the weights in a `.safetensors` file or one of torch.save, which is never unpickled freely.

    Raises:
        CvrError: it cannot be read, or holds none.
    """
    if file.suffix == ".safetensors":
        return read_safetensors(file)
    if not zipfile.is_zipfile(file):
        raise CvrError(f"Cannot read the checkpoint {file}: neither safetensors nor a file of torch.save.")
    content = find_in_nested_dict(load_torch_file(file), WRAPPERS)
    weights = (
        {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    if not weights:
        raise CvrError(f"{file} holds no weights.")
    return weights
