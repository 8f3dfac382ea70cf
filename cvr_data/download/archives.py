"""Unpacks zip and tar files from elsewhere: nothing outside the folder, no links out, no bombs.

Members go to a hidden folder first and are moved into place when all of them are there; a small file beside the archive
then says so, and a later run does not unpack again.
"""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import json_bytes, write_bytes

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
COPY_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class UnpackLimits:
    """What an archive may hold."""

    files: int = 5_000_000
    """Members."""
    bytes: int = 1 << 41
    """All members unpacked: two terabytes."""
    ratio: float = 200.0
    """Unpacked bytes per byte of the archive, above `slack_bytes`; media do not compress, captions about tenfold."""
    slack_bytes: int = 1 << 30
    """Up to so much the ratio does not matter."""


class _Budget:
    """Counts what is unpacked and ends where the limits are."""

    def __init__(self, archive: Path, limits: UnpackLimits):
        self.archive, self.limits = archive, limits
        by_ratio = max(limits.slack_bytes, int(limits.ratio * archive.stat().st_size))
        self.bytes_left, self.files_left = min(limits.bytes, by_ratio), limits.files

    def take(self, size: int, files: int = 0) -> None:
        self.bytes_left -= size
        self.files_left -= files
        if self.bytes_left < 0 or self.files_left < 0:
            what = "bytes" if self.bytes_left < 0 else "files"
            raise CvrError(f"{self.archive} unpacks to more {what} than is allowed; unpack it by hand if you trust it.")


def unpacked_marker(archive: Path) -> Path:
    """Return the file that says that an archive was unpacked; it stays when the archive is removed."""
    return archive.with_name(f".{archive.name}.unpacked.json")


def is_archive(name: str) -> bool:
    """Return whether a file of that name is unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack_archive(archive: Path, into: Path, *, inside: str | None = None, limits: UnpackLimits | None = None) -> int:
    """Unpack an archive into a folder, replacing files of the same names, and return how many files it held.

    Args:
        archive: a zip or tar file.
        into: the folder.
        inside: a folder of the archive whose content takes its place, if it is there.
        limits: what the archive may hold at most.

    Raises:
        CvrError: it is damaged, holds a name or link that leads out, or is over a limit; nothing is in place then.
    """
    work = into / f".unpacking-{archive.name}"
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    try:
        extract: Callable[[Path, Path, _Budget], int] = _unzip_archive if archive.suffix == ".zip" else _untar_archive
        count = extract(archive, work, _Budget(archive, limits or UnpackLimits()))
        if inside is not None and (work / inside).is_dir():
            _move_unpacked(work / inside, into)
            shutil.rmtree(work / inside)
        _move_unpacked(work, into)
    except (zipfile.BadZipFile, tarfile.ReadError, EOFError) as error:
        raise CvrError(f"{archive} is damaged ({error}); remove it and download it again.") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_bytes(unpacked_marker(archive), json_bytes({"files": count, "bytes": archive.stat().st_size}))
    return count


def _unzip_archive(archive: Path, work: Path, budget: _Budget) -> int:
    count = 0
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            target = _archive_member_target(work, info.filename, archive)
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise CvrError(f"{archive} holds a link, {info.filename!r}; it is not unpacked.")
            if info.flag_bits & 1:
                raise CvrError(f"{archive} is encrypted; unpack it by hand.")
            if info.is_dir():
                continue
            budget.take(0, 1)
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(info) as source, target.open("wb") as sink:
                # Sizes in a zip's directory may lie, so what comes out is counted.
                while chunk := source.read(COPY_BYTES):
                    budget.take(len(chunk))
                    sink.write(chunk)
            count += 1
    return count


def _untar_archive(archive: Path, work: Path, budget: _Budget) -> int:
    count = 0
    with tarfile.open(archive) as opened:
        for member in opened:
            _archive_member_target(work, member.name, archive)
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                raise CvrError(f"{archive} holds a device or pipe, {member.name!r}; it is not unpacked.")
            budget.take(member.size, 1)
            try:
                opened.extract(member, work, filter="data")
            except tarfile.FilterError as error:
                raise CvrError(f"{archive} holds {member.name!r}, which leads out ({error}); not unpacked.") from None
            count += not member.isdir()
    return count


def _archive_member_target(work: Path, name: str, archive: Path) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0] or "\0" in name:
        raise CvrError(f"{archive} holds {name!r}, which leads out of its folder; it is not unpacked.")
    return work / path


def _move_unpacked(source: Path, target: Path) -> None:
    """Move what is in one folder into another, folder by folder; a link in the target is replaced, never followed."""
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink():
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                place.unlink()
            place.mkdir(exist_ok=True)
            _move_unpacked(entry, place)
        else:
            entry.replace(place)
