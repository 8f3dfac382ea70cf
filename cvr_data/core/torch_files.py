"""Files of torch.save, read without running what lies in them, and within limits.

A file may say that it holds more numbers than it has bytes, that it packs terabytes, or that it is a part of itself.
"""

import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import whole_file

TIMES = 4
"""How much more than its file what is read may take: torch stores tensors as they are, and shares few."""
SPARE = 1 << 20
"""Bytes that any file may take beside."""
SCHEDULES = re.compile(r"src\.[\w.]*\.(Cosine|Step|Exponential)Schedule")
"""Classes of CoVR's code and of what was made from it, by name; nothing of theirs is run or looked for."""
LEVELS = 8
"""Dictionaries around the weights, at most."""


def load_torch_file(path: Path) -> Any:
    """Return what torch.save wrote: tensors, and containers of them.

    Raises:
        CvrError: it cannot be read, asks for code, or claims more than it holds.
    """
    import torch

    try:
        with reading(path, "weights"):
            check_torch_file_zip(path)
        with torch.serialization.safe_globals(_inert_schedules(path)):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CvrError:
        raise
    except Exception as error:  # of any kind: a damaged pickle ends wherever its bytes lead
        raise CvrError(f"{path}: not a file of weights that can be read safely ({_torch_reason(error)}).") from None
    held = sum(tensor.numel() * tensor.element_size() for tensor in _tensors_in_file(content))
    _check_size(path, held)
    return content


class _Inert:
    """What stands for the schedule of a learning rate, which released code saves whole beside its weights."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass


def _inert_schedules(path: Path) -> list[Any]:
    """The classes of schedules that a file names, each as one of ours that does nothing."""
    import torch

    if not zipfile.is_zipfile(path):
        return []
    named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return [(_Inert, name) for name in named if SCHEDULES.fullmatch(name)]


def _torch_reason(error: Exception) -> str:
    """The first sentence of what torch says, without its advice to read the file unsafely."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f"it names {named[1]}" if named else first_line(error).partition(". ")[0].rstrip(".")


def check_torch_file_zip(path: Path) -> None:
    """Refuse an archive that unpacks to far more than it is. Raises CvrError: it would."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_size(path, sum(info.file_size for info in archive.infolist()))


def find_in_nested_dict(content: Any, wrappers: Collection[str]) -> Any:
    """Return what lies in the dictionaries around it that have one of these names; the innermost of at most 8."""
    for _ in range(LEVELS):
        names = [name for name in wrappers if isinstance(content, Mapping) and isinstance(content.get(name), Mapping)]
        if not names:
            break
        content = content[names[0]]
    return content


def _check_size(path: Path, size: int) -> None:
    if size > TIMES * path.stat().st_size + SPARE:
        raise CvrError(f"{path} claims {size} bytes of weights, which a file of its size cannot hold.")


def _tensors_in_file(content: Any) -> Iterator[Any]:
    """Every tensor in containers, each container once: one may hold itself."""
    import torch

    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, Mapping) else value)


def read_safetensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a `.safetensors` file by name. Raises CvrError: it is missing or damaged."""
    from safetensors.torch import load_file

    with reading(path, "safetensors"):
        return load_file(path)


def write_torch(path: Path, content: Any) -> None:
    """Write what torch.save writes, whole or not at all."""
    import torch

    # What it is given a name of, it writes that name into.
    with whole_file(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)
