"""Start a command on several devices: a process on each, of one torch.distributed group.

`cvr bench --devices 4` starts four processes of itself here. With `--nodes 2` every node runs the same command, and
MASTER_ADDR, MASTER_PORT and NODE_RANK say where the first one is and which this is; Slurm's own variables do as well,
with a task per node or a task per device. Processes that torchrun started are taken as they are.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

import click

from cvr_data.core.errors import CvrError
from cvr_data.core.process_pool import end_worker_process_with_pipe, starting_children

POLL_S = 0.1
PATIENCE = timedelta(days=2)
"""Processes wait for each other so long: the first one also reads, writes and audits."""


@dataclass(frozen=True)
class Place:
    """One process of a group."""

    rank: int
    world_size: int
    local_rank: int
    address: str
    port: int

    def environment(self) -> dict[str, str]:
        """Return what torch.distributed reads."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.world_size),
            "LOCAL_RANK": str(self.local_rank),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def training_process_place_given(environment: Mapping[str, str], world_size: int) -> Place | None:
    """Return the place that torchrun, `cvr` or Slurm gave this process; None where it is to start others.

    A `world_size` of 1 takes what torchrun says.

    Raises:
        CvrError: there are more or fewer.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        found = int(environment["WORLD_SIZE"])
        if world_size not in (1, found):
            raise CvrError(f"--devices times --nodes is {world_size}, but {found} processes were started.")
        local_rank, port = int(environment.get("LOCAL_RANK", "0")), int(environment.get("MASTER_PORT", "29500"))
        return Place(int(environment["RANK"]), found, local_rank, environment.get("MASTER_ADDR", "127.0.0.1"), port)
    if world_size > 1 and environment.get("SLURM_STEP_NUM_TASKS") == str(world_size):
        rank, local_rank = int(environment["SLURM_PROCID"]), int(environment["SLURM_LOCALID"])
        return Place(rank, world_size, local_rank, *_master_address(environment))
    return None


def training_process_places(environment: Mapping[str, str], devices: int, nodes: int) -> list[Place]:
    """Return the places of the processes that this one is to start, a device each.

    Raises:
        CvrError: there are several nodes, and nothing says which this is.
    """
    if nodes == 1:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address, port, node = "127.0.0.1", int(probe.getsockname()[1]), 0
    elif "NODE_RANK" in environment and "MASTER_ADDR" in environment:
        address, port = environment["MASTER_ADDR"], int(environment.get("MASTER_PORT", "29500"))
        node = int(environment["NODE_RANK"])
    elif environment.get("SLURM_STEP_NUM_TASKS") == str(nodes):
        (address, port), node = _master_address(environment), int(environment["SLURM_PROCID"])
    else:
        raise CvrError(
            "--nodes needs to know which node this is: run the command on each with MASTER_ADDR, MASTER_PORT and "
            "NODE_RANK set, or under srun with a task per node or per device."
        )
    return [Place(node * devices + local, nodes * devices, local, address, port) for local in range(devices)]


def start_training_processes(places: Sequence[Place], arguments: Sequence[str]) -> int:
    """Run `cvr` with these arguments at every place, and return the exit code: of the first that is not 0.

    What the first one prints is shown; of another only what it said when it failed alone.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // len(places)))
    with tempfile.TemporaryDirectory() as folder:
        said = [open(f"{folder}/{place.rank}", "w+", encoding="utf-8") for place in places]  # noqa: PTH123
        running = [
            _start_process(place, arguments, {"OMP_NUM_THREADS": threads}, None if number == 0 else said[number])
            for number, place in enumerate(places)
        ]
        try:
            failed = _wait_for_processes(running)
        finally:
            for process in running:
                process.kill()
                process.communicate()
        if failed is not None and failed > 0:
            said[failed].seek(0)
            click.echo(said[failed].read().rstrip(), err=True)
        for file in said:
            file.close()
    return 0 if failed is None else abs(running[failed].returncode)


def join_training_group(place: Place) -> None:
    """Become one of the group's processes."""
    import torch
    import torch.distributed as dist

    os.environ.update(place.environment())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # accelerate asks for one
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        if place.local_rank >= torch.cuda.device_count():
            raise CvrError(f"There are {torch.cuda.device_count()} GPUs here; --devices cannot be more.")
        torch.cuda.set_device(place.local_rank)
    dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo", timeout=PATIENCE)


def leave_training_group() -> None:
    """Be alone again."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def first_training_process_first() -> Iterator[None]:
    """Let the first process do the block alone, so that the others find what it wrote."""
    from cvr_bench.models.parts.processes import is_first_model_process, wait_for_model_processes

    if not is_first_model_process():
        wait_for_model_processes()
    yield
    if is_first_model_process():
        wait_for_model_processes()


def _start_process(
    place: Place, arguments: Sequence[str], more: Mapping[str, str], said: IO[str] | None
) -> subprocess.Popen[bytes]:
    # Its standard input is a pipe that this process holds, and that closes when it ends, however that happens.
    end = end_worker_process_with_pipe
    program = f"from {end.__module__} import {end.__name__} as end; end(0); import cli; cli.main()"
    with starting_children():
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **place.environment(), **more},
            stdin=subprocess.PIPE,
            stdout=None if said is None else subprocess.DEVNULL,
            stderr=said,
        )


def _wait_for_processes(running: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """The number of the process that failed, as soon as one does; None when all have ended well."""
    while True:
        codes = [process.poll() for process in running]
        failed = [number for number, code in enumerate(codes) if code]
        if failed:
            return failed[0]
        if all(code == 0 for code in codes):
            return None
        time.sleep(POLL_S)


def _master_address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Address and port of the first process of a Slurm step, as all its processes work them out."""
    nodes = environment.get("SLURM_STEP_NODELIST") or environment["SLURM_JOB_NODELIST"]
    first = re.sub(r"\[(\w+)[^\]]*\].*", r"\1", nodes) if "[" in nodes.split(",")[0] else nodes.split(",")[0]
    port = environment.get("MASTER_PORT") or 10_000 + int(environment.get("SLURM_JOB_ID", "0")) % 20_000
    return environment.get("MASTER_ADDR") or first, int(port)
