"""Weights out of a file without running anything that lies in it.

OpenAI's archives are TorchScript: a zip with a pickle and one raw file per tensor, beside code that torch.jit.load
would compile. Only the pickle and the tensors are read here, by an unpickler that knows how to build tensors,
containers and empty objects and refuses every other name. Plain state dicts go through
torch.load(weights_only=True), safetensors through its own reader.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cvr_data.core.errors import CvrError, first_line

NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's archives keep among the weights."""
STORAGES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What readers raise on files that are cut, made by hand or of another kind."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return name -> float32 tensor of an archive, a state dict or a safetensors file.

    Raises:
        CvrError: no such file, not a file of weights, or one that asks for more than building tensors.
    """
    if not path.is_file():
        raise CvrError(f"{path}: no such file; download the archive (https://github.com/openai/CLIP lists them).")
    try:
        state = _read(path)
    except UNREADABLE as error:
        raise CvrError(f"{path}: not a file of weights that can be read safely ({first_line(error)}).") from None
    weights = {name: value.float() for name, value in state.items() if name not in NOT_WEIGHTS}
    if not weights:
        raise CvrError(f"{path}: it holds no tensors by name.")
    return weights


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(str(error)) from None
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return _script_tensors(archive)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    state = loaded.get("state_dict", loaded)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


class ScriptObject:
    """An empty stand-in for a module of an archive; the unpickler fills in its attributes."""


class _Unpickler(pickle.Unpickler):
    """Builds tensors, ordered dicts and stand-ins, and nothing else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, root: str):
        super().__init__(file)
        self.archive = archive
        self.root = root

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name of the pickle stands for here; refuse every name that archives do not need."""
        if module == "__torch__" or module.startswith("__torch__."):
            return ScriptObject
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _strided
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _parameter
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch.jit._pickle":
            return _first
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the numbers of one storage as a flat tensor."""
        _, dtype, key, _, _ = pid
        data = self.archive.read(f"{self.root}data/{key}")
        return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _script_tensors(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
    if name is None:
        raise ValueError("the archive has no data.pkl")
    with archive.open(name) as file:
        module = _Unpickler(file, archive, name.removesuffix("data.pkl")).load()
    if not isinstance(module, ScriptObject):
        raise ValueError("the archive holds no module")
    found: dict[str, Tensor] = {}
    _collect(module, "", found)
    return found


def _collect(module: Any, prefix: str, found: dict[str, Tensor]) -> None:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            found[f"{prefix}{name}"] = value
        elif isinstance(value, ScriptObject):
            _collect(value, f"{prefix}{name}.", found)


def _strided(numbers: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return torch.as_strided(numbers, size, stride, offset).clone()


def _parameter(data: Tensor, *_: Any) -> Tensor:
    return data


def _first(value: Any, *_: Any) -> Any:
    return value
