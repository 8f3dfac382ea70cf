"""Pushes a dataset folder to the Hugging Face Hub, so that `load_dataset("user/name")` opens it.

    data/<style>/<split>-00000-of-00001.parquet   one config per style, and `default` with all of them
    annotations/webvid_covr_<split>.csv  statistics.json  manifests/*.json  README.md  [videos/*]

Captions and media of videos whose licence is unknown or forbids it are left out: those are ids and urls only. All
files go in one commit, so that readers never see half a dataset.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.artifacts import Artifact, json_bytes, write_bytes, write_parquet
from cvr_data.card import Card, commands_of, render_card, sources_of
from cvr_data.dataset import Dataset
from cvr_data.errors import CvrError
from cvr_data.formats import FORMATS
from cvr_data.lineage import FunnelStep, funnel_of, lineage
from cvr_data.redistribution import ENDS, Publishable, publishable
from cvr_data.statistics import SPLITS, statistics
from cvr_data.tables import content_id

if TYPE_CHECKING:
    from huggingface_hub import HfApi

REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SAFE_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
SHARD_ROWS = 500_000
OUR_FOLDERS = ("annotations/", "data/", "manifests/", "videos/")
"""Of these, a file in the repository that is not part of what is pushed is removed."""


@dataclass(frozen=True)
class Staged:
    """A dataset as it will be published: a folder of files, and media that are uploaded from where they are."""

    folder: Path
    media: Mapping[str, Path]
    """Path in the repository -> local file."""
    withheld_videos: int
    """Videos whose captions and media were left out."""

    def sizes(self) -> dict[str, int]:
        """Return path in the repository -> bytes, of everything that will be uploaded."""
        written = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        sizes = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in written}
        return {**sizes, **{name: path.stat().st_size for name, path in sorted(self.media.items())}}


def stage(
    dataset: Dataset, repo: str, folder: Path, *, licences: Mapping[str, str] | None = None, with_videos: bool = False
) -> Staged:
    """Write what would be published into a folder; nothing goes over the network.

    `licences` is source of videos -> its licence, where the videos table does not say or is wrong.

    Raises:
        CvrError: a malformed repository name, or a licence for a source that there is not.
    """
    if not REPO.fullmatch(repo):
        raise CvrError(f"--repo {repo!r} should look like user/name (letters, digits, '-', '_', '.').")
    part = publishable(dataset, licences or {})
    media = _media(part) if with_videos else {}
    table = _with_urls(part.triplets, part.videos)
    if with_videos:
        table = _with_video_columns(table, repo, media)
    configs = _write_shards(table, folder / "data")
    webvid_covr = FORMATS.get("webvid-covr")
    webvid_covr.write(webvid_covr.Config(), part.triplets, folder / "annotations")
    numbers = statistics(part.triplets, part.videos)
    write_bytes(folder / "statistics.json", json_bytes(numbers))
    artifacts = lineage([dataset.artifact.path])
    _write_manifests(artifacts, folder / "manifests")
    card = Card(
        name=repo.split("/")[1], repo=repo, triplets=part.triplets, numbers=numbers, funnel=_funnel(dataset, artifacts),
        lineage=artifacts, sources=sources_of(part.videos, part.used), configs=configs, files=_digests(folder),
        versions=dataset.artifact.manifest["versions"], commands=commands_of(artifacts), is_guarded=True,
        with_videos=with_videos,
    )  # fmt: skip
    write_bytes(folder / "README.md", render_card(card).encode())
    return Staged(folder, dict(sorted(media.values())), len(part.used - part.free))


def push(staged: Staged, repo: str, *, private: bool = False) -> str:
    """Upload what was staged in one commit, removing data files that are no longer part of it; return its address.

    Raises:
        CvrError: the Hub cannot be reached, refuses the token, or answers with an error.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled

    if get_token() is None:
        raise CvrError("No Hub token: run `hf auth login`, or set HF_TOKEN.")
    api = HfApi(library_name="cvr")
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        return _commit(api, staged, repo)
    except OfflineModeIsEnabled:
        raise CvrError("HF_HUB_OFFLINE is set, so nothing can be pushed; unset it.") from None
    except HTTPError as error:
        raise CvrError(_http_problem(error, api.endpoint, repo)) from None
    except RuntimeError as error:  # how huggingface_hub wraps a failed upload of one file
        if not isinstance(error.__cause__, HTTPError):
            raise
        raise CvrError(_http_problem(error.__cause__, api.endpoint, repo)) from None


def _commit(api: "HfApi", staged: Staged, repo: str) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    info = api.dataset_info(repo)
    ours = staged.sizes()
    stale = [
        name
        for name in (sibling.rfilename for sibling in info.siblings or [])
        if name.startswith(OUR_FOLDERS) and name not in ours
    ]
    additions = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(staged.media.get(name, staged.folder / name)))
        for name in ours
    ]
    deletions = [CommitOperationDelete(path_in_repo=name) for name in stale]
    commit = api.create_commit(
        repo,
        [*additions, *deletions],
        repo_type="dataset",
        commit_message="Publish the dataset with cvr",
        parent_commit=info.sha,
    )
    return str(commit.commit_url)


def _media(part: Publishable) -> dict[str, tuple[str, Path]]:
    """Video id -> (path in the repository, local file) of every video that is there and may be published."""
    media: dict[str, tuple[str, Path]] = {}
    taken: set[str] = set()
    rows = [] if part.videos is None else part.videos.select(["video_id", "path"]).to_pylist()
    for video_id, path in ((row["video_id"], Path(row["path"] or "")) for row in rows):
        if video_id in part.free and path.is_file():
            stem = video_id.removesuffix(path.suffix)
            name = f"videos/{stem}{path.suffix}"
            if not SAFE_ID.fullmatch(stem) or name in taken:
                name = f"videos/{content_id(video_id)}{path.suffix}"
            taken.add(name)
            media[video_id] = (name, path)
    return media


def _with_urls(triplets: pa.Table, videos: pa.Table | None) -> pa.Table:
    if videos is None or videos.column("url").null_count == videos.num_rows:
        return triplets
    urls = dict(zip(videos.column("video_id").to_pylist(), videos.column("url").to_pylist(), strict=True))
    for end in ENDS:
        found = [urls.get(video_id) for video_id in triplets.column(f"{end}_id").to_pylist()]
        triplets = triplets.append_column(f"{end}_url", pa.array(found, pa.string()))
    return triplets


def _with_video_columns(triplets: pa.Table, repo: str, media: Mapping[str, tuple[str, Path]]) -> pa.Table:
    huggingface = FORMATS.get("huggingface")
    stored = {
        video_id: {"path": f"hf://datasets/{repo}/{name}", "bytes": None} for video_id, (name, _) in media.items()
    }
    table = huggingface.with_videos(triplets, stored)
    return table.cast(huggingface.features_of(table.schema, decode=False).arrow_schema)


def _write_shards(triplets: pa.Table, folder: Path) -> dict[str, dict[str, str]]:
    """Write <style>/<split>-N-of-M.parquet and return the configs: name -> split -> glob."""
    configs: dict[str, dict[str, str]] = {"default": {}}
    styles = sorted(set(triplets.column("style").to_pylist()))
    for style in styles:
        for split in SPLITS:
            wanted = pc.and_(pc.equal(triplets.column("style"), style), pc.equal(triplets.column("split"), split))
            rows = triplets.filter(wanted)
            shards = -(-rows.num_rows // SHARD_ROWS)
            name = style if SAFE_ID.fullmatch(style) and "/" not in style else content_id(style)
            for shard in range(shards):
                path = folder / name / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_parquet(path, rows.slice(shard * SHARD_ROWS, SHARD_ROWS))
                configs["default"][split] = f"data/*/{split}-*.parquet"
                if len(styles) > 1 and name != "default":
                    configs.setdefault(name, {})[split] = f"data/{name}/{split}-*.parquet"
    configs["default"] = {split: configs["default"][split] for split in SPLITS if split in configs["default"]}
    return configs


def _write_manifests(artifacts: Sequence[Artifact], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, artifact in enumerate(artifacts, start=1):
        write_bytes(folder / f"{number:02d}-{artifact.stage}.json", json_bytes(artifact.manifest))


def _funnel(dataset: Dataset, artifacts: Sequence[Artifact]) -> Sequence[FunnelStep]:
    recorded = dataset.artifact.manifest.get("funnel")
    if recorded is None:
        return funnel_of(artifacts)
    return [FunnelStep.from_json(entry) for entry in recorded]


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _http_problem(error: Exception, endpoint: str, repo: str) -> str:
    response = getattr(error, "response", None)
    if response is None:
        return f"Cannot reach {endpoint}: {_one_line(error)}. Nothing was published; run again when it can be reached."
    status = response.status_code
    if status == 401:
        return f"{endpoint} refused the token (401): run `hf auth login`, or set HF_TOKEN to a token that can write."
    if status == 403:
        return (
            f"{endpoint}: the token may not write to {repo} (403); use one with write access to {repo.split('/')[0]}."
        )
    if status == 412:
        return f"{repo} was changed by someone else meanwhile (412); run again."
    if status == 429:
        return f"{endpoint} limits the rate of requests (429); wait a few minutes and run again."
    return f"{endpoint} answered {status}: {_one_line(error)} Nothing was published; run again."


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
