"""Jobs for the tests of engines; workers import them by name."""

import os
import signal
import time
from pathlib import Path
from typing import Any


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


def worker_id() -> int:
    """Return the process, after a while in which others take the other jobs."""
    time.sleep(0.05)
    return os.getpid()


def sent_back(sent: bytes) -> bytes:
    """Return what was sent."""
    return sent


class OddError(Exception):
    """Cannot be made again of what `pickle` keeps of it."""

    def __init__(self, one: int, other: int):
        super().__init__(f"{one} and {other}")


def fail_oddly(number: int) -> int:
    """Raise."""
    raise OddError(number, number + 1)


def give_a_function() -> Any:
    """Return what cannot be sent."""
    return lambda: None


def fail(number: int) -> int:
    """Raise for number 2."""
    if number == 2:
        raise ValueError("number 2 is bad")
    return number
