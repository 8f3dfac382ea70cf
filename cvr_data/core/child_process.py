"""Processes that a command starts: Ctrl-C is for the command alone, and they end with it, however that happens."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait


@contextmanager
def starting_children() -> Iterator[None]:
    """Let processes that are started in the block never be told of Ctrl-C; this one is, when the block ends."""
    resource_tracker.ensure_running()  # as it starts, it lets all signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with(descriptor: int) -> None:
    """Let this process end when the other end of a pipe is closed: nothing is sent through it."""
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()


def _end_with(descriptor: int) -> None:
    wait([descriptor])
    os._exit(1)
