"""Whom the jobs of a stage ask: the engine of their process, or several engines at once.

Each process that does jobs starts an engine of its own and writes into the one request cache (`EngineOfJobs`). With
`--engine ray`, the jobs are done in the command's process, and ask so many actors of Ray, each with an engine.

Actors and not a pipeline of Ray Data: an engine takes half a minute to start, and a run asks in many rounds (parts,
retries of rejected texts), which would each be a pipeline of its own. Requests go out in batches, answers come back to
this process and into its request cache, so the rows are what one engine's would be, given the cache.
"""

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_data.core.engine import Engine
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine, use_engine
from cvr_data.core.trust import keep_named, words_of_trusted_code
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.request import Answer, Backend, Request
from cvr_data.modifications.backends import BACKENDS, HasType, load_backend
from cvr_data.modifications.engines.products import backend_with_type

LARGEST_BATCH = 512
"""Requests sent to an engine together; what a lost machine loses is asked again."""
BATCHES_EACH = 4
"""A round is cut so that every engine gets about so many: then all end at about the same time."""
RESTARTS = 2
"""Times that Ray replaces an engine whose process died, and asks its batch again."""
DIED = "the engine's process died"


@dataclass(frozen=True, kw_only=True)
class EngineOfJobs:
    """A backend as the jobs of a stage ask it."""

    name: str
    """In `cvr_data.modifications.backends`."""
    options: tuple[str, ...]
    cache: Path
    engine: Engine
    """Of the command."""

    @classmethod
    def of(cls, name: str, options: Sequence[str], cache: Path) -> "EngineOfJobs":
        """Return it, the cache made: its beginning is for one process alone.

        Raises:
            CvrError: the backend or an option is unknown, the cache cannot be used, or several processes of this
                machine would each start an engine that takes a whole GPU.
        """
        made = cls(name=name, options=tuple(options), cache=cache, engine=current_engine())
        backend = load_backend(name, options)
        if made.engine.kind == "local" and not made.engine.is_here and not backend.is_pure and backend.gpus:
            raise CvrError("--workers starts several engines, which needs --engine ray.")
        if not backend.is_pure:
            with RequestCache(cache):
                pass
        return made

    def asker(self) -> Asker:
        """Return what a job asks, in the process of the job."""
        with use_engine(self.engine):
            backend = spread_backend(load_backend(self.name, self.options), self.name, self.options)
        return Asker(backend, None if backend.is_pure else RequestCache(self.cache))

    def jobs(self) -> AbstractContextManager[Any]:
        """Return the block in which the jobs are run: on Ray in this process, as the engines are elsewhere."""
        is_here = self.engine.kind == "ray" and not load_backend(self.name, self.options).is_pure
        return use_engine(Engine()) if is_here else nullcontext()


def spread_backend(backend: Backend, name: str, options: Sequence[str]) -> Backend:
    """Return a backend that asks as many engines as the block's Ray has workers; elsewhere the given one."""
    engine = current_engine()
    return backend if engine.kind != "ray" or backend.is_pure else SpreadBackend(backend, name, options, engine)


class SpreadBackend:
    """Writes with a backend's engines in several actors, which start with the first `write`."""

    is_pure = False

    def __init__(self, backend: Backend, name: str, options: Sequence[str], engine: Engine):
        self.model, self.gpus = backend.model, backend.gpus
        chosen = backend_with_type(BACKENDS.config(name, options))
        # Rows are named by the type that this process chose, so engines on other machines take it too.
        same_type = (f"dtype={chosen.dtype}",) if isinstance(chosen, HasType) else ()
        self.name, self.options, self.workers = name, (*options, *same_type), engine.workers
        self._actors: list[Any] = []

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield answers batch by batch, as engines finish them.

        Raises:
            CvrError: an engine cannot start.
        """
        if not requests:
            return
        import ray

        waiting = deque(_batches_of_requests(len(requests), self.workers))
        running: dict[Any, tuple[Any, range]] = {}
        free = list(self._started(ray, len(waiting)))
        while waiting or running:
            while waiting and free:
                numbers, actor = waiting.popleft(), free.pop()
                asked = actor.write.remote(requests[numbers.start : numbers.stop])
                running[asked] = (actor, numbers)
            if not running:  # every engine died for good
                yield from ((number, Answer(text=None, error=DIED)) for numbers in waiting for number in numbers)
                return
            done = ray.wait(list(running), num_returns=1)[0][0]
            actor, numbers = running.pop(done)
            answered = self._answers(ray, done)
            if answered is None:
                self._actors.remove(actor)
                yield from ((number, Answer(text=None, error=DIED)) for number in numbers)
            else:
                free.append(actor)
                yield from ((numbers[position], answer) for position, answer in answered)

    def _answers(self, ray: Any, done: Any) -> list[tuple[int, Answer]] | None:
        try:
            return ray.get(done)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, CvrError):
                raise error.cause from None
            raise
        except ray.exceptions.RayActorError:
            return None

    def _started(self, ray: Any, wanted: int) -> list[Any]:
        missing = min(self.workers, wanted) - len(self._actors)
        if missing > 0:
            gpus = self.gpus if ray.cluster_resources().get("GPU", 0) else 0
            settings = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": RESTARTS, "max_task_retries": RESTARTS}
            remote = ray.remote(**settings)(EngineActor)
            about = (self.name, self.options, str(Path.cwd()), words_of_trusted_code())
            self._actors += [remote.remote(*about) for _ in range(missing)]
        return self._actors


class EngineActor:
    """One backend in a process of Ray's."""

    def __init__(self, name: str, options: Sequence[str], folder: str, named: frozenset[str]):
        keep_named(named)
        # Relative paths mean here what they mean where the command was given; a Hub id needs no such folder.
        with suppress(FileNotFoundError):
            os.chdir(folder)
        self.backend = load_backend(name, options)

    def write(self, requests: Sequence[Request]) -> list[tuple[int, Answer]]:
        """Return the answers with their positions."""
        return list(self.backend.write(requests))


def _batches_of_requests(count: int, workers: int) -> list[range]:
    size = min(LARGEST_BATCH, math.ceil(count / (workers * BATCHES_EACH)))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
