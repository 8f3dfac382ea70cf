"""Runs independent jobs in this process, in a pool of processes, or on Ray; the code that has them cannot tell which.

    with use_engine(Engine("ray", workers=8, address="auto")):
        for index, table in map_jobs(count_words, [(part,) for part in parts], shared=(vocabulary,)):
            ...

A job is a module-level function of `(*shared, *job)`. Results come in any order with their index, so what is made of
them must not depend on the order; then it is the same on every engine, with every number of workers. A job whose worker
dies is run again; one that raises ends the whole. Workers stay for all jobs of a block and end with it. On Ray, arrays
of jobs and of `shared` lie in its object store and are read there without a copy, so they cannot be written to.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from cvr_data.core.engine import Engine
from cvr_data.core.process_pool import ProcessPool

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Block:
    """What runs the jobs of a `use_engine` block."""

    engine: Engine
    pool: ProcessPool


_BLOCK: ContextVar[_Block | None] = ContextVar("engine", default=None)


@contextmanager
def use_engine(engine: Engine) -> Iterator[Engine]:
    """Run the jobs of this block on an engine; its processes or its Ray are there until the end of the block.

    Raises:
        CvrError: Ray is not installed or not there.
    """
    around = _BLOCK.get()
    if around is not None and around.engine == engine:
        yield around.engine
        return
    with _connected_engine(engine), closing(ProcessPool(engine.workers)) as pool:
        token = _BLOCK.set(_Block(engine, pool))
        try:
            yield engine
        finally:
            _BLOCK.reset(token)


def _connected_engine(engine: Engine) -> AbstractContextManager[Any]:
    if engine.kind != "ray":
        return nullcontext()
    from cvr_data.core.ray_jobs import ray_cluster_connected

    return ray_cluster_connected(engine)


def current_engine() -> Engine:
    """Return the engine of the innermost `use_engine` block; outside of any, this process."""
    block = _BLOCK.get()
    return Engine() if block is None else block.engine


def map_jobs(
    function: Callable[..., Result], jobs: Sequence[tuple], *, shared: tuple[Any, ...] = (), on_gpu: bool = False
) -> Iterator[tuple[int, Result]]:
    """Yield (index, function(*shared, *job)) of every job, in any order; `shared` is sent to each worker once.

    `on_gpu` lets the workers of a Ray that has GPUs share these; elsewhere every process sees what the machine has.

    Raises:
        CvrError: workers died again and again.
        Exception: what a job raises.
    """
    block = _BLOCK.get()
    if block is None or block.engine.is_here or not jobs:
        for index, job in enumerate(jobs):
            yield index, function(*shared, *job)
    elif block.engine.kind == "ray":
        from cvr_data.core.ray_jobs import map_on_ray

        yield from map_on_ray(function, jobs, shared, block.engine.workers, on_gpu=on_gpu)
    else:
        yield from block.pool.map(function, jobs, shared)


def mapped_in_order(
    function: Callable[..., Result], jobs: Sequence[tuple], *, shared: tuple[Any, ...] = (), on_gpu: bool = False
) -> Iterator[Result]:
    """Yield the result of every job in the order of the jobs; those that come early wait in memory."""
    early: dict[int, Result] = {}
    following = 0
    for index, result in map_jobs(function, jobs, shared=shared, on_gpu=on_gpu):
        early[index] = result
        while following in early:
            yield early.pop(following)
            following += 1
