"""What a result cost: seconds per phase, device, sizes, GPU-hours of training and peak memory.

clock = Clock()
with clock.phase("score"):
    ranks = evaluate(scoring_timed_retriever(retriever, clock), task)
clock.seconds                                    # {"load": ..., "train": ..., "encode": ..., "score": ...}
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from cvr_bench.models.parts.device import network_device
from cvr_bench.models.parts.retriever import DenseRetriever, HasEmbeddings, Retriever, module_of_retriever

PHASES = ("load", "train", "encode", "score")
"""Reading model, data and checkpoint; training with its validation; embedding queries and gallery; ranking."""
CLEAR_PEAK = "5"
"""What Linux is told to forget the peak of a process."""

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")
AnyRetriever = TypeVar("AnyRetriever", bound=Retriever)


class Clock:
    """Adds up the seconds of named phases; a phase inside another counts for itself only."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._open: list[str] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside the block for `name`."""
        started = time.monotonic()
        self._open.append(name)
        try:
            yield
        finally:
            self._open.pop()
            spent = time.monotonic() - started
            self.seconds[name] += spent
            if self._open:
                self.seconds[self._open[-1]] -= spent

    def timed(self, function: Callable[Arguments, Value], name: str) -> Callable[Arguments, Value]:
        """Return the function, its calls counted for `name`."""

        def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Value:
            with self.phase(name):
                return function(*arguments, **named)

        return call


def scoring_timed_retriever(retriever: AnyRetriever, clock: Clock) -> AnyRetriever | DenseRetriever:
    """Return a retriever whose encoding counts as `encode`; one without encoders, which scores as a whole, as it is."""
    if not isinstance(retriever, DenseRetriever):
        return retriever
    return DenseRetriever(
        clock.timed(retriever.encode_queries, "encode"),
        clock.timed(retriever.encode_videos, "encode"),
        encode_texts=None if retriever.encode_texts is None else clock.timed(retriever.encode_texts, "encode"),
        module=retriever.module,
        training_step=retriever.training_step,
    )


def cost_of_scoring(
    retriever: Retriever, seconds: Mapping[str, float], training: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the cost of a scored model as JSON values; `training` is what is recorded of it, if there was one."""
    module = module_of_retriever(retriever)
    parameters = list(module.parameters()) if module is not None else []
    gallery_GD = retriever.gallery_GD if isinstance(retriever, HasEmbeddings) else None
    device = network_device(module) if module is not None and parameters else torch.device("cpu")
    trained_on = torch.device(training["device"]) if training else None
    devices = training.get("devices", 1) if training else 0
    gpus = devices if trained_on is not None and trained_on.type == "cuda" else 0
    trained = max(seconds["train"], (training or {}).get("seconds", 0.0))  # the latter also of runs that were stopped
    return {
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "devices": devices,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dimension": None if gallery_GD is None else gallery_GD.shape[1],
        "parameters": sum(tensor.numel() for tensor in parameters),
        "trained_parameters": sum(tensor.numel() for tensor in parameters if tensor.requires_grad) if training else 0,
        "gpu_hours": gpus * trained / 3600,
        "peak_memory_bytes": scoring_peak_memory(),
        "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0,
    }


def forget_scoring_peak_memory() -> None:
    """Start the peaks of memory anew, where the system lets a process do so."""
    with suppress(OSError):  # not Linux, or a container that does not allow it
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK, encoding="ascii")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def scoring_peak_memory() -> int:
    """Return the most bytes of main memory that this process held since `forget_scoring_peak_memory`, or in all."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    peak = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    if peak:
        return 1024 * peak[0]
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def scoring_cost_line(cost: Mapping[str, Any]) -> str:
    """Return the cost in one line."""
    seconds = [f"{name} {cost['seconds'][name]:.1f} s" for name in PHASES if cost["seconds"][name] >= 0.05]
    facts = [*seconds, f"on {cost['device']}"]
    if cost["dimension"]:
        facts.append(f"{cost['dimension']} wide")
    if cost["parameters"]:
        facts.append(f"{cost['parameters']:,} parameters")
    if cost["gpu_hours"]:
        facts.append(f"{cost['gpu_hours']:.2f} GPU-hours of training")
    return ", ".join([*facts, f"peak {cost['peak_memory_bytes'] / 2**30:.2f} GiB"])
