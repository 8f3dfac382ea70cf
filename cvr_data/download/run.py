"""Fetches many items at once, and asks again only for what is missing.

What is on disk is not asked for. Of the rest, items that failed for good are left alone unless `retry_failed`; those
that may work later, and those never asked for, are fetched. A kill at any moment loses nothing that was received.
"""

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.progress import Progress
from cvr_data.core.secrets_in_text import mask_secrets
from cvr_data.core.whole_files import file_sha256
from cvr_data.download.fetch import LONGEST_WAIT_S, FetchAnswer, FetchLimits, HostGate, HttpFetcher
from cvr_data.download.hub import SCHEME, attempt_hub_download
from cvr_data.download.items import WantedFile
from cvr_data.download.status import Status, StatusRow, StatusTable

GAIN_BYTES = 1 << 20
"""An attempt that brought so much does not count as a failure: long files survive many resets."""
LONGEST_BACKOFF_S = 60.0
IDLE_S = 0.1
"""How often a thread without work looks whether the run has ended."""


@dataclass(frozen=True, kw_only=True)
class Config(FetchLimits):
    """How to ask."""

    concurrency: int = 8
    """Items fetched at once."""
    attempts: int = 5
    """Attempts per item and run that bring nothing."""
    backoff_s: float = 1.0
    """Longest pause after the first failure; it doubles each time, and a random part of it is taken."""
    retry_failed: bool = False
    """Ask again for what failed for good."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run found and did."""

    wanted: int
    here_before: int
    left_alone: int
    """Failed in an earlier run, and not asked for again."""
    asked: int
    statuses: Counter[str]
    """Of all wanted items, as they stand now."""
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(status, error) -> items."""
    bytes: int = 0
    seconds: float = 0.0


@dataclass(order=True)
class Task:
    """An item that waits for its next attempt."""

    ready_s: float
    """Not before this time of the monotonic clock."""
    number: int
    item: WantedFile = field(compare=False)
    attempts: int = field(default=0, compare=False)
    failures: int = field(default=0, compare=False)
    """In a row, without bytes in between."""


class Download:
    """One run over the items of a folder."""

    def __init__(self, folder: Path, config: Config, table: StatusTable):
        self.folder, self.config, self.table = folder, config, table
        self.stop = threading.Event()
        self.gate = HostGate(self.stop)
        self.http = HttpFetcher(folder, config, self.stop)
        self.todo: queue.PriorityQueue[Task] = queue.PriorityQueue()
        self.done: queue.SimpleQueue[StatusRow | BaseException] = queue.SimpleQueue()

    def run(self, items: Sequence[WantedFile]) -> Outcome:
        """Fetch what is missing of the items and return how all of them stand."""
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [item for item in items if not self._is_here(item)]
        asked = [item for item in missing if self.config.retry_failed or not self._has_failed(item)]
        received = self._fetch_all(asked)
        rows = [self.table.known[item.item_id] for item in items if item.item_id in self.table.known]
        return Outcome(
            wanted=len(items),
            here_before=len(items) - len(missing),
            left_alone=len(missing) - len(asked),
            asked=len(asked),
            statuses=Counter(row.status for row in rows),
            errors=Counter((row.status, row.error or "") for row in rows if row.status != "ok"),
            bytes=received,
            seconds=time.monotonic() - started,
        )

    def _is_here(self, item: WantedFile) -> bool:
        """Whether the file is there; one that no row tells of is noted, and compared with its known sha256."""
        path = self.folder / item.file
        known = self.table.known.get(item.item_id)
        if not path.is_file():
            return False
        if known is None or known.status != "ok" or known.file != item.file:
            digest = file_sha256(path) if item.sha256 else None
            if digest != item.sha256:
                error = f"{path} has another sha256 than is published; remove it to fetch it again"
                self.table.add(_status_row(item, "failed", FetchAnswer(error=error), 0, 0))
                return True
            self.table.add(_status_row(item, "ok", FetchAnswer(sha256=digest), 0, path.stat().st_size))
        return True

    def _has_failed(self, item: WantedFile) -> bool:
        known = self.table.known.get(item.item_id)
        return known is not None and known.status == "failed" and known.url == mask_secrets(item.url)

    def _fetch_all(self, items: Sequence[WantedFile]) -> int:
        for number, item in enumerate(items):
            self.todo.put(Task(0.0, number, item))
        count = min(self.config.concurrency, len(items))
        # Daemons: a thread that waits for a silent server must not keep Ctrl-C waiting.
        threads = [threading.Thread(target=self._work_on_queue, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        received = 0
        try:
            with Progress("download", len(items), "files") as progress:
                for _ in items:
                    row = self.done.get()
                    if isinstance(row, BaseException):
                        raise row
                    self.table.add(row)
                    received += row.bytes or 0
                    progress.advance(note=f"{received / 1e6:.1f} MB")
        finally:
            self.stop.set()
            self.table.flush()
            for thread in threads:
                thread.join(timeout=1.0)
            self.http.client.close()
        return received

    def _work_on_queue(self) -> None:
        while not self.stop.is_set():
            try:
                task = self.todo.get(timeout=IDLE_S)
            except queue.Empty:
                continue
            # Tasks come by the time from which they may be tried, so no other one is ready before this one.
            self.stop.wait(max(0.0, task.ready_s - time.monotonic()))
            self.gate.wait(task.item.url)
            if self.stop.is_set():
                return
            try:
                self._try_download(task)
            except BaseException as error:  # handed to the main thread, which raises it
                self.done.put(error)
                return

    def _try_download(self, task: Task) -> None:
        """Attempt a task once; it is done, or comes again later."""
        item = task.item
        before = self._received(item)
        task.attempts += 1
        answer = self._attempt(item)
        if answer.error is None:
            self.done.put(_status_row(item, "ok", answer, task.attempts, (self.folder / item.file).stat().st_size))
            return
        task.failures = 0 if self._received(item) - before >= GAIN_BYTES else task.failures + 1
        too_long = (answer.wait_s or 0.0) > LONGEST_WAIT_S
        if answer.is_final or too_long or task.failures >= self.config.attempts:
            self.done.put(_status_row(item, "failed" if answer.is_final else "retriable", answer, task.attempts, None))
            return
        if answer.wait_s is not None:
            self.gate.close(item.url, answer.wait_s)
        task.ready_s = time.monotonic() + self._pause_s(task)
        self.todo.put(task)

    def _attempt(self, item: WantedFile) -> FetchAnswer:
        try:
            if item.url.startswith(SCHEME):
                return attempt_hub_download(item, self.folder)
            return self.http.attempt(item)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            return FetchAnswer(error=f"its place is taken by {error.filename}", is_final=True)
        except (CvrError, ValueError) as error:  # an address of a form that no library takes
            return FetchAnswer(error=f"not an address: {first_line(error)}", is_final=True)

    def _received(self, item: WantedFile) -> int:
        return 0 if item.url.startswith(SCHEME) else self.http.progress(item)

    def _pause_s(self, task: Task) -> float:
        longest = min(LONGEST_BACKOFF_S, self.config.backoff_s * 2 ** max(0, task.failures - 1))
        return longest * random.Random(f"{task.item.item_id} {task.attempts}").uniform(0.5, 1.0)


def download_items(
    items: Sequence[WantedFile], folder: Path, config: Config, *, num_shards: int = 1, shard_id: int = 0
) -> Outcome:
    """Fetch what is missing of the items into a folder, with a table of what became of each."""
    table = StatusTable(folder, num_shards=num_shards, shard_id=shard_id)
    return Download(folder, config, table).run(items)


def _status_row(item: WantedFile, status: Status, answer: FetchAnswer, attempts: int, size: int | None) -> StatusRow:
    return StatusRow(
        item_id=item.item_id,
        url=mask_secrets(item.url),
        file=item.file,
        status=status,
        error=None if answer.error is None else mask_secrets(answer.error),
        http_status=answer.http_status,
        bytes=size,
        sha256=answer.sha256,
        attempts=attempts,
        finished_s=time.time(),
    )
