"""Runs independent jobs in this process, in a pool of processes, or on Ray; the code that has them cannot tell which.

    with use_engine(Engine("ray", workers=8, address="auto")):
        for index, table in map_jobs(count_words, [(part,) for part in parts], shared=(vocabulary,)):
            ...

A job is a module-level function of `(*shared, *job)`. Results come in any order with their index, so what is made of
them must not depend on the order; then it is the same on every engine, with every number of workers. A job whose worker
dies is run again; one that raises ends the whole. Workers end with the process that hands out jobs. On Ray, arrays of
jobs and of `shared` lie in its object store and are read there without a copy, so they cannot be written to.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

from cvr_data.core.engine import Engine
from cvr_data.core.errors import CvrError
from cvr_data.core.trust import keep_named, named_words

Result = TypeVar("Result")
ATTEMPTS = 3
"""Times a job may lose its worker before the run ends."""
AHEAD = 2
"""Jobs handed out per worker: results that wait are bounded by it."""


_ENGINE: ContextVar[Engine | None] = ContextVar("engine", default=None)


@contextmanager
def use_engine(engine: Engine) -> Iterator[Engine]:
    """Run the jobs of this block on an engine; a Ray is there from its beginning to its end.

    Raises:
        CvrError: Ray is not installed or not there.
    """
    with _connected(engine):
        token = _ENGINE.set(engine)
        try:
            yield engine
        finally:
            _ENGINE.reset(token)


def _connected(engine: Engine) -> AbstractContextManager[Any]:
    if engine.kind != "ray":
        return nullcontext()
    from cvr_data.core.ray_jobs import connected

    return connected(engine)


def current_engine() -> Engine:
    """Return the engine of the innermost `use_engine` block; outside of any, this process."""
    return _ENGINE.get() or Engine()


def map_jobs(
    function: Callable[..., Result], jobs: Sequence[tuple], *, shared: tuple[Any, ...] = (), on_gpu: bool = False
) -> Iterator[tuple[int, Result]]:
    """Yield (index, function(*shared, *job)) of every job, in any order; `shared` is sent to each worker once.

    `on_gpu` lets the workers of a Ray that has GPUs share these; elsewhere every process sees what the machine has.

    Raises:
        CvrError: workers died again and again.
        Exception: what a job raises.
    """
    engine = current_engine()
    if engine.is_here or not jobs:
        for index, job in enumerate(jobs):
            yield index, function(*shared, *job)
    elif engine.kind == "ray":
        from cvr_data.core.ray_jobs import map_on_ray

        yield from map_on_ray(function, jobs, shared, engine.workers, on_gpu=on_gpu)
    else:
        yield from _map_in_pool(function, jobs, shared, engine.workers)


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


_SHARED: tuple[Any, ...] = ()


def _map_in_pool(
    function: Callable[..., Result], jobs: Sequence[tuple], shared: tuple[Any, ...], workers: int
) -> Iterator[tuple[int, Result]]:
    left = list(range(len(jobs)))
    for _ in range(ATTEMPTS):
        done: set[int] = set()
        try:
            for index, result in _pooled(function, jobs, left, shared, workers):
                done.add(index)
                yield index, result
            return
        except BrokenProcessPool:
            left = [index for index in left if index not in done]
    raise CvrError(
        f"Worker processes died {ATTEMPTS} times; use fewer --workers, or look for what kills them (memory?)."
    )


def _pooled(
    function: Callable[..., Result], jobs: Sequence[tuple], wanted: Sequence[int], shared: tuple, workers: int
) -> Iterator[tuple[int, Result]]:
    context = multiprocessing.get_context("spawn")
    count, given = min(workers, len(wanted)), (shared, named_words())
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(count, mp_context=context, initializer=_keep_shared, initargs=given) as pool:
        waiting = iter(wanted)
        running: dict[Future, int] = {}
        while True:
            while len(running) < AHEAD * count and (index := next(waiting, None)) is not None:
                running[pool.submit(_call_with_shared, function, jobs[index])] = index
            if not running:
                # Told to end, they would wait forever for a lock that one has which is killed at that moment.
                for worker in set(multiprocessing.active_children()) - others:
                    worker.terminate()
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def _keep_shared(shared: tuple[Any, ...], named: frozenset[str]) -> None:
    global _SHARED  # one tuple per worker process, sent once
    _SHARED = shared
    keep_named(named)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker once the process that hands out jobs was killed, and could not say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call_with_shared(function: Callable[..., Result], job: tuple) -> Result:
    return function(*_SHARED, *job)
