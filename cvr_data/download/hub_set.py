"""A data set of the Hub as a folder of this machine: its card and its Parquet files, at one commit, in the cache.

hub_set_folder(Path("user/name@0123..."))       # the folder; what is there already is not asked for
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.model_packages import cache_folder
from cvr_data.core.places import is_remote

logger = logging.getLogger(__name__)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
WANTED = ("README.md", "*.parquet")
"""What a set in the layout of MTEB's retrieval consists of."""
WHOLE = ".whole"
"""A file in the folder of a commit of which nothing is missing."""


@contextlib.contextmanager
def asking_hub(trouble: str) -> Iterator[None]:
    """Ask the Hub in this block: whatever goes wrong with that is one line, which begins with `trouble`.

    Raises:
        CvrError: it cannot be reached, has no such thing, or the name is none of a repository.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.TransportError, ConnectionError, ValueError) as error:
        raise CvrError(f"{trouble}: {first_line(error)}") from None


def repository_and_commit(name: str) -> tuple[str, str]:
    """Return the repository and the commit of user/name or user/name@revision, asking the Hub for what is no commit."""
    repo, _, revision = name.partition("@")
    return repo, revision if COMMIT.fullmatch(revision) else download_hub_commit(repo, revision or "main")


def hub_set_folder(path: Path) -> Path:
    """Return a folder as it is, or that of a data set named user/name or user/name@revision, downloading what lacks.

    Raises:
        CvrError: it is no folder and no such name, or the Hub cannot be reached or has no such data set.
    """
    if not is_remote(path) and path.is_dir():
        return path
    if is_remote(path) or not NAME.fullmatch(str(path).removeprefix("hf:")):
        raise CvrError(f"{path}: no such folder; on the Hub a set is USER/NAME, or USER/NAME@COMMIT.")
    repo, commit = repository_and_commit(str(path).removeprefix("hf:"))
    if not is_hub_set_downloaded(repo, commit):
        _download(repo, commit, _folder(repo, commit))
        (_folder(repo, commit) / WHOLE).touch()
    return _folder(repo, commit)


def is_hub_set_downloaded(repo: str, commit: str) -> bool:
    """Return whether nothing is missing of a set, so that nothing is asked of the Hub."""
    return (_folder(repo, commit) / WHOLE).exists()


def _folder(repo: str, commit: str) -> Path:
    return cache_folder() / "hub-sets" / repo.replace("/", "--") / commit


@lru_cache(maxsize=64)
def download_hub_commit(repo: str, revision: str) -> str:
    """Return the commit of a branch, tag or shortened commit, and tell it, so that it can be named.

    Raises:
        CvrError: the Hub cannot be reached, or has no such data set or revision.
    """
    from huggingface_hub import HfApi

    with asking_hub(f"{repo} is no path here, and cannot be read from the Hub"):
        found = HfApi(library_name="cvr").dataset_info(repo, revision=revision).sha
    if not COMMIT.fullmatch(revision):
        logger.info("%s is at commit %s; name it as %s@%s to read the same again.", repo, found, repo, found)
    return str(found)


def downloaded_hub_configs(repo: str, commit: str) -> list[str]:
    """Return what the configs of a data set are called, by its card; else its folders and files.

    Raises:
        CvrError: the Hub cannot be reached, or has no such data set.
    """
    from huggingface_hub import HfApi

    with asking_hub(f"{repo} cannot be read from the Hub"):
        about = HfApi(library_name="cvr").dataset_info(repo, revision=commit)
    configs = getattr(about.card_data, "configs", None) if about.card_data else None
    if isinstance(configs, list):
        return [str(each.get("config_name")) for each in configs if isinstance(each, dict)]
    files = [each.rfilename for each in about.siblings or () if each.rfilename.endswith(".parquet")]
    return sorted({name.partition("/")[0] if "/" in name else name.partition("-0")[0] for name in files})


def _download(repo: str, commit: str, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    with asking_hub(f"{repo} cannot be downloaded from the Hub"):
        snapshot_download(repo, repo_type="dataset", revision=commit, allow_patterns=list(WANTED), local_dir=folder)
