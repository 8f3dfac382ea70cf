"""Files that appear whole or not at all, and whose bytes follow from what is in them."""

import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cvr_data.core.places import is_remote, open_parquet, put_whole
from cvr_data.core.reading import check_plain, reading

if TYPE_CHECKING:  # those who write other files do not wait for Arrow
    import numpy as np
    import pyarrow as pa
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cvr_data.core.errors import CvrError
from cvr_data.core.folder_lock import folder_lock

OCCUPIED = (errno.EBUSY, errno.EXDEV, errno.EINVAL)
"""Errors of renaming onto a folder on which a disk is mounted."""

NEARLY_FULL = 1 << 20
"""Bytes that are left on a disk of which a writer had one piece too few."""


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file."""
    with check_plain(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_array(path: Path, array: "np.ndarray") -> None:
    """Write an `.npy` file whole or not at all."""
    import numpy as np

    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def parquet_bytes(table: "pa.Table") -> bytes:
    """Return a table as the bytes of a Parquet file; equal tables give equal bytes."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table.combine_chunks(), buffer, compression="zstd")
    return buffer.getvalue()


def write_parquet(path: Path, table: "pa.Table") -> None:
    """Write a Parquet file whole or not at all; equal tables give equal bytes."""
    import pyarrow.parquet as pq

    with whole_file(path) as temporary:
        pq.write_table(table.combine_chunks(), temporary, compression="zstd", row_group_size=65_536)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> "pa.Table":
    """Return the table of a file, or those columns of it; `pq.read_table` does the same, and imports pandas for it.

    Raises:
        CvrError: it is missing, damaged, or lacks a column.
    """
    with reading(path, "Parquet"), open_parquet(path) as file:
        table = file.read(None if columns is None else list(columns))
        return table if columns is None else table.select(list(columns))


def json_bytes(value: Any) -> bytes:
    """Return sorted, readable JSON ending in a newline."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _is_of_a_full_disk(error: BaseException | None, folder: Path) -> bool:
    """Whether the disk was the reason where a library does not say: NumPy, torch and HDF5 have errors of their own."""
    if (
        isinstance(error, OSError) and error.filename is None
    ):  # such as "100 requested and 28 written", without a number
        return error.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    is_told = isinstance(error, OSError) or type(error).__name__ in ("CvrError", "KeyboardInterrupt")
    return not is_told and shutil.disk_usage(folder).free < NEARLY_FULL


class whole_file(AbstractContextManager[Path]):
    """Gives a temporary path; when the block succeeds, it is synced and renamed, or put to an address in one PUT."""

    def __init__(self, path: Path):
        self.path = path
        folder = Path(tempfile.gettempdir()) if is_remote(path) else path.parent
        self.temporary = folder / f".{path.name}.{os.urandom(6).hex()}.tmp"  # of one process of one machine

    def __enter__(self) -> Path:
        check_plain(self.path)
        return self.temporary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.temporary.unlink(missing_ok=True)
            if _is_of_a_full_disk(error, self.temporary.parent):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path)) from None
            return
        if is_remote(self.path):
            try:
                put_whole(self.temporary, self.path)
            finally:
                self.temporary.unlink(missing_ok=True)
            return
        with self.temporary.open("rb") as file:
            os.fsync(file.fileno())
        try:
            self.temporary.replace(self.path)
        except OSError:  # a folder is there
            self.temporary.unlink(missing_ok=True)
            raise


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
                _sync_folder(new)
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
    _sync_path(place.parent)


def _sync_folder(folder: Path) -> None:
    """Let the disk have all that is in a folder before its name says so."""
    for root, _, files in os.walk(folder):
        for path in (*(Path(root, name) for name in files), Path(root)):
            _sync_path(path)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
