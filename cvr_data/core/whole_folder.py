"""A folder that appears whole or not at all: it is written beside, and renamed when all of it is on the disk."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.folder_lock import folder_lock

OCCUPIED = (errno.EBUSY, errno.EXDEV, errno.EINVAL)
"""Errors of renaming onto a folder on which a disk is mounted."""


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `folder` when the block succeeds; what a killed run left beside it goes.

    Raises:
        CvrError: something is in `folder`, another process writes it, or no other folder can take its place.
    """
    place = Path(os.path.realpath(folder))
    beside = place.with_name(f".{place.name}.tmp")
    new = beside / place.name
    try:
        with folder_lock(beside):
            shutil.rmtree(new, ignore_errors=True)
            _check_free(folder)
            try:
                new.mkdir()
                yield new
                _sync(new)
                _put_in_place(new, place)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    finally:
        with suppress(OSError):  # another process has begun to write there
            beside.rmdir()


def _check_free(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise CvrError(f"{folder} is not empty; name another --out.")
    if folder.exists() and folder.samefile(Path.cwd()):
        raise CvrError(f"{folder} is the folder that you are in, and would be replaced; name one in it.")


def _put_in_place(new: Path, place: Path) -> None:
    try:
        new.rename(place)
    except OSError as error:
        if error.errno not in OCCUPIED:
            raise
        raise CvrError(
            f"{place} is where a disk is mounted, so nothing takes its place; name a folder in it."
        ) from None
    _sync_one(place.parent)


def _sync(folder: Path) -> None:
    """Let the disk have all that is in a folder before its name says so."""
    for root, _, files in os.walk(folder):
        for path in (*(Path(root, name) for name in files), Path(root)):
            _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
