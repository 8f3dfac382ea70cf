"""One file of a Hugging Face repository: hf://datasets/owner/name@revision/path.

Everything about it (endpoint, token, caches) is huggingface_hub's: HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE hold.
"""

import contextlib
import dataclasses
import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cvr_data.core.errors import CvrError, first_few, first_line
from cvr_data.core.whole_files import file_sha256
from cvr_data.download.fetch import PARTIAL, WORTH_RETRYING, FetchAnswer
from cvr_data.download.hub_set import asking_hub
from cvr_data.download.items import WantedFile
from cvr_data.download.status import read_download_status

SCHEME = "hf://"
KINDS = {"datasets": "dataset", "models": "model", "spaces": "space"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"hf://(datasets|models|spaces)/([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


def attempt_hub_download(item: WantedFile, folder: Path) -> FetchAnswer:
    """Fetch the item's file through huggingface_hub, which resumes and checks it."""
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    kind, repo, revision, path = hub_download_address_parts(item.url)
    work = folder / PARTIAL / "hub" / repo.replace("/", "--")
    try:
        found = Path(hf_hub_download(repo, path, repo_type=kind, revision=revision, local_dir=work))
    except GatedRepoError:
        return FetchAnswer(
            error="gated: accept its terms on its page, then set HF_TOKEN", is_final=True, http_status=403
        )
    except (LocalEntryNotFoundError, httpx2.TransportError, ConnectionError, TimeoutError) as error:
        return FetchAnswer(error=f"{type(error).__name__}: {first_line(error)}")
    except HfHubHTTPError as error:
        code = error.response.status_code
        is_final = 400 <= code < 500 and code not in WORTH_RETRYING
        return FetchAnswer(error=f"HTTP {code}: {first_line(error)}", is_final=is_final, http_status=code)
    digest = file_sha256(found)
    wanted = item.sha256 or _told_sha256(work, path)
    if wanted is not None and digest != wanted:
        found.unlink()
        return FetchAnswer(error=f"its sha256 is {digest}, not {wanted}", is_final=True)
    target = folder / item.file
    target.parent.mkdir(parents=True, exist_ok=True)
    found.replace(target)
    return FetchAnswer(sha256=digest)


def _told_sha256(work: Path, path: str) -> str | None:
    """The sha256 that the Hub gives for a large file as its ETag; huggingface_hub notes it and compares sizes only."""
    note = work / ".cache" / "huggingface" / "download" / f"{path}.metadata"
    lines = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    return lines[1] if len(lines) > 1 and _SHA256.fullmatch(lines[1]) else None


def items_at_one_commit(items: Sequence[WantedFile], folder: Path) -> list[WantedFile]:
    """Return the items with a commit for the branch in their hf:// addresses, so that no two versions are mixed.

    The commit is that of what came from the repository before, else the newest one; where the hub does not tell it, the
    address stays. Nobody is asked for files that lie in the folder.
    """
    commits: dict[tuple[str, str], str] | None = None
    found = []
    for item in items:
        if _ADDRESS.fullmatch(item.url) and not _is_pinned(item.url) and not (folder / item.file).is_file():
            if commits is None:
                known = (
                    hub_download_address_parts(row.url)
                    for row in read_download_status(folder)
                    if row.status == "ok" and _is_pinned(row.url)
                )
                commits = {(kind, repo): revision for kind, repo, revision, _ in known}
            kind, repo, revision, path = hub_download_address_parts(item.url)
            if (kind, repo) not in commits:
                commits[kind, repo] = _newest_commit(repo, kind, revision)
            item = dataclasses.replace(item, url=f"{item.url.partition(repo)[0]}{repo}@{commits[kind, repo]}/{path}")
        found.append(item)
    return found


def _is_pinned(url: str) -> bool:
    return (
        bool(_ADDRESS.fullmatch(url)) and re.fullmatch(r"[0-9a-f]{40}", hub_download_address_parts(url)[2]) is not None
    )


def _newest_commit(repo: str, kind: str, revision: str) -> str:
    from huggingface_hub import HfApi

    with contextlib.suppress(CvrError), asking_hub(repo):
        return HfApi().repo_info(repo, repo_type=kind, revision=revision).sha or revision
    return revision


def hub_files(repo: str, kind: str, revision: str, pattern: str) -> list[str]:
    """Return the repository's files that match a pattern such as `embeddings/*`, asking its hub for the list.

    Raises:
        CvrError: the hub or the repository cannot be reached, or nothing matches.
    """
    from huggingface_hub import HfApi

    with asking_hub(f"The file list of {repo} cannot be read"):
        names = HfApi().list_repo_files(repo, repo_type=kind, revision=revision)
    found = sorted(name for name in names if fnmatch.fnmatch(name, pattern))
    if not found:
        raise CvrError(f"{repo} has no file {pattern}.")
    if odd := [name for name in found if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts]:
        raise CvrError(f"{repo} lists {first_few(odd)}, which leads out of a folder.")
    return found


def hub_download_address_parts(url: str) -> tuple[str, str, str, str]:
    """Return (kind, repository, revision, path) of an hf:// address. Raises CvrError: it is no such address."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise CvrError(f"{url!r} should look like hf://datasets/owner/name@revision/path.")
    kind, repo, revision, path = found.groups()
    return KINDS[kind], repo, revision or "main", path
