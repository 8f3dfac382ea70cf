"""Jobs as tasks of Ray, which places them; a job whose worker died is run again by Ray.

Ray comes with the extra `ray`. Without an address a Ray is started here for the run and stopped after it; its processes
find `cvr_data` as this one does. Values travel by pickle, between processes of one owner.

Source: https://docs.ray.io/en/latest/ray-core/tasks.html (2.50 and newer).
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.trust import keep_named, words_of_trusted_code

if TYPE_CHECKING:
    from cvr_data.core.engine import Engine

Result = TypeVar("Result")
RETRIES = 3
"""Times that Ray runs a job again whose worker died."""
REACH_S = 5.0
"""Seconds in which a cluster has to answer."""


def map_on_ray(
    function: Callable[..., Result], jobs: Sequence[tuple], shared: tuple[Any, ...], workers: int, *, on_gpu: bool
) -> Iterator[tuple[int, Result]]:
    """Yield (index, result) of every job, on the Ray that `ray_cluster_connected` is connected to."""
    import ray

    at_once = min(workers, len(jobs))
    gpus = min(1.0, ray.cluster_resources().get("GPU", 0) / at_once) if on_gpu else 0
    task = ray.remote(_run_job).options(name=f"cvr {function.__name__}", num_cpus=1, num_gpus=gpus, max_retries=RETRIES)
    # Once in Ray's store, read there by who needs it.
    common = ray.put((function, str(Path.cwd()), words_of_trusted_code(), shared))
    waiting = iter(enumerate(jobs))
    running: dict[Any, int] = {}
    try:
        while True:
            for index, job in islice(waiting, at_once - len(running)):
                running[task.remote(common, job)] = index
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            for reference in done:
                yield running.pop(reference), _ray_result(reference)
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _ray_result(reference: Any) -> Any:
    """Return what a task did; what it raised is raised as it was there."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.WorkerCrashedError:
        raise CvrError(
            f"Workers of Ray died {RETRIES + 1} times at one job; look for what kills them (memory?)."
        ) from None


def _run_job(common: tuple[Callable[..., Any], str, frozenset[str], tuple], job: tuple) -> Any:
    function, folder, named, shared = common
    keep_named(named)
    # Relative paths mean here what they mean where the command was given; a job that opens none needs no such folder.
    with suppress(FileNotFoundError):
        os.chdir(folder)
    return function(*shared, *job)


@contextmanager
def ray_cluster_connected(engine: "Engine") -> Iterator[None]:
    """Connect to the cluster or start a Ray here for this block; one that runs already is left as it is.

    Raises:
        CvrError: Ray is not installed, or nothing answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise CvrError(f"--engine ray needs Ray (pip install 'cvr[ray]'): {error}") from None
    was_running = ray.is_initialized()
    if not was_running:
        _start_ray(ray, engine)
    try:
        yield
    finally:
        if not was_running:
            ray.shutdown()


def _start_ray(ray: Any, engine: "Engine") -> None:
    where = {"env_vars": {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}}
    if engine.address is not None:
        try:
            _check_reachable(engine.address)
            ray.init(address=engine.address, log_to_driver=False, logging_level="error")
        except (OSError, ValueError, RuntimeError) as error:
            raise CvrError(f"No Ray answers at {engine.address!r}: {first_line(error)}") from None
        return
    ray.init(
        address="local",  # and not a cluster that happens to run here
        num_cpus=engine.workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        runtime_env=where,
    )


def _check_reachable(address: str) -> None:
    """Raise OSError where nothing listens; Ray itself would wait for minutes."""
    host, found, port = address.removeprefix("ray://").rpartition(":")
    if found and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=REACH_S):
            pass
