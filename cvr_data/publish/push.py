"""Uploads files to a dataset repository of the Hugging Face Hub: in chunks to a branch, then in one commit.

    push_publication(files, Target("user/name"))      # files: path in the repository -> local file

1. What the revision lacks goes to the branch `cvr-upload-REVISION` in chunks, a commit each, so that the Hub keeps what
   has arrived. Each chunk is compared with what the Hub then reports: sha256 of large files, git's hash of small ones.
2. One commit on the revision takes all of it from that branch (CommitOperationCopy: pointers of large files, nothing is
   sent again) and removes what is no longer part of it. It names the commit it was worked out from, so that the Hub
   refuses it (412) if someone else was faster. The branch is removed.

Until that one commit the revision is as it was, whatever kills the push. Every try asks the Hub first what is there
and goes on from that: a rerun after a kill and a retry after a reset are the same thing, and what has arrived, on the
branch or as a large file that no commit names yet, is not sent again. A revision that does not exist yet is made from
the first commit of the repository, empty, just before that one commit.
"""

import hashlib
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.http_client import whole_number
from cvr_data.core.progress import Megabytes
from cvr_data.publish.hub_answers import hub_upload_answer_text, hub_upload_error

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi, RepoFile

log = logging.getLogger(__name__)
REVISION = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$))[A-Za-z0-9_][\w./-]*[\w-]|[A-Za-z0-9]")
TREE = 10_000
"""Paths above which a whole tree is cheaper to ask for than each path."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How to send."""

    chunk_files: int = 1000
    """Files of one commit on the branch; the Hub takes about a hundred commits an hour."""
    chunk_bytes: int = 4_000_000_000
    """Bytes of one commit on the branch, unless one file alone has more."""
    group_bytes: int = 200_000_000
    """Bytes after which progress is shown; within a chunk."""
    attempts: int = 5
    """Failures in a row, with nothing committed in between, that end the push; before the Hub has answered, one."""
    wait_s: float = 2.0
    """Pause after the first failure; it doubles each time, up to a minute, unless the Hub says how long."""


@dataclass(frozen=True)
class Target:
    """Where files go."""

    repo: str
    revision: str = "main"
    private: bool = False
    """Of a repository that is made."""
    owned: tuple[str, ...] = ()
    """Folders (`data/`) whose files are removed when they are not among those pushed."""

    @property
    def branch(self) -> str:
        """Name of the branch that holds what has arrived."""
        return f"cvr-upload-{self.revision.replace('/', '-')}"


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    url: str
    """Of the commit that holds the dataset."""
    files: int
    """That the revision has now."""
    sent: int
    """Files of that commit: sent now, or found arrived on the branch."""
    removed: int

    @property
    def is_new(self) -> bool:
        """Whether a commit was made; False says that the revision had it all."""
        return bool(self.sent or self.removed)


def push_publication(files: Mapping[str, Path], target: Target, config: Config, api: "HfApi") -> Pushed:
    """Bring the files to the revision and return what was done.

    Raises:
        CvrError: the Hub refuses, cannot be reached, changed meanwhile, or holds other bytes than were sent.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    if not REVISION.fullmatch(target.revision):
        raise CvrError(f"--revision {target.revision!r} cannot be the name of a branch.")
    if target.revision.startswith("cvr-upload-"):
        raise CvrError(f"--revision {target.revision!r}: such branches hold unfinished uploads; choose another name.")
    upload = Upload(files, target, config, api)
    failures, committed = 0, 0
    while True:
        try:
            return upload.attempt()
        except OfflineModeIsEnabled:
            raise CvrError("HF_HUB_OFFLINE is set, so nothing can be pushed; unset it.") from None
        except (HTTPError, RuntimeError, HfHubHTTPError) as error:
            problem = hub_upload_error(error)
            failures = 1 if upload.committed > committed else failures + 1
            committed = upload.committed
            text = hub_upload_answer_text(problem, api.endpoint, target.repo, target.revision, left=upload.left)
            response = getattr(problem, "response", None)
            may_pass = response is None or response.status_code in (408, 429) or response.status_code >= 500
            if not upload.is_met or not may_pass or failures >= config.attempts:
                raise CvrError(text) from None
            asked_s = None if response is None else whole_number(response.headers.get("Retry-After"))
            pause_s = min(config.wait_s * 2 ** (failures - 1), 60.0) if asked_s is None else min(asked_s, 600.0)
            log.warning("%s Trying again in %.0f s (%d of %d).", text, pause_s, failures, config.attempts - 1)
            time.sleep(pause_s)


class Upload:
    """A push of some files to one revision; `attempt` may be called until it does not raise."""

    def __init__(self, files: Mapping[str, Path], target: Target, config: Config, api: "HfApi"):
        self.files, self.target, self.config, self.api = dict(files), target, config, api
        self.additions: dict[str, CommitOperationAdd] = {}
        self.committed = 0
        """Files committed to the branch by this process."""
        self.left: int | None = None
        """Files that had not arrived when last looked; None before the first look."""
        self.is_met = False
        """Whether the Hub has answered at all."""
        self.change = (0, 0)
        """Files that the revision lacked, and those removed from it."""

    def attempt(self) -> Pushed:
        """Bring over what is missing, commit it, and remove the branch."""
        target, api = self.target, self.api
        api.create_repo(target.repo, repo_type="dataset", private=target.private, exist_ok=True)
        self.is_met = True
        heads = self._branch_heads()
        head = heads.get(target.revision)
        self._hash_files()
        there = self._repository_tree(head)
        wanted = [name for name in self.files if not self._is_same(name, there.get(name))]
        stale = [name for name in there if name.startswith(target.owned) and name not in self.files]
        if wanted or stale or head is None:
            if wanted:
                self._send_to_branch(wanted, heads)
            self.change = (len(wanted), len(stale))  # before the commit: its answer may be lost
            head = self._commit_to_revision(wanted, stale, head)
        if target.branch in self._branch_heads():
            api.delete_branch(target.repo, branch=target.branch, repo_type="dataset")
        sent, removed = self.change
        url = f"{api.endpoint}/datasets/{target.repo}/commit/{head}"
        return Pushed(url=url, files=len(self.files), sent=sent, removed=removed)

    def _branch_heads(self) -> dict[str, str]:
        refs = self.api.list_repo_refs(self.target.repo, repo_type="dataset")
        if self.target.revision in {tag.name for tag in refs.tags}:
            raise CvrError(f"{self.target.repo}: {self.target.revision!r} is a tag, which cannot be pushed to.")
        return {branch.name: branch.target_commit for branch in refs.branches}

    def _hash_files(self) -> None:
        """Work out the sha256 of every file, once."""
        from huggingface_hub import CommitOperationAdd

        missing = [name for name in self.files if name not in self.additions]
        progress = Megabytes("hash", sum(self.files[name].stat().st_size for name in missing))
        with progress:
            for name in missing:
                self.additions[name] = CommitOperationAdd(name, str(self.files[name]))
                progress.advance_bytes(self.additions[name].upload_info.size)

    def _repository_tree(self, revision: str | None) -> dict[str, "RepoFile"]:
        from huggingface_hub import RepoFile

        if revision is None:
            return {}
        tree = self.api.list_repo_tree(self.target.repo, recursive=True, revision=revision, repo_type="dataset")
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def _is_same(self, name: str, entry: "RepoFile | None") -> bool:
        """Whether what the Hub reports of a file is what lies here."""
        info = self.additions[name].upload_info
        if entry is None or (entry.lfs is None and entry.size != info.size):
            return False
        if entry.lfs is not None:
            return entry.lfs.sha256 == info.sha256.hex() and entry.lfs.size == info.size
        content = self.files[name].read_bytes()
        return entry.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    def _send_to_branch(self, wanted: Sequence[str], heads: Mapping[str, str]) -> None:
        """Bring the files to the branch, those that are not there yet, and compare all of them."""
        target = self.target
        if target.branch not in heads:
            base = target.revision if target.revision in heads else None
            self.api.create_branch(
                target.repo, branch=target.branch, revision=base, repo_type="dataset", exist_ok=True
            )  # fmt: skip
        arrived = self._repository_tree(target.branch)
        missing = [name for name in wanted if not self._is_same(name, arrived.get(name))]
        self.left = len(missing)
        if len(missing) < len(wanted):
            log.info("%d of %d files have arrived before.", len(wanted) - len(missing), len(wanted))
        progress = Megabytes("upload", self._bytes_of_files(missing))
        with progress:
            for chunk in self._upload_chunks(missing, self.config.chunk_files, self.config.chunk_bytes):
                self._send_chunk(chunk, progress)
        self._compare_with_hub(wanted)

    def _send_chunk(self, chunk: Sequence[str], progress: "Megabytes") -> None:
        target, additions = self.target, [self.additions[name] for name in chunk]
        for group in self._upload_chunks(chunk, self.config.chunk_files, self.config.group_bytes):
            self.api.preupload_lfs_files(
                target.repo, [self.additions[name] for name in group], repo_type="dataset", revision=target.branch,
                free_memory=False,
            )  # fmt: skip
            progress.advance_bytes(self._bytes_of_files(group), note=f"{self.left} files left")
        self.api.create_commit(
            target.repo, additions, repo_type="dataset", revision=target.branch,
            commit_message=f"Upload {len(chunk)} files for {target.revision}",
        )  # fmt: skip
        self._compare_with_hub(chunk)
        self.committed += len(chunk)
        self.left = (self.left or len(chunk)) - len(chunk)

    def _compare_with_hub(self, names: Sequence[str]) -> None:
        """Compare what the Hub reports of files on the branch with what lies here."""
        target = self.target
        if len(names) > TREE:
            found = self._repository_tree(target.branch)
        else:
            entries = self.api.get_paths_info(target.repo, list(names), revision=target.branch, repo_type="dataset")
            found = {entry.path: entry for entry in entries}  # type: ignore[misc]
        if wrong := [name for name in names if not self._is_same(name, found.get(name))]:
            raise CvrError(
                f"{target.repo}: the Hub holds other bytes of {first_few(wrong)} than lie here; {target.revision} is "
                "as it was. Were the files changed meanwhile? Run again."
            )

    def _commit_to_revision(self, wanted: Sequence[str], stale: Sequence[str], head: str | None) -> str:
        """Make the one commit on the revision and return its id."""
        from huggingface_hub import CommitOperationCopy, CommitOperationDelete

        target = self.target
        if head is None:
            first = list(self.api.list_repo_commits(target.repo, repo_type="dataset"))[-1].commit_id
            self.api.create_branch(target.repo, branch=target.revision, revision=first, repo_type="dataset")
            head = self._branch_heads()[target.revision]
        commit = self.api.create_commit(
            target.repo,
            [
                *(CommitOperationCopy(name, name, src_revision=target.branch) for name in wanted),
                *(CommitOperationDelete(name) for name in stale),
            ],
            repo_type="dataset", revision=target.revision, parent_commit=head,
            commit_message="Publish the dataset with cvr",
        )  # fmt: skip
        return str(commit.oid)

    def _bytes_of_files(self, names: Sequence[str]) -> int:
        return sum(self.additions[name].upload_info.size for name in names)

    def _upload_chunks(self, names: Sequence[str], most_files: int, most_bytes: int) -> Iterator[list[str]]:
        chunk: list[str] = []
        size = 0
        for name in names:
            more = self.additions[name].upload_info.size
            if chunk and (len(chunk) == most_files or size + more > most_bytes):
                yield chunk
                chunk, size = [], 0
            chunk.append(name)
            size += more
        if chunk:
            yield chunk
