"""One process writes a folder at a time; a second one is refused in one line that names the first."""

import errno
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from cvr_data.core.errors import CvrError
from cvr_data.core.places import (
    address_scheme,
    check_address,
    create_exclusively,
    faults_of_place,
    is_remote,
    read_at_once,
)

LOCK = ".lock"
BEAT_S = 10.0
PATIENCE_S = 60.0
"""Of a writer on another machine, after which it counts as dead: six beats that did not come."""


class place_lock(AbstractContextManager["place_lock"]):
    """Holds a folder on an object store until the block ends, by objects that are created where none is.

        .lock/000001    {"process": "...", "token": "...", "beat": 3}

    The writer is who created the object of the highest number, and rewrites it every `BEAT_S` seconds. Where it is dead
    (a process of this machine that is gone, or one elsewhere whose object stays the same for `PATIENCE_S`), the next
    creates the object of the next number: of several that try, one succeeds. No clock of another machine is read.

    Raises:
        CvrError: another process holds it, or nothing can be written there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / LOCK
        self.said = {"process": _this_process(), "host": socket.gethostname(), "pid": os.getpid()}
        self.said |= {"token": secrets.token_hex(8)}
        self.beats = 0
        self.ending = threading.Event()
        self.lost = False
        """Another process took the folder, as this one was not heard of."""

    def __enter__(self) -> "place_lock":
        if address_scheme(self.folder) == "hf":
            raise CvrError(
                f"{self.folder} can be read, not written, as each file would be a commit: "
                "write elsewhere, then `cvr publish`."
            )
        check_address(str(self.folder))
        with faults_of_place(self.folder):
            self._take_lock()
        self.thread = threading.Thread(target=self._beat_lock, daemon=True)
        self.thread.start()
        return self

    def _take_lock(self) -> None:
        while True:
            earlier = self._numbered_locks()
            if earlier and not _is_dead(earlier[-1]):
                owner = _read_lock(earlier[-1])
                raise CvrError(
                    f"{self.folder} is being written by process {owner.get('pid')} on {owner.get('host')}; "
                    "wait until it ends, or name another --out."
                )
            number = int(earlier[-1].name) + 1 if earlier else 1
            self.object = self.path / f"{number:06d}"
            if create_exclusively(self.object, self._content()):
                for path in earlier:
                    path.unlink(missing_ok=True)
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self.thread.join()
        with suppress(Exception):  # the work is done, or its own error is on the way
            if self.is_mine():
                self.object.unlink(missing_ok=True)

    def is_mine(self) -> bool:
        """Return whether no other process took the folder meanwhile."""
        return not self.lost and _read_lock(self.object).get("token") == self.said["token"]

    def _beat_lock(self) -> None:
        while not self.ending.wait(BEAT_S):
            with suppress(Exception):  # what the network swallows once is tried again
                if not self.is_mine():
                    self.lost = True
                    return
                self.beats += 1
                self.object.write_bytes(self._content())

    def _content(self) -> bytes:
        return json.dumps({**self.said, "beat": self.beats}).encode()

    def _numbered_locks(self) -> list[Path]:
        return sorted(self.path.iterdir()) if self.path.is_dir() else []


def writer_lock(folder: Path) -> "folder_lock | place_lock":
    """Return what holds a folder for this process, on a disk or on an object store."""
    return place_lock(folder) if is_remote(folder) else folder_lock(folder)


class folder_lock(AbstractContextManager["folder_lock"]):
    """Makes a folder and holds it until the block or the process ends, however that ends.

    Raises:
        CvrError: another process holds it, or nothing can be written there.
    """

    def __init__(self, folder: Path):
        self.path = folder / LOCK
        self.descriptor = -1

    def __enter__(self) -> "folder_lock":
        with faults_of_disk(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = self._locked()
        return self

    def _locked(self) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                owner = _lock_owner(descriptor)
                os.close(descriptor)
                raise CvrError(
                    f"{self.path.parent} is being written by {owner}; wait until it ends, or name another --out."
                ) from None
            if self._is_the_file(descriptor):
                break
            os.close(descriptor)  # whoever had it removed the file meanwhile
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        return descriptor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def _is_the_file(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def _lock_owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 1000, 0))
        return f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):  # it has the lock and has not said who it is yet
        return "another process"


@contextmanager
def faults_of_disk(folder: Path) -> Iterator[None]:
    """Say in one line what keeps a folder from being written.

    Raises:
        CvrError: the disk is full, or nothing may be written there.
    """
    try:
        with faults_of_place(folder):
            yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise CvrError(
                f"The disk is full, or may hold no larger file: cannot write {folder}. "
                "Free some space and run again to resume."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise CvrError(f"{folder} cannot be written ({error.strerror}); name another --out.") from None
        raise


def _is_dead(path: Path) -> bool:
    """Whether the process that an object speaks of is gone; this waits for one of another machine."""
    found = _read_lock(path)
    machine, _, started = found.get("process", "").partition("/")
    if machine and machine == _this_machine():
        return _process_start(found.get("pid", 0)) != started
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(min(BEAT_S, PATIENCE_S) / 5)
        if (now := _read_lock(path)) != found:
            return not now  # it beats, or it ended
    return True


def _read_lock(path: Path) -> dict[str, Any]:
    try:
        return json.loads(read_at_once(path))
    except (FileNotFoundError, ValueError):
        return {}


def _this_process() -> str:
    machine, started = _this_machine(), _process_start(os.getpid())
    return f"{machine}/{started}" if machine and started else ""


def _this_machine() -> str:
    """What tells processes of equal numbers apart: the start of the machine, and the container; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _process_start(pid: int) -> str:
    """When a process of this machine began, in ticks since the machine did; empty if there is none."""
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if state == "Z" else others[18]
    except (OSError, IndexError):
        return ""
