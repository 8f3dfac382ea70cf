"""Where and how precisely a network runs."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch

from cvr_data.core.errors import CvrError

Batch = TypeVar("Batch")
Result = TypeVar("Result")

DeviceName = Literal["auto", "cpu", "cuda"]
DtypeName = Literal["auto", "bfloat16", "float16", "float32"]
OLDER_ISA = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Values of ONEDNN_MAX_CPU_ISA that leave out the instructions for bfloat16."""

logger = logging.getLogger(__name__)
_told: set[str] = set()
"""Warnings of this process, each given once: an encoder has two networks, a run several models."""


def torch_device_of(name: str) -> torch.device:
    """Return the device; auto is the GPU where there is one.

    Raises:
        CvrError: a GPU is asked for and this PyTorch sees none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise CvrError(f"device={name}: this PyTorch sees no GPU; use device=cpu, or install a CUDA build of torch.")
    return torch.device(name)


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a device multiplies without a detour over float32."""

    kind: str
    """What the warning calls it."""
    fast: frozenset[str]
    """Those of bfloat16 and float16 that it multiplies faster than float32."""
    lacks: str = ""
    """What it would need for the others, for the warning."""


def device_hardware(device: torch.device, environment: Mapping[str, str] = os.environ) -> Hardware:
    """Return what the device multiplies fast; a processor whose instructions oneDNN is told to leave out lacks them."""
    if device.type == "cuda":
        fast = {"float16"} | ({"bfloat16"} if torch.cuda.is_bf16_supported(including_emulation=False) else set())
        return Hardware(kind="GPU", fast=frozenset(fast), lacks="units for it")
    if device.type != "cpu":
        return Hardware(kind=device.type, fast=frozenset({"bfloat16", "float16"}))
    lacks = "AVX-512 or AMX instructions for it"
    if environment.get("ONEDNN_MAX_CPU_ISA", "").upper() in OLDER_ISA:
        return Hardware(kind="CPU", fast=frozenset(), lacks=lacks)
    has_amx, has_avx512 = torch.cpu._is_amx_tile_supported(), torch.cpu._is_avx512_bf16_supported()
    fast = {"bfloat16"} if has_amx or has_avx512 else set()
    fast |= {"float16"} if torch.cpu._is_amx_fp16_supported() else set()
    return Hardware(kind="CPU", fast=frozenset(fast), lacks=lacks)


def torch_type_name(name: DtypeName, hardware: Hardware) -> str:
    """Return the type of products; auto is bfloat16 where the hardware multiplies it, several times faster."""
    if name != "auto":
        return name
    return "bfloat16" if "bfloat16" in hardware.fast else "float32"


def slow_device_type(name: str, hardware: Hardware) -> str | None:
    """Return one line about a type that this hardware multiplies more slowly than float32; None if it does not."""
    if name == "float32" or name in hardware.fast:
        return None
    return (
        f"{name} is slow on this {hardware.kind}, which lacks {hardware.lacks} "
        f"(up to seven times the time of float32); auto takes {torch_type_name('auto', hardware)}."
    )


def torch_dtype_of(name: DtypeName, device: torch.device) -> torch.dtype:
    """Return the type of the products of encoders, language models and trainers; a slow one is taken, and told once."""
    hardware = device_hardware(device)
    chosen = torch_type_name(name, hardware)
    line = slow_device_type(chosen, hardware)
    if line is not None and line not in _told:
        _told.add(line)
        logger.warning(line)
    return getattr(torch, chosen)


def torch_precision_of(name: str, device: torch.device) -> str:
    """Return accelerate's word (no, bf16 or fp16) for the type of a trainer's products, which may be one already.

    Raises:
        CvrError: float16 on a CPU, where gradients cannot be scaled.
    """
    known = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}
    wanted: Any = known.get(name, name)
    if wanted == "float16" and device.type == "cpu":
        raise CvrError("A CPU cannot train in float16; use bfloat16 or float32.")
    dtype = torch_dtype_of(wanted, device)
    return {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]


def torch_device_in_words(device: torch.device, dtype: torch.dtype) -> str:
    """Return what a manifest records: `cpu bfloat16`."""
    return f"{device.type} {str(dtype).removeprefix('torch.')}"


def map_torch_batches(run: Callable[[Batch], Result], batches: Sequence[Batch], device: torch.device) -> list[Result]:
    """Return the result of each batch, in order; they are worked on as by `each_torch_batch`."""
    found = dict(each_torch_batch(run, batches, device))
    return [found[number] for number in range(len(batches))]


def each_torch_batch(
    run: Callable[[Batch], Result], batches: Sequence[Batch], device: torch.device, at_once: int | None = None
) -> Iterator[tuple[int, Result]]:
    """Yield (number, result) of each batch when it has ended; on a CPU every core runs batches, each in one thread.

    With `at_once`, at most so many batches run beside each other, and share the cores among them.

    So the numbers do not depend on how many cores there are, and where other work runs beside this, cores do not wait
    for one another (two OpenMP threads on two busy cores were eight times slower than one). After an error no batch is
    begun, and what those that run give is yielded before it is raised.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu":
        yield from enumerate(map(run, batches))
        return
    workers = threads if at_once is None else max(1, min(at_once, threads, len(batches)))
    torch.set_num_threads(threads // workers)
    pool = ThreadPoolExecutor(workers)
    try:
        yield from _as_they_end({pool.submit(run, batch): number for number, batch in enumerate(batches)})
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _as_they_end(number_of: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    errors: dict[int, BaseException] = {}
    for ended in as_completed(number_of):
        if ended.cancelled():
            continue
        error = ended.exception()
        if error is None:
            yield number_of[ended], ended.result()
            continue
        errors[number_of[ended]] = error
        for waiting in number_of:
            waiting.cancel()
    if errors:
        raise errors[min(errors)]
