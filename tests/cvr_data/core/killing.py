"""Processes that end at a point at which files change, as a power cut would end them."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

POINTS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir")


def die_at(point: int) -> list[str]:
    """Let this process be killed just before its so manieth call that changes files; return what fills with those."""
    called: list[str] = []

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def before(*given: Any, **named: Any) -> Any:
            called.append(name)
            if len(called) == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return before

    for name in POINTS:
        setattr(os, name, wrapped(name, getattr(os, name)))
    return called


def count_points(action: Callable[[], object]) -> int:
    """Do something in a process of its own, and return how many points it has."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        try:
            called = die_at(0)
            action()
            os.write(writing, str(len(called)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        points = int(said.read() or 0)
    os.waitpid(process, 0)
    return points


def kill_at(point: int, action: Callable[[], object]) -> None:
    """Do something in a process of its own that is killed at a point.

    Raises:
        AssertionError: it was not.
    """
    process = os.fork()
    if not process:
        try:
            die_at(point)
            action()
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code == -signal.SIGKILL, f"ended with {code} and not at point {point}"


def files_below(folder: Path) -> dict[str, bytes | None]:
    """Return the content of every file below a folder, None of every folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
