"""Jobs on Ray Data: a row per job, a task per row, and a job whose worker died is run again by Ray.

Ray comes with the extra `ray`. Without an address a Ray is started here for the run and stopped after it; its processes
find `cvr_data` as this one does. Values travel by pickle, between processes of one owner.

Source: https://docs.ray.io/en/latest/data/api/doc/ray.data.Dataset.map_batches.html.
"""

import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cvr_data.core.errors import CvrError, first_line

if TYPE_CHECKING:
    from cvr_data.core.engine import Engine

Result = TypeVar("Result")
REACH_S = 5.0
"""Seconds in which a cluster has to answer."""


def map_on_ray(
    function: Callable[..., Result], jobs: Sequence[tuple], shared: tuple[Any, ...], workers: int, *, on_gpu: bool
) -> Iterator[tuple[int, Result]]:
    """Yield (index, result) of every job, on the Ray that `connected` is connected to."""
    import ray
    import ray.data

    # A row is a number: a job and what all share are objects in Ray's store, read there by who needs them.
    at_once = min(workers, len(jobs))
    known = {"shared": [ray.put(shared)], "jobs": [ray.put(job) for job in jobs]}
    numbers = ray.data.from_items([{"index": index} for index in range(len(jobs))], override_num_blocks=len(jobs))
    done = numbers.map_batches(
        _run_batch,  # type: ignore[arg-type]
        fn_kwargs={"function": function, "folder": str(Path.cwd()), **known},
        batch_size=1,
        compute=ray.data.TaskPoolStrategy(size=at_once),
        num_gpus=min(1.0, ray.cluster_resources().get("GPU", 0) / at_once) if on_gpu else 0,
    )
    for row in done.iter_rows():
        yield int(row["index"]), pickle.loads(row["result"])


def _run_batch(
    batch: dict[str, np.ndarray], function: Callable[..., Any], folder: str, shared: list[Any], jobs: list[Any]
) -> dict[str, list[Any] | np.ndarray]:
    import ray

    # Relative paths mean here what they mean where the command was given; a job that opens none needs no such folder.
    with suppress(FileNotFoundError):
        os.chdir(folder)
    common = ray.get(shared[0])
    results = [pickle.dumps(function(*common, *ray.get(jobs[index])), protocol=5) for index in batch["index"]]
    return {"index": batch["index"], "result": results}


@contextmanager
def connected(engine: "Engine") -> Iterator[None]:
    """Connect to the cluster or start a Ray here for this block; one that runs already is left as it is.

    Raises:
        CvrError: Ray is not installed, or nothing answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise CvrError(f"--engine ray needs Ray (pip install 'cvr[ray]'): {error}") from None
    was_running = ray.is_initialized()
    if not was_running:
        _start(ray, engine)
    context, logger = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    before = context.enable_progress_bars, logger.level
    context.enable_progress_bars = False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        context.enable_progress_bars = before[0]
        logger.setLevel(before[1])
        if not was_running:
            ray.shutdown()


def _start(ray: Any, engine: "Engine") -> None:
    where = {"env_vars": {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}}
    if engine.address is not None:
        try:
            _check_reachable(engine.address)
            ray.init(address=engine.address, log_to_driver=False, logging_level="error")
        except (OSError, ValueError, RuntimeError) as error:
            raise CvrError(f"No Ray answers at {engine.address!r}: {first_line(error)}") from None
        return
    # One core more than jobs: Ray's own read tasks want one too, and would wait for ever.
    ray.init(
        address="local",  # and not a cluster that happens to run here
        num_cpus=engine.workers + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        runtime_env=where,
    )


def _check_reachable(address: str) -> None:
    """Raise OSError where nothing listens; Ray itself would wait for minutes."""
    host, found, port = address.removeprefix("ray://").rpartition(":")
    if found and port.isdigit():
        with socket.create_connection((host, int(port)), timeout=REACH_S):
            pass
