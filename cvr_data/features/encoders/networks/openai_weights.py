"""Weights out of a file without running anything that lies in it.

OpenAI's archives are TorchScript: a zip with a pickle and one raw file per tensor, beside code that torch.jit.load
would compile. Only the pickle and the tensors are read here, by an unpickler that knows how to build tensors,
containers and empty objects and refuses every other name. Plain state dicts go through
torch.load with weights_only, safetensors through its own reader.
"""

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.torch_files import check_torch_file_zip, find_in_nested_dict, load_torch_file, read_safetensors

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
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What readers raise on files that are cut, made by hand or of another kind."""


def read_openai_encoder_weights(path: Path) -> dict[str, Tensor]:
    """Return name -> float32 tensor of an archive, a state dict or a safetensors file.

    Raises:
        CvrError: no such file, not a file of weights, or one that asks for more than building tensors.
    """
    if not path.is_file():
        raise CvrError(f"{path}: no such file; download the archive (https://github.com/openai/CLIP lists them).")
    try:
        weights = {name: value.float() for name, value in _read(path).items() if name not in NOT_WEIGHTS}
    except UNREADABLE as error:
        raise CvrError(f"{path}: not a file of weights that can be read safely ({first_line(error)}).") from None
    if not weights:
        raise CvrError(f"{path}: it holds no tensors by name.")
    return weights


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    check_torch_file_zip(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return _script_tensors(archive)
    state = find_in_nested_dict(load_torch_file(path), ("state_dict",))
    if not isinstance(state, Mapping):
        raise CvrError(f"{path}: it holds no tensors by name.")
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
            return _first
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
    return _collected(module)


def _collected(module: ScriptObject) -> dict[str, Tensor]:
    """Name -> tensor of a module and those in it; one that is a part of itself is gone through once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, ScriptObject]] = [("", module)]
    while waiting:
        prefix, part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        found |= {f"{prefix}{name}": value for name, value in vars(part).items() if isinstance(value, Tensor)}
        inner = [(f"{prefix}{name}.", value) for name, value in vars(part).items() if isinstance(value, ScriptObject)]
        waiting += inner[::-1]
    return found


def _strided(numbers: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    if math.prod(size) > numbers.numel():
        raise ValueError(f"a tensor of shape {tuple(size)} in {numbers.numel()} numbers")
    return torch.as_strided(numbers, size, stride, offset).clone()


def _first(value: Any, *_: Any) -> Any:
    return value
