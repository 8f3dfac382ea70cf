"""A progress line on stderr for anything over two seconds: count, rate of the last while, time left."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import TracebackType

QUIET_S = 2.0
REDRAW_S = 0.5
PLAIN_S = 30.0
WINDOW_S = 30.0
"""The rate is that of so many last seconds, or of the last batch where that took longer."""
BURST_S = 0.25
"""The rows of a batch are told one by one: what comes within this time of the first came together with it."""

_IS_SILENT: ContextVar[bool] = ContextVar("is_silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Show no progress in this block: it is one of many jobs, whose progress is shown by who hands them out."""
    token = _IS_SILENT.set(True)
    try:
        yield
    finally:
        _IS_SILENT.reset(token)


_WATCHED: ContextVar["Progress | None"] = ContextVar("watched", default=None)


@contextmanager
def watched(progress: "Progress | None") -> Iterator[None]:
    """Let the jobs of this block tell `progress` how far in they are, if they run in this process."""
    token = _WATCHED.set(progress)
    try:
        yield
    finally:
        _WATCHED.reset(token)


def watched_progress() -> "Progress | None":
    """Return what counts the rows of the job that runs here; a worker process has none."""
    return _WATCHED.get()


class Pace:
    """How fast work goes now. Nothing is known before the second batch has ended.

    The time up to the end of the first one is left out: it holds what is done once, such as starting an engine or
    reading what all prompts begin with.
    """

    def __init__(self) -> None:
        self.worked = 0
        self.marks: deque[tuple[float, int]] = deque()
        """When a batch ended, and how much was done with it."""

    def add(self, count: int, now: float) -> None:
        """Take note of `count` units that were worked on and are done at `now` seconds."""
        self.worked += count
        if self.marks and now - self.marks[-1][0] < BURST_S:
            self.marks[-1] = (self.marks[-1][0], self.worked)
            return
        self.marks.append((now, self.worked))
        while len(self.marks) > 3 and now - self.marks[2][0] >= WINDOW_S:
            self.marks.popleft()

    @property
    def rate(self) -> float | None:
        """Units per second of the last while; None while it is not known."""
        marks = list(self.marks)
        if len(marks) > 1 and _units_of_batch(marks, -1) < _units_of_batch(marks, -2):
            marks.pop()  # its rows are told one by one, and perhaps this is the first of them
        if len(marks) < 2:
            return None
        last_s, after = marks.pop()
        first_s, before = next((mark for mark in reversed(marks) if last_s - mark[0] >= WINDOW_S), marks[0])
        return (after - before) / (last_s - first_s) or None


def _units_of_batch(marks: list[tuple[float, int]], batch: int) -> int:
    """Return how much was done in the last batch (-1) or the one before it (-2)."""
    earlier = marks[batch - 1][1] if len(marks) > -batch else 0
    return marks[batch][1] - earlier


class Progress(AbstractContextManager["Progress"]):
    """Counts towards a total; nothing is shown in the first two seconds, and then twice a second at most.

    Where stderr is no terminal (a log file, CI) a plain line is printed every 30 seconds instead.
    """

    def __init__(self, label: str, total: int | None, unit: str = "rows"):
        self.label, self.total, self.unit = label, total, unit
        self.done, self.note = 0, ""
        self.pace = Pace()
        self.started = self.drawn = time.monotonic()
        self.is_terminal = sys.stderr.isatty()
        self.is_silent = _IS_SILENT.get()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Add `count` units of work; `note` (such as "12 dropped") ends the line until another one comes."""
        now = time.monotonic()
        if count:
            self.pace.add(count, now)
        self._add(count, note, now)

    def skip(self, count: int, note: str = "") -> None:
        """Add `count` units that took no work, such as those of an interrupted run: the rate does not count them."""
        self._add(count, note, time.monotonic())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        elapsed = time.monotonic() - self.started
        if elapsed > QUIET_S and not self.is_silent:
            self._draw(elapsed, self.pace.worked / elapsed, end="\n")

    def _add(self, count: int, note: str, now: float) -> None:
        self.done += count
        self.note = note or self.note
        if self.is_silent:
            return
        pause = REDRAW_S if self.is_terminal else PLAIN_S
        is_over = self.total is not None and self.done >= self.total  # the last line comes at the end, once
        if not is_over and now - self.started > QUIET_S and now - self.drawn > pause:
            self.drawn = now
            self._draw(now - self.started, self.pace.rate)

    def _draw(self, elapsed_s: float, rate: float | None, end: str = "") -> None:
        count = f"{self.done}/{self.total}" if self.total else str(self.done)
        left = self.total - self.done if self.total else 0
        line = progress_line(f"{self.label} {count} {self.unit}", left, elapsed_s, rate, self.unit, self.note)
        start, stop = ("\r\x1b[K", end) if self.is_terminal else ("", "\n")
        sys.stderr.write(f"{start}{line}{stop}")
        sys.stderr.flush()


class Megabytes(Progress):
    """A progress line in whole megabytes."""

    def __init__(self, label: str, total_bytes: int):
        super().__init__(label, total_bytes // 1_000_000, "MB")
        self.bytes = 0

    def advance_bytes(self, count: int, note: str = "") -> None:
        """Add so many bytes."""
        self.bytes += count
        self.advance(self.bytes // 1_000_000 - self.done, note)


def progress_line(count: str, left: int, elapsed_s: float, rate: float | None, unit: str, note: str) -> str:
    """Return `mine 120/400 rows, 31.2 rows/s, 9 s left, 3 dropped`; without a rate there is no estimate."""
    parts = [count] if rate is None else [count, f"{rate:{'.1f' if rate >= 0.95 else '.2g'}} {unit}/s"]
    if left > 0 and rate:
        parts.append(f"{_duration(left / rate)} left")
    else:
        parts.append(f"{_duration(elapsed_s)} so far")
    return ", ".join([*parts, note] if note else parts)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
