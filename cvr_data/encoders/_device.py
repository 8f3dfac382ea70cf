"""Where and how precisely a network runs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import torch

from cvr_data.errors import CvrError

Batch = TypeVar("Batch")
Result = TypeVar("Result")

DeviceName = Literal["auto", "cpu", "cuda"]
DtypeName = Literal["auto", "bfloat16", "float16", "float32"]


def device_of(name: DeviceName) -> torch.device:
    """Return the device; auto is the GPU where there is one.

    Raises:
        CvrError: a GPU is asked for and this PyTorch sees none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise CvrError("device=cuda: this PyTorch sees no GPU; use device=cpu, or install a CUDA build of torch.")
    return torch.device(name)


def dtype_of(name: DtypeName, device: torch.device) -> torch.dtype:
    """Return the type of the products; auto is bfloat16 where the hardware multiplies it, three times faster."""
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    is_fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if is_fast else torch.float32


def runs_on(device: torch.device, dtype: torch.dtype) -> str:
    """Return what a manifest records: `cpu bfloat16`."""
    return f"{device.type} {str(dtype).removeprefix('torch.')}"


def map_batches(run: Callable[[Batch], Result], batches: Sequence[Batch], device: torch.device) -> list[Result]:
    """Return the result of each batch; on a CPU every core runs batches of its own, each in one thread.

    So the numbers do not depend on how many cores there are, and where other work runs beside this, cores do not wait
    for one another (two OpenMP threads on two busy cores were eight times slower than one).
    """
    threads = torch.get_num_threads()
    if device.type != "cpu":
        return [run(batch) for batch in batches]
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, batches))
    finally:
        torch.set_num_threads(threads)
