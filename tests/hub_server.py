"""A loopback server that speaks the part of the Hugging Face Hub's HTTP protocol that uploads and downloads need.

    with HubServer() as hub:
        subprocess.run([...], env={**os.environ, **hub.environment(tmp_path)})

Repositories, with their branches, live in memory. A refused token answers 401; `hub.fail_next(status)` answers the next
request with it, `hub.upload_failures` the next uploads of a large file, and `hub.faults` what comes as k-th. As on the
real Hub, a large file is stored only if its bytes have the sha256 it was announced with, and a commit that names one
that is not stored is refused.
"""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.serving import QuietHandler, Serving

TOKEN = "hf_loopback_secret_token"
API = re.compile(r"/api/(datasets|models)/(?P<id>[^/]+/[^/]+)(?:/(?P<rest>.*))?$")
FILE = re.compile(r"/(?:datasets/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)$")
LFS = re.compile(r"/(?:datasets/)?[^/]+/[^/]+\.git/info/lfs/objects/batch$")


@dataclass(frozen=True)
class Fault:
    """What happens to one request."""

    kind: Literal["status", "reset", "lost"]
    """Answer a status; reset the connection half-way through the body; do as asked and reset instead of answering."""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Repo:
    """Branches, each a list of commits from the first on: (commit id, path -> sha256 of the content, title)."""

    private: bool = False
    branches: dict[str, list[tuple[str, dict[str, str], str]]] = field(default_factory=lambda: {"main": []})

    @property
    def commits(self) -> list[tuple[str, dict[str, str], str]]:
        """Those of `main`."""
        return self.branches["main"]

    def commit(self, files: dict[str, str], title: str, branch: str = "main") -> str:
        history = self.branches[branch]
        text = json.dumps([[oid for oid, _, _ in history], sorted(files.items()), title])
        history.append((hashlib.sha1(text.encode()).hexdigest(), files, title))
        return history[-1][0]

    def at(self, revision: str) -> tuple[str, dict[str, str]] | None:
        """Return (commit id, files) of a branch or a commit id."""
        history = self.branches.get(revision.removeprefix("refs/heads/"))
        if history:
            return history[-1][:2]
        for oid, files, _ in (commit for found in self.branches.values() for commit in found):
            if revision == oid:
                return oid, files
        return None


class HubServer(Serving):
    """The server, its repositories and blobs; `requests` is the log of (method, path)."""

    def __init__(self) -> None:
        super().__init__(HubHandler)
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.failures: list[int] = []
        self.upload_failures: list[int] = []
        self.faults: dict[int, Fault] = {}
        """Number of a request, the next one being 0 -> what happens to it."""
        self.watch: Callable[[int], None] | None = None
        """Told the number of each request before it is looked at."""
        self.uploads: list[str] = []
        """sha256 of every large file that was stored, in order."""

    def environment(self, home: Path, token: str = TOKEN) -> dict[str, str]:
        """Return the variables that point huggingface_hub and datasets at this server, with caches under `home`."""
        settings = {"HF_ENDPOINT": self.url, "HF_TOKEN": token, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
        return {**settings, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Return path -> content of the newest commit."""
        found = self.repos[repo].at(revision)
        assert found is not None, revision
        return {path: self.blobs[sha] for path, sha in found[1].items()}

    def fail_next(self, *statuses: int) -> None:
        """Answer the next requests with these statuses."""
        self.failures.extend(statuses)


class HubHandler(QuietHandler):
    disable_nagle_algorithm = True
    wbufsize = -1
    state: HubServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionResetError):  # a client that was killed between two requests
            super().handle()

    def do_HEAD(self) -> None:
        self.route()

    def do_GET(self) -> None:
        self.route()

    def do_POST(self) -> None:
        self.route()

    def do_PUT(self) -> None:
        self.route()

    def do_DELETE(self) -> None:
        self.route()

    def route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        size = int(self.headers.get("Content-Length") or 0)
        with self.state.lock:
            number = len(self.state.requests)
            self.state.requests.append((self.command, path))
        if self.state.watch is not None:
            self.state.watch(number)
        fault = self.state.faults.pop(number, None)
        if fault is not None and fault.kind == "reset":
            self.rfile.read(size // 2)
            self.reset()
            return
        self.body = self.rfile.read(size)
        if len(self.body) < size:  # the client was killed
            self.close_connection = True
            return
        self.is_lost = fault is not None and fault.kind == "lost"
        try:
            self.respond(path, fault if fault is not None and fault.kind == "status" else None)
        except (BrokenPipeError, ConnectionResetError):  # a client that was killed
            self.close_connection = True

    def respond(self, path: str, fault: Fault | None) -> None:
        with self.state.lock:
            if fault is not None:
                self.answer({"error": "told to fail"}, fault.status, headers=fault.headers)
            elif self.state.failures:
                self.answer({"error": "told to fail"}, self.state.failures.pop(0))
            elif path.startswith("/upload/") and self.state.upload_failures:
                self.answer({"error": "told to fail"}, self.state.upload_failures.pop(0))
            elif path.startswith("/upload/"):
                self.store(path.rsplit("/", 1)[1])
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.answer({"error": "Invalid credentials"}, 401)
            elif path == "/api/repos/create":
                self.create()
            elif path == "/api/validate-yaml":
                self.answer({"errors": [], "warnings": []})
            elif LFS.match(path):
                self.lfs_batch()
            elif match := FILE.match(path):
                self.file(match["id"], match["revision"], match["path"])
            elif match := API.match(path):
                self.api(match["id"], match["rest"] or "")
            else:
                self.answer({"error": "no such route"}, 404, "EntryNotFound")

    def answer(self, value: Any, status: int = 200, code: str = "", headers: dict[str, str] | None = None) -> None:
        if self.is_lost:
            self.reset()
            return
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send(status, body, {**(headers or {}), **({"X-Error-Code": code} if code else {})})

    def create(self) -> None:
        wanted = json.loads(self.body)
        name = f"{wanted.get('organization') or 'user'}/{wanted['name']}"
        answer = {"url": f"{self.state.url}/datasets/{name}", "id": name}
        if name in self.state.repos:
            self.answer({**answer, "error": "You already created this repo"}, 409)
            return
        self.state.repos[name] = Repo(private=bool(wanted.get("private") or wanted.get("visibility") == "private"))
        self.state.repos[name].commit({}, "initial commit")
        self.answer(answer)

    def store(self, sha: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha:
            self.answer({"error": "The bytes do not have the announced sha256"}, 400)
            return
        self.state.blobs[sha] = self.body
        self.state.uploads.append(sha)
        self.answer({})

    def lfs_batch(self) -> None:
        objects = []
        for item in json.loads(self.body)["objects"]:
            upload = {"upload": {"href": f"{self.state.url}/upload/{item['oid']}", "header": {}}}
            objects.append({**item, **({} if item["oid"] in self.state.blobs else {"actions": upload})})
        headers = {"Content-Type": "application/vnd.git-lfs+json"}
        self.answer({"transfer": "basic", "objects": objects}, headers=headers)

    def file(self, repo_id: str, revision: str, path: str) -> None:
        found = self.found(repo_id, revision)
        if found is None:
            return
        oid, files = found
        if path not in files:
            self.answer({"error": "Entry not found"}, 404, "EntryNotFound", {"X-Repo-Commit": oid})
            return
        content, status = self.state.blobs[files[path]], 200
        headers = {"ETag": f'"{files[path]}"', "X-Repo-Commit": oid, "Accept-Ranges": "bytes"}
        if match := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, stop = int(match[1]), min(int(match[2] or len(content) - 1), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{stop}/{len(content)}"
            content, status = content[start : stop + 1], 206
        self.answer(content, status, headers=headers)

    def found(self, repo_id: str, revision: str) -> tuple[str, dict[str, str]] | None:
        """Return (commit id, files), or answer 404 and return None."""
        if repo_id not in self.state.repos:
            self.answer({"error": "Repository not found"}, 404, "RepoNotFound")
            return None
        found = self.state.repos[repo_id].at(revision)
        if found is None:
            self.answer({"error": "Revision not found"}, 404, "RevisionNotFound")
        return found

    def api(self, repo_id: str, rest: str) -> None:
        action, _, tail = rest.partition("/")
        revision, _, path = (tail or "main").partition("/")
        if action == "branch":
            self.branch(repo_id, tail)
            return
        found = self.found(repo_id, "main" if action == "refs" else revision)
        if found is None:
            return
        oid, files = found
        repo = self.state.repos[repo_id]
        if action == "preupload":
            self.preupload(files)
        elif action == "commit":
            self.commit(repo, repo_id, revision, oid)
        elif action == "tree":
            self.tree(files, path)
        elif action == "paths-info":
            wanted = parse_qs(self.body.decode())["paths"]
            self.answer([self.entry(files, name) for name in wanted if name in everything(files)])
        elif action == "commits":
            found = reversed(repo.branches[revision])
            self.answer([{"id": commit, "title": title, "message": "", "date": "2026-01-01T00:00:00.000Z",
                          "authors": [{"user": "user"}]} for commit, _, title in found])  # fmt: skip
        elif action == "refs":
            branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": history[-1][0]}
                        for name, history in repo.branches.items()]  # fmt: skip
            self.answer({"branches": branches, "converts": [], "tags": [], "pullRequests": []})
        else:
            files_info = [{"rfilename": name} for name in sorted(files)]
            self.answer({"_id": repo_id, "id": repo_id, "sha": oid, "private": repo.private, "siblings": files_info,
                         "tags": [], "downloads": 0, "likes": 0, "disabled": False, "gated": False,
                         **self.card(files)})  # fmt: skip

    def card(self, files: dict[str, str]) -> dict[str, Any]:
        """Return what the front of README.md says."""
        parts = self.state.blobs[files["README.md"]].decode().split("---\n") if "README.md" in files else []
        return {"cardData": yaml.safe_load(parts[1])} if len(parts) > 2 else {}

    def branch(self, repo_id: str, name: str) -> None:
        """Make a branch from a revision, or remove it."""
        repo = self.state.repos[repo_id]
        if self.command == "DELETE":
            removed = repo.branches.pop(name, None)
            self.answer(*(({},) if removed else ({"error": "No such branch"}, 404, "RevisionNotFound")))
            return
        found = self.found(repo_id, json.loads(self.body or b"{}").get("startingPoint") or "main")
        if found is None:
            return
        if name in repo.branches:
            self.answer({"error": "Reference already exists"}, 409)
            return
        repo.branches[name] = [(*found, "start")]
        self.answer({})

    def preupload(self, files: dict[str, str]) -> None:
        """Parquet and media go by LFS: `datasets` deletes a shard after preupload, so "regular" would lose it."""
        modes = [
            {"path": item["path"], "uploadMode": "regular" if is_text(item["path"]) else "lfs", "shouldIgnore": False,
             "oid": self.entry(files, item["path"])["oid"] if item["path"] in files else None}
            for item in json.loads(self.body)["files"]
        ]  # fmt: skip
        self.answer({"files": modes})

    def commit(self, repo: Repo, repo_id: str, branch: str, head: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        files, title = dict(repo.branches[branch][-1][1]), ""
        for line in lines:
            kind, value = line["key"], line["value"]
            if kind == "header":
                title = value["summary"]
                if value.get("parentCommit") not in (None, head):
                    self.answer({"error": "A commit has happened since."}, 412)
                    return
            elif kind == "lfsFile" and value["oid"] not in self.state.blobs:
                self.answer({"error": f"{value['path']} points to a large file that is not stored"}, 400)
                return
            elif kind == "file":
                content = base64.b64decode(value["content"])
                sha = hashlib.sha256(content).hexdigest()
                self.state.blobs[sha], files[value["path"]] = content, sha
            elif kind == "lfsFile":
                files[value["path"]] = value["oid"]
            elif kind == "deletedFile":
                files.pop(value["path"], None)
            elif kind == "deletedFolder":
                files = {path: sha for path, sha in files.items() if not path.startswith(value["path"])}
        oid = repo.commit(files, title, branch)
        url = f"{self.state.url}/datasets/{repo_id}/commit/{oid}"
        self.answer({"success": True, "commitOid": oid, "commitUrl": url})

    def entry(self, files: dict[str, str], path: str) -> dict[str, Any]:
        if path not in files:
            return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
        content = self.state.blobs[files[path]]
        entry = {"type": "file", "path": path, "oid": files[path], "size": len(content)}
        if is_text(path):
            return {**entry, "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}
        return {**entry, "lfs": {"oid": files[path], "size": len(content), "pointerSize": 130}}

    def tree(self, files: dict[str, str], folder: str) -> None:
        inside = [path for path in everything(files) if not folder or path.startswith(f"{folder}/")]
        if folder and not inside:
            self.answer({"error": "Folder not found"}, 404, "EntryNotFound")
            return
        if "recursive=true" not in self.path.lower():
            inside = [path for path in inside if path.rpartition("/")[0] == folder]
        self.answer([self.entry(files, path) for path in inside])


def is_text(path: str) -> bool:
    """Return whether git stores the file itself, not a pointer to it."""
    suffixes = (".md", ".json", ".csv", ".gitattributes", ".txt", ".yaml", ".cff")
    return path.endswith(suffixes) or path.rpartition("/")[2].startswith("LICENSE")


def everything(files: Iterable[str]) -> list[str]:
    """Return the files and every folder that holds one."""
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
    return sorted({*files, *folders})
