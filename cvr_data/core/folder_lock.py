"""One process writes a folder at a time; a second one is refused in one line that names the first."""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType

from cvr_data.core.errors import CvrError
from cvr_data.core.place_lock import LOCK, place_lock
from cvr_data.core.places import faults_of_place, is_remote


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
                owner = _owner(descriptor)
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


def _owner(descriptor: int) -> str:
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
