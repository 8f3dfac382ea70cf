"""A progress line on stderr for anything over two seconds: count, rate, ETA."""

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType

QUIET_S = 2.0
REDRAW_S = 0.5
PLAIN_S = 30.0


class Progress(AbstractContextManager["Progress"]):
    """Counts towards a total; nothing is shown in the first two seconds, and then twice a second at most.

    Where stderr is no terminal (a log file, CI) a plain line is printed every 30 seconds instead.
    """

    def __init__(self, label: str, total: int | None, unit: str = "rows"):
        self.label, self.total, self.unit = label, total, unit
        self.done, self.note = 0, ""
        self.started = self.drawn = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Add `count`; `note` (such as "12 dropped") stands at the end of the line until another one comes."""
        self.done += count
        self.note = note or self.note
        now = time.monotonic()
        pause = REDRAW_S if self.is_terminal else PLAIN_S
        if now - self.started > QUIET_S and now - self.drawn > pause:
            self.drawn = now
            self._draw(now)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = time.monotonic()
        if now - self.started > QUIET_S:
            self._draw(now, end="\n")

    def _draw(self, now: float, end: str = "") -> None:
        line = progress_line(self.label, self.done, self.total, now - self.started, self.unit, self.note)
        start, stop = ("\r\x1b[K", end) if self.is_terminal else ("", "\n")
        sys.stderr.write(f"{start}{line}{stop}")
        sys.stderr.flush()


def progress_line(label: str, done: int, total: int | None, elapsed_s: float, unit: str, note: str) -> str:
    """Return `label 120/400 rows, 31.2 rows/s, 9 s left, 3 dropped`."""
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    parts = [f"{label} {done}/{total} {unit}" if total else f"{label} {done} {unit}", f"{rate:.1f} {unit}/s"]
    if total and rate and done < total:
        parts.append(f"{_duration((total - done) / rate)} left")
    elif elapsed_s:
        parts.append(f"{_duration(elapsed_s)} so far")
    return ", ".join([*parts, note] if note else parts)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
