"""How the files of this folder measure: seconds, memory, processes of their own, and on which processor."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
CAPTIONS = Path(os.environ.get("CVR_DATA", ROOT.parent / "shared" / "data")) / "captions" / "captions.parquet"

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Of a processor: what decides how fast it multiplies."""


def seconds_of(call: Callable[[], object], repeats: int = 1) -> float:
    """Return the median wall seconds of some calls."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall seconds of a call, and what it gave."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def resident_bytes(field: str = "VmRSS") -> int:
    """Return the memory of this process now, or (VmHWM) at its peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{field}:"))


def in_own_process(*words: str | Path) -> dict[str, Any]:
    """Run this file again with these arguments in a process of its own, and return the JSON that it prints."""
    command = [sys.executable, sys.argv[0], *map(str, words)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def processor() -> tuple[str, list[str]]:
    """Return the processor's name and which of the flags that matter it has."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    present = set(facts.get("flags", "").split())
    return facts.get("model name", "unknown processor"), [flag for flag in FLAGS if flag in present]


def print_machine() -> None:
    """Print what the figures that follow depend on."""
    name, flags = processor()
    print(f"{name}, {os.cpu_count()} processors, {' '.join(flags)}, load {os.getloadavg()[0]:.1f}")


def real_captions(path: Path) -> pa.Array:
    """Return distinct captions in an order that is always the same and otherwise means nothing."""
    distinct = pc.unique(pq.read_table(path).column("name").combine_chunks()).sort()
    return distinct.take(pa.array(np.random.default_rng(0).permutation(len(distinct))))
