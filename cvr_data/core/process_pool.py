"""Processes of this machine that do jobs: they start with the first job of a run and stay until its end.

So a run of many passes imports, and loads what its jobs keep, once in each process. Every worker has a pipe of its own
and takes its jobs from there, one after the other; no lock is shared, so one that is killed keeps nobody waiting. It is
replaced, and what it had is done again. Ctrl-C is for the command alone. When the process that hands out jobs ends,
however that happens, the pipes close, and with them the workers end, in the middle of a job if need be.
"""

import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from cvr_data.core.errors import CvrError
from cvr_data.core.trust import keep_named, words_of_trusted_code


@contextmanager
def starting_children() -> Iterator[None]:
    """Let processes that are started in the block never be told of Ctrl-C; this one is, when the block ends."""
    resource_tracker.ensure_running()  # as it starts, it lets all signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_worker_process_with_pipe(descriptor: int) -> None:
    """Let this process end when the other end of a pipe is closed: nothing is sent through it."""
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()


def _end_with(descriptor: int) -> None:
    wait([descriptor])
    os._exit(1)


Result = TypeVar("Result")
ATTEMPTS = 3
"""Times a job may lose its worker before the run ends."""
AHEAD = 2
"""Jobs that a worker is given at most, while there are more: it need not wait for who reads its results."""


class ProcessPool:
    """So many processes at most; none before the first job."""

    def __init__(self, workers: int):
        self.workers = workers
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    def map(
        self, function: Callable[..., Result], jobs: Sequence[tuple], shared: tuple[Any, ...]
    ) -> Iterator[tuple[int, Result]]:
        """Yield (index, function(*shared, *job)) of every job, as they end; `shared` is sent to each worker once.

        Raises:
            CvrError: a job lost its worker again and again.
            Exception: what a job raises.
        """
        about = (function, shared, words_of_trusted_code())
        waiting, lost = deque(range(len(jobs))), Counter[int]()
        mine: list[_Worker] = []
        try:
            while waiting or any(worker.running for worker in mine):
                while (worker := self._free_worker(mine, len(waiting))) is not None:
                    index = waiting.popleft()
                    worker.give(about, index, jobs[index])
                for worker in _answering(mine):
                    if (answer := worker.answer()) is None:
                        mine.remove(worker)
                        self._end_worker(worker)
                        waiting.extendleft(reversed(worker.running))
                        _count_lost(lost, worker.running[0])
                        continue
                    index = worker.running.popleft()
                    if isinstance(answer, _Raised):
                        raise answer.error
                    yield index, answer[0]
        finally:
            self._take_back(mine)

    def close(self) -> None:
        """End all processes."""
        for worker in list(self._all):
            self._end_worker(worker)
        self._idle.clear()

    def _free_worker(self, mine: list["_Worker"], waiting: int) -> "_Worker | None":
        """The worker that is to be given the next job: a new one as long as there may be more, or who has least."""
        if not waiting:
            return None
        if len(mine) < self.workers and all(worker.running for worker in mine):
            mine.append(self._idle.pop() if self._idle else _Worker())
            self._all.add(mine[-1])
        least = min(mine, key=lambda worker: len(worker.running))
        # The last jobs go to who is done first.
        return least if len(least.running) < (AHEAD if waiting > self.workers else 1) else None

    def _take_back(self, mine: list["_Worker"]) -> None:
        for worker in mine:
            if worker.running or len(self._idle) >= self.workers:
                self._end_worker(worker)
            else:
                worker.about = None
                self._idle.append(worker)

    def _end_worker(self, worker: "_Worker") -> None:
        self._all.discard(worker)
        worker.end()


class _Raised:
    """What a job raised."""

    def __init__(self, error: Exception):
        self.error = error


class _Worker:
    """A process, and the jobs that it was given."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve_jobs, args=(other,))
        with starting_children():
            self.process.start()
        other.close()  # so that it closes when the process ends
        self.running: deque[int] = deque()
        self.about: Any = None
        """What it knows that its jobs share."""

    def give(self, about: tuple[Any, ...], index: int, job: tuple) -> None:
        """Send a job; if the process is dead, its answer says so."""
        self.running.append(index)
        known, self.about = self.about, about
        try:
            self.pipe.send((None if known is about else about, job))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self) -> tuple[Any] | _Raised | None:
        """Return (the result,) of its first job or what that raised; None if the process died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def end(self) -> None:
        """End the process, in the middle of a job if need be."""
        self.pipe.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def _answering(workers: Sequence[_Worker]) -> list[_Worker]:
    """Return those that have an answer, or died, as soon as there is one."""
    of_pipe = {worker.pipe: worker for worker in workers if worker.running}
    return [of_pipe[pipe] for pipe in wait(list(of_pipe)) if isinstance(pipe, Connection)]


def _count_lost(lost: Counter[int], index: int) -> None:
    lost[index] += 1
    if lost[index] >= ATTEMPTS:
        raise CvrError(
            f"Worker processes died {ATTEMPTS} times at one job; use fewer --workers, or look for what kills them "
            "(memory?)."
        )


def _serve_jobs(pipe: Connection) -> None:
    """Do the jobs that come, in a worker."""
    given: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(pipe, given), daemon=True).start()
    about: tuple[Any, ...] = ()
    while True:
        answer: tuple[Any] | _Raised
        try:
            new, job = pickle.loads(given.get())
            about = about if new is None else new
            function, shared, named = about
            keep_named(named)
            answer = (function(*shared, *job),)
        except Exception as error:
            answer = _raised_in_worker(error)
        try:
            pipe.send(answer)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            pipe.send(_raised_in_worker(error))
        new = job = answer = None  # type: ignore[assignment]  # held no longer than needed


def _read_jobs(pipe: Connection, given: queue.SimpleQueue[bytes]) -> None:
    """Take jobs out of the pipe, so that nobody waits who sends them, and end this process where it closes."""
    while True:
        try:
            given.put(pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)


def _raised_in_worker(error: Exception) -> _Raised:
    """Return what can be sent of an error: the same with where it was raised, or its text."""
    if not isinstance(error, CvrError):
        error.add_note(f"In a worker process:\n{''.join(traceback.format_exception(error))}")
    try:
        return _Raised(pickle.loads(pickle.dumps(error)))
    except Exception:  # whatever its class does when it is made again
        return _Raised(RuntimeError(f"{type(error).__name__}: {error}"))
