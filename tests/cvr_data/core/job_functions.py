"""Jobs for the tests of engines; workers import them by name."""

import os
import signal
import time
from pathlib import Path


def scaled_sum(factor: int, numbers: list[int]) -> tuple[int, int]:
    """Return the scaled sum, and the process that made it."""
    return factor * sum(numbers), os.getpid()


def die_once(folder: str, number: int) -> int:
    """Return the square; the first time number 3 comes, its worker is killed."""
    marker = Path(folder) / "killed"
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def sleep_long(folder: str, number: int) -> int:
    """Say which process has the job, and never end."""
    (Path(folder) / f"pid-{os.getpid()}").touch()
    time.sleep(3600)
    return number


def always_die(number: int) -> int:
    """Kill the worker."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(number: int) -> int:
    """Raise for number 2."""
    if number == 2:
        raise ValueError("number 2 is bad")
    return number
