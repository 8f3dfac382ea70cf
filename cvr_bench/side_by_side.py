"""Run a function over many things on several threads of one core each, with results in order.

Short products spread over cores spend their time in forks and joins; whole chunks side by side do not.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

MOST = 8
"""Threads at most: each holds the blocks of one chunk."""

SMALL = 10**6
"""Parameters below which a network trains in one thread: its products are over before a second thread has begun."""

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def thread_count() -> int:
    """Return how many threads to use: as many as torch may, within bounds."""
    return min(MOST, torch.get_num_threads())


def map_in_order(call: Callable[[Thing], Result], things: Iterable[Thing], threads: int) -> Iterator[Result]:
    """Yield the result of each thing, in order; things are made by the caller's thread, one more than are worked on."""
    if threads == 1:
        yield from map(call, things)
        return
    before = torch.get_num_threads()
    waiting: deque[Future[Result]] = deque()
    try:  # a thread's own setting, but threads that start later would take it over
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for thing in things:
                waiting.append(pool.submit(call, thing))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(before)


@contextmanager
def few_threads(module: nn.Module) -> Iterator[None]:
    """Train a small network in one thread inside the block; a large one has as many as torch may use."""
    before = torch.get_num_threads()
    if sum(parameter.numel() for parameter in module.parameters()) < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
