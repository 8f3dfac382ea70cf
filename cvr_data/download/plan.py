"""From what is asked for to a list of files: `cvr download KIND NAME`."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.download.archives import is_archive, unpack_archive, unpacked_marker
from cvr_data.download.hub import KINDS as HUB_KINDS
from cvr_data.download.hub import hub_files, items_at_one_commit
from cvr_data.download.items import WantedFile, choose_items_to_download, read_ids_to_download, read_items_to_fetch
from cvr_data.download.run import Config, Outcome, download_items
from cvr_data.download.source import Kind, SourceFile, load_download_source

TABLES = "url-tables"
"""Folder, beside those of the kinds, of downloaded lists of ids and addresses."""
MEDIA_KINDS = ("videos", "images")


@dataclass(frozen=True, kw_only=True)
class DownloadRequest:
    """What the user asked for."""

    kind: Kind
    name: str
    """Of a described data set, or the path of a description; with `urls`, any name."""
    root: Path
    """The folder of the data set."""
    split: str | None = None
    urls: Path | None = None
    """A list of ids and addresses of the user's own, instead of the described source."""
    only_ids: Path | None = None
    id_columns: tuple[str, ...] = ()
    num_shards: int = 1
    shard_id: int = 0

    @property
    def folder(self) -> Path:
        """Where the files go: annotations to the root, where their published subfolders are looked for."""
        return self.root if self.kind == "annotations" else self.root / self.kind


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The files of a request."""

    request: DownloadRequest
    items: list[WantedFile]
    archives: Mapping[str, SourceFile] = field(default_factory=dict)
    """File to unpack once it is here -> its entry."""
    manual: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    absent: int = 0
    """Ids that were asked for and have no address."""


def make_download_plan(request: DownloadRequest, config: Config) -> Plan:
    """Return the files to have; lists of addresses that are not here yet are fetched first.

    Raises:
        CvrError: the name, kind, split, column or shard does not exist, or a list cannot be had or read.
    """
    only = None if request.only_ids is None else read_ids_to_download(request.only_ids, request.id_columns)
    if only is not None and request.kind not in MEDIA_KINDS:
        raise CvrError(f"--only-ids chooses among videos or images; {request.kind} come as whole files.")
    if request.urls is not None:
        entries: Sequence[SourceFile] = ()
        items = read_items_to_fetch(request.urls, request.kind)
    else:
        entries = load_download_source(request.name).entries(request.kind, request.split)
        items = [item for entry in entries for item in _items_to_fetch(entry, request, config)]
    return Plan(
        request=request,
        items=choose_items_to_download(items, only, request.num_shards, request.shard_id),
        archives={entry.target: entry for entry in entries if entry.unpack},
        manual=[entry.manual for entry in entries if entry.manual],
        notes=[entry.note for entry in entries if entry.note],
        absent=0 if only is None else len(only - {item.item_id for item in items}),
    )


def carry_out_download(plan: Plan, config: Config) -> Outcome:
    """Fetch what is missing of a plan and unpack its archives. Raises CvrError: an archive is damaged or not safe."""
    request = plan.request
    waiting = [item for item in plan.items if not unpacked_marker(request.folder / item.file).exists()]
    waiting = items_at_one_commit(waiting, request.folder)
    outcome = download_items(waiting, request.folder, config, num_shards=request.num_shards, shard_id=request.shard_id)
    for item in waiting:
        path = request.folder / item.file
        if item.file in plan.archives and path.is_file():
            unpack_archive(path, path.parent, inside=plan.archives[item.file].inside)
    unpacked = len(plan.items) - len(waiting)
    return dataclasses.replace(outcome, wanted=outcome.wanted + unpacked, here_before=outcome.here_before + unpacked)


def download_standing(plan: Plan) -> dict[str, int]:
    """Return how many of the plan's files are here and how many are not, asking nobody."""
    folder = plan.request.folder
    here = sum((folder / item.file).is_file() or unpacked_marker(folder / item.file).exists() for item in plan.items)
    return {"wanted": len(plan.items), "here": here, "missing": len(plan.items) - here}


def _items_to_fetch(entry: SourceFile, request: DownloadRequest, config: Config) -> list[WantedFile]:
    if entry.manual:
        return []
    if entry.table:
        return read_items_to_fetch(_table_of_items(entry, request, config), request.kind)
    if entry.hub:
        return _hub_items(entry, request.kind)
    if entry.unpack and not is_archive(entry.target):
        raise CvrError(f"{entry.target} cannot be unpacked; zip and tar files can.")
    assert entry.url is not None
    return [WantedFile(item_id=entry.target, url=entry.url, file=entry.target, sha256=entry.sha256, size=entry.size)]


def _hub_items(entry: SourceFile, kind: Kind) -> list[WantedFile]:
    assert entry.hub is not None and entry.path is not None
    hub_kind, _, repo = entry.hub.partition("/")
    if not any(sign in entry.path for sign in "*?["):
        paths = [entry.path]
    else:
        paths = hub_files(repo, HUB_KINDS[hub_kind], entry.revision, entry.path)
    is_media = kind in MEDIA_KINDS and not entry.unpack
    # WebVid/8M/train/112/7.mp4 found by WebVid/8M/train/* is the video 112/7.
    folder = entry.path.partition("*")[0].rpartition("/")[0] + "/" if is_media else ""
    return [
        WantedFile(
            item_id=path.removeprefix(folder).rpartition(".")[0] if is_media else path,
            url=f"hf://{entry.hub}@{entry.revision}/{path}",
            file=entry.target if entry.unpack else entry.file or path.removeprefix(folder),
            sha256=entry.sha256,
            size=entry.size,
            is_media=is_media,
        )
        for path in paths
    ]


def _table_of_items(entry: SourceFile, request: DownloadRequest, config: Config) -> Path:
    folder = request.root / TABLES
    assert entry.table is not None
    item = WantedFile(item_id=entry.target, url=entry.table, file=entry.target, sha256=entry.sha256)
    outcome = download_items([item], folder, dataclasses.replace(config, retry_failed=True))
    if not (folder / item.file).is_file():
        ((_, error),) = outcome.errors
        raise CvrError(f"The list of addresses {entry.table} cannot be had: {error}")
    return folder / item.file
