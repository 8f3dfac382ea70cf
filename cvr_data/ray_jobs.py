"""Jobs on Ray Data: a row per job, a task per row, and a job whose worker died is run again by Ray.

Ray comes with the extra `ray`. Without an address a Ray is started here for the run and stopped after it; its processes
find `cvr_data` as this one does. Values travel by pickle, between processes of one owner.

Source: https://docs.ray.io/en/latest/data/api/doc/ray.data.Dataset.map_batches.html.
"""

import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cvr_data.errors import CvrError

if TYPE_CHECKING:
    from cvr_data.jobs import Engine

Result = TypeVar("Result")
REACH_S = 5.0
"""Seconds in which a cluster has to answer."""


def map_on_ray(
    function: Callable[..., Result], jobs: Sequence[tuple], shared: tuple[Any, ...], engine: "Engine"
) -> Iterator[tuple[int, Result]]:
    """Yield (index, result) of every job.

    Raises:
        CvrError: Ray is not installed, or nothing answers at the address.
    """
    with _ray(engine) as ray:
        # What all jobs read is in the object store once; every worker maps it into its own memory.
        reference = ray.put(pickle.dumps(shared, protocol=5))
        rows = [{"index": index, "job": pickle.dumps(job, protocol=5)} for index, job in enumerate(jobs)]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = dataset.map_batches(
            _run_batch,
            fn_kwargs={"function": function, "reference": [reference]},
            batch_size=1,
            concurrency=engine.workers,
        )
        for row in done.iter_rows():
            yield int(row["index"]), pickle.loads(row["result"])


def _run_batch(
    batch: dict[str, np.ndarray], function: Callable[..., Any], reference: list[Any]
) -> dict[str, list[Any] | np.ndarray]:
    import ray

    shared = pickle.loads(ray.get(reference[0]))
    results = [pickle.dumps(function(*shared, *pickle.loads(job)), protocol=5) for job in batch["job"]]
    return {"index": batch["index"], "result": results}


@contextmanager
def _ray(engine: "Engine") -> Iterator[Any]:
    """Ray, connected to the cluster or started here, and left as it was found."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise CvrError(f"--engine ray needs Ray (pip install 'cvr[ray]'): {error}") from None
    was_running = ray.is_initialized()
    if not was_running:
        _start(ray, engine)
    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars
    context.enable_progress_bars = False
    try:
        yield ray
    finally:
        context.enable_progress_bars = before
        if not was_running:
            ray.shutdown()


def _start(ray: Any, engine: "Engine") -> None:
    where = {"env_vars": {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}}
    if engine.address is not None:
        try:
            _check_reachable(engine.address)
            ray.init(address=engine.address, log_to_driver=False, logging_level="error")
        except (OSError, ValueError, RuntimeError) as error:
            raise CvrError(f"No Ray answers at {engine.address!r}: {str(error).splitlines()[0]}") from None
        return
    # One core more than jobs: Ray's own read tasks want one too, and would wait for ever.
    ray.init(
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
