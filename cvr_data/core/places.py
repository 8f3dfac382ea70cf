"""Folders of artifacts that lie on an object store: an address, such as `s3://bucket/pairs`, where a path may stand.

A place is a `pathlib.Path` or, for an address, a `upath.UPath`, which has its methods; hints say `Path` for both. It is
no `os.PathLike`: who takes it for a file of this machine gets a TypeError, and no folder named `s3:`. What the two do
not share is here: a file on a store appears by one PUT and not by a rename, there are no folders to make or to lock,
and Arrow reads a file object where it would open or map a path. Nothing is listed from a cache where others write too.

Source: https://github.com/fsspec/universal_pathlib
"""

import errno
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvr_data.core.errors import CvrError, did_you_mean, first_line

if TYPE_CHECKING:
    import pyarrow.parquet as pq

STORES = {
    "s3": ("s3fs", "cvr[s3]"),
    "gs": ("gcsfs", "cvr[gs]"),
    "hf": ("huggingface_hub", "cvr"),
    "memory": ("upath", "cvr"),
}
"""Scheme -> the module that reaches it, and what installs that."""
ONE_PUT = 5 * 2**30
"""Bytes that S3 takes at once; above half of it, a file is sent in pieces and still appears whole."""
FAULTS = {"aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "httpx2", "huggingface_hub", "s3fs"}
"""Packages whose errors say what is wrong with a store, or with the way to it."""


def path_or_address(given: Path | str) -> Path:
    """Return the place that a text names: an address of a store that is known here, else a path.

    Raises:
        CvrError: the address holds a secret or no bucket, or its library is not installed.
    """
    if not isinstance(given, str):
        return given
    scheme, found, rest = given.partition("://")
    if not found or scheme not in STORES:
        return Path(given)
    if "@" in rest.split("/")[0]:
        raise CvrError(f"A {scheme}:// address holds no names and passwords: put them into the environment.")
    if not rest.strip("/"):
        raise CvrError(f"{given} names no bucket; an address looks like {scheme}://bucket/folder.")
    module, extra = STORES[scheme]
    if find_spec(module) is None:
        raise CvrError(f"{scheme}:// needs {module} (pip install '{extra}').")
    from upath import UPath

    return UPath(f"{scheme}://{rest.rstrip('/')}", use_listings_cache=False)  # type: ignore[return-value]


def check_address(text: str) -> None:
    """Refuse what looks like an address, and is of no store that is known here or means many files to its library.

    Raises:
        CvrError: it is one.
    """
    scheme, found, rest = text.partition("://")
    if scheme in STORES and set(rest) & set("*?[]{}"):
        raise CvrError(f"{text}: *, ?, brackets and braces mean many files here; an address has none.")
    if found and scheme not in STORES and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise CvrError(f"{scheme}:// is no kind of address that is known here. {did_you_mean(scheme, STORES)}")


def is_remote(place: Path) -> bool:
    """Return whether a place is on an object store."""
    return not isinstance(place, Path)


def is_path_or_address(value: Any) -> bool:
    """Return whether any value is a path or an address."""
    return isinstance(value, Path) or type(value).__module__.startswith("upath.")


def address_scheme(place: Path) -> str:
    """Return the scheme of an address, or nothing for a path."""
    return getattr(place, "protocol", "") if is_remote(place) else ""


@contextmanager
def faults_of_place(place: Path) -> Iterator[None]:
    """Say in one line what keeps an address from being read or written; of a path, raise what is raised.

    Raises:
        CvrError: the bucket is not there, nothing answers, or who asks may not.
    """
    try:
        yield
    except Exception as error:
        known = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in FAULTS
        if isinstance(error, CvrError) or not is_remote(place) or not known:
            raise
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise CvrError(
                f"{tempfile.gettempdir()} is full, where files lie before they go to {place}: free it, or set TMPDIR."
            ) from None
        raise CvrError(f"{place} cannot be reached: {first_line(error)} (see docs/scale.md for addresses)") from None


@contextmanager
def opened(place: Path) -> Iterator[Any]:
    """Give what Arrow reads a file from: a path as it is, of an address a file that fetches what is asked for."""
    if not is_remote(place):
        yield place
        return
    with place.open("rb", cache_type="none") as file:  # type: ignore[call-overload]
        yield file


@contextmanager
def open_parquet(place: Path) -> Iterator["pq.ParquetFile"]:
    """Open a Parquet file; of an address, columns that are read together are fetched together."""
    import pyarrow.parquet as pq

    with opened(place) as source, pq.ParquetFile(source, pre_buffer=is_remote(place)) as file:
        yield file


@contextmanager
def local_file_of_address(place: Path) -> Iterator[Path]:
    """Give a file of this machine that has the bytes of a place: a path as it is, of an address a copy for the block.

    Raises:
        OSError: there is none.
    """
    if not is_remote(place):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="cvr-") as folder:
        copy = Path(folder) / place.name
        if address_scheme(place) == "memory":  # there all who read a file move one position
            copy.write_bytes(place.fs.cat_file(place.path))  # type: ignore[attr-defined]
        else:
            place.fs.get_file(place.path, str(copy))  # type: ignore[attr-defined]
        yield copy


def put_whole(file: Path, place: Path) -> None:
    """Put a file of this machine to an address, in one PUT: whole or not at all."""
    at_once = {"chunksize": ONE_PUT // 2} if address_scheme(place) == "s3" else {}
    place.fs.put_file(str(file), place.path, **at_once)  # type: ignore[attr-defined]


def move(place: Path, target: Path) -> None:
    """Put a file in the place of another; at an address a copy that is whole or absent, and then the first goes."""
    if not is_remote(place):
        place.replace(target)
        return
    place.fs.cp_file(place.path, target.path)  # type: ignore[attr-defined]
    place.fs.rm_file(place.path)  # type: ignore[attr-defined]


def create_exclusively(place: Path, content: bytes) -> bool:
    """Put what lies nowhere yet to an address, on condition that nothing is there; return whether it is this now."""
    try:
        place.fs.pipe_file(place.path, content, mode="create")  # type: ignore[attr-defined]
    except FileExistsError:
        return read_at_once(place) == content  # a PUT whose answer was lost was sent again
    return True


def read_at_once(place: Path) -> bytes:
    """Return the bytes at an address in one request: those of one moment, though others write it anew meanwhile."""
    return place.fs.cat_file(place.path)  # type: ignore[attr-defined]


def make_folder(place: Path) -> None:
    """Make a folder and those above it; on a store there are none, and a bucket is nothing that a run makes."""
    if not is_remote(place):
        place.mkdir(parents=True, exist_ok=True)


def remove_folder(place: Path) -> None:
    """Remove a folder of what can be made again, and all in it."""
    if not is_remote(place):
        shutil.rmtree(place, ignore_errors=True)
    elif place.is_dir():
        place.fs.rm(place.path, recursive=True)  # type: ignore[attr-defined]


def names_below(folder: Path) -> list[str]:
    """Return the files of a folder and those below it, as paths from it; none that is hidden or in a hidden folder."""
    if is_remote(folder):
        start = folder.path.rstrip("/") + "/"  # type: ignore[attr-defined]
        found = folder.fs.find(folder.path) if folder.is_dir() else ()  # type: ignore[attr-defined]
        names = [name.removeprefix(start) for name in found]
        return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))
    names = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names += [(Path(root) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    return sorted(names)


def real_place(place: Path) -> Path:
    """Return where a place really lies, links followed; a link that leads to itself stays as it is."""
    return place.resolve() if is_remote(place) else Path(os.path.realpath(place))


def path_from(folder: Path, place: Path) -> str:
    """Return how a place is named in a file that lies in a folder: from there, or whole where no path leads there."""
    real, home = real_place(place), real_place(folder)
    if not is_remote(folder) and not is_remote(place):
        return Path(os.path.relpath(real, home)).as_posix()
    if is_remote(folder) and address_scheme(folder) == address_scheme(place) and folder.anchor == place.anchor:
        return posixpath.relpath(real.path, home.path)  # type: ignore[attr-defined]
    return str(real)


def path_or_address_from(folder: Path, name: str) -> Path:
    """Return the place that `path_from` named."""
    named = path_or_address(name)
    if is_remote(named) or is_remote(folder):
        return named if is_remote(named) or named.is_absolute() else (folder / name).resolve()
    return Path(os.path.normpath(folder / named))
