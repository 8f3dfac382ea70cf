"""Lays out a dataset as it goes to the Hugging Face Hub, so that `load_dataset("user/name")` opens it.

    data/<style>/<split>-00000-of-00001.parquet   one config per style, and `default` with all of them
    annotations/webvid_covr_<split>.csv  statistics.json  manifests/*.json  recipe.yaml  README.md  LICENCES.md
    CITATION.cff  [licences/*]  [thumbnails/*]  [videos/*]  [embeddings/*: the config `embeddings`]

Captions, media, thumbnails and features of videos whose licence is unknown or forbids it are left out: those are ids
and urls only. `cvr_data.publish.push` uploads it.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import input_paths, lineage
from cvr_data.core.whole_files import file_sha256, json_bytes, write_bytes, write_parquet
from cvr_data.formats import webvid_covr
from cvr_data.media.places import ids_of_media_clips
from cvr_data.publish.media import (
    SAFE_ID,
    PublishedMedium,
    add_times_to_publish,
    add_urls_to_publish,
    add_videos_to_publish,
    check_published_media,
    publishable_media,
    published_thumbnails,
)
from cvr_data.publish.papers import (
    publication_citation,
    publication_licences,
    publication_recipe,
    publish_licence_files,
)
from cvr_data.publish.redistribution import Publishable, publishable
from cvr_data.tables import SPLITS, content_id
from cvr_data.triplets.card import Card, card_commands, card_examples, card_sources, render_card
from cvr_data.triplets.dataset import Dataset, dataset_funnel
from cvr_data.triplets.evidence import triplet_evidence
from cvr_data.triplets.shortcuts import Shortcuts, triplet_shortcuts
from cvr_data.triplets.statistics import triplet_statistics

if TYPE_CHECKING:
    from huggingface_hub import HfApi

REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SHARD_ROWS = 500_000
LISTED_MEDIA = 200
"""Videos up to which the card lists their checksums; those of more are in videos.sha256, for `sha256sum -c`."""
OUR_FOLDERS = ("annotations/", "data/", "embeddings/", "licences/", "manifests/", "thumbnails/", "videos/")
"""Of these, a file in the repository that is not part of what is pushed is removed."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is published beside the triplets."""

    revision: str = "main"
    """Branch that it goes to; videos are addressed there."""
    licences: Mapping[str, str] | None = None
    """Source of videos -> its licence, where the videos table does not say or is wrong."""
    licence_files: tuple[Path, ...] = ()
    with_videos: bool = False
    media: tuple[Path, ...] = ()
    """Folders that media may be published from, beside those of the triplets and of the videos table."""
    embeddings: Path | None = None
    """Features to publish as the config `embeddings`."""
    audit: Path | None = None
    """Folder of `cvr audit`, which tells how many queries one input alone answers."""
    evidence: tuple[Path, ...] = ()
    """Folders that tell more of the queries (`triplets.evidence`)."""


@dataclass(frozen=True)
class Staged:
    """A dataset as it will be published: a folder of files, and media that are uploaded from where they are."""

    folder: Path
    media: Mapping[str, Path]
    """Path in the repository -> local file."""
    withheld_videos: int
    """Videos whose captions and media were left out."""
    elsewhere: int = 0
    """Videos whose file lies in no folder that media may be published from: not even a picture is shown."""

    def files(self) -> dict[str, Path]:
        """Return path in the repository -> local file, of everything that will be uploaded."""
        written = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {**{path.relative_to(self.folder).as_posix(): path for path in written}, **self.media}

    def sizes(self) -> dict[str, int]:
        """Return path in the repository -> bytes."""
        return {name: path.stat().st_size for name, path in self.files().items()}


def stage_publication(dataset: Dataset, repo: str, folder: Path, wanted: Wanted | None = None) -> Staged:
    """Write what would be published into a folder; nothing goes over the network.

    Raises:
        CvrError: a malformed repository name, a licence for a source that there is not, an audit of other triplets, or
            media that lie elsewhere or are none.
    """
    wanted = wanted or Wanted()
    check_published_repo(repo)
    part = publishable(dataset, wanted.licences or {})
    own = (dataset.artifact.path, *input_paths(dataset.artifact, "videos").values(), *wanted.media)
    media, elsewhere = publishable_media(part, own)
    if wanted.with_videos:
        check_published_media(media, elsewhere)
    uploaded = media if wanted.with_videos else {}
    configs = _write_rows(part, folder, repo, wanted, uploaded)
    card = _published_card(dataset, part, repo, wanted, _write_thumbnails(part, media, folder))
    _write_papers(card, folder, wanted, dataset.artifact.key)
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    for number, made in enumerate(card.lineage, start=1):
        write_bytes(folder / "manifests" / f"{number:02d}-{made.stage}.json", json_bytes(made.manifest))
    files = {medium.name: medium.path for medium in sorted(uploaded.values(), key=lambda medium: medium.name)}
    of_media = {name: file_sha256(path) for name, path in files.items()}
    if len(of_media) > LISTED_MEDIA:
        lines = [f"{digest}  {name}\n" for name, digest in of_media.items()]
        write_bytes(folder / "videos.sha256", "".join(lines).encode())
        of_media = {}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    digests = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths} | of_media
    write_bytes(folder / "README.md", render_card(replace(card, configs=configs, files=digests)).encode())
    withheld = len(part.used - part.free)
    return Staged(folder, files, withheld, len(elsewhere))


def check_published_repo(repo: str, option: str = "--repo") -> None:
    """Check the name of a repository. Raises CvrError: it is malformed."""
    if not REPO.fullmatch(repo):
        raise CvrError(f"{option} {repo!r} should look like user/name (letters, digits, '-', '_', '.').")


def _write_rows(
    part: Publishable, folder: Path, repo: str, wanted: Wanted, uploaded: Mapping[str, PublishedMedium]
) -> dict[str, dict[str, str]]:
    """Write the Parquet shards, CSVs and features, and return the configs."""
    table = add_times_to_publish(add_urls_to_publish(part.triplets, part.videos), part.videos)
    if wanted.with_videos:
        where = repo if wanted.revision == "main" else f"{repo}@{wanted.revision}"
        table = add_videos_to_publish(table, where, uploaded)
    configs = _write_shards(table, folder / "data")
    if wanted.embeddings is not None:
        from cvr_data.publish.embeddings import CONFIG, publish_embedding_files

        configs[CONFIG] = publish_embedding_files(folder, part, wanted.embeddings)
    webvid_covr.write(webvid_covr.Config(), part.triplets, folder / "annotations")
    return configs


def _published_card(
    dataset: Dataset, part: Publishable, repo: str, wanted: Wanted, pictures: Mapping[str, str]
) -> Card:
    artifacts = lineage([dataset.artifact.path])
    evidence = triplet_evidence(wanted.evidence, part.triplets)
    if wanted.audit is not None:
        evidence["shortcuts"] = asdict(triplet_shortcuts(wanted.audit, part.triplets))
    return Card(
        name=repo.split("/")[1], repo=repo, revision=wanted.revision, triplets=part.triplets,
        numbers=triplet_statistics(part.triplets, part.videos), funnel=dataset_funnel(dataset.artifact, artifacts),
        lineage=artifacts, sources=card_sources(part.videos, part.used), configs={},
        versions=dataset.artifact.manifest["versions"],
        clips=0 if part.videos is None else len(part.used & ids_of_media_clips(part.videos)),
        commands=card_commands(artifacts), is_guarded=True, with_videos=wanted.with_videos, pictures=pictures,
        coverage=dataset.artifact.manifest.get("coverage"),
        composition=dataset.artifact.manifest.get("composition", {}),
        further_answers=dataset.artifact.manifest.get("further_answers"),
        evidence=evidence,
        shortcuts=Shortcuts(**evidence["shortcuts"]) if "shortcuts" in evidence else None,
    )  # fmt: skip


def _write_papers(card: Card, folder: Path, wanted: Wanted, key: str) -> None:
    assert card.repo is not None
    write_bytes(folder / "statistics.json", json_bytes(card.numbers))
    files = publish_licence_files(wanted.licence_files, folder)
    write_bytes(folder / "LICENCES.md", publication_licences(card.sources, files, with_videos=wanted.with_videos))
    write_bytes(folder / "CITATION.cff", publication_citation(card.name, card.repo, key))
    write_bytes(folder / "recipe.yaml", publication_recipe(card.name, card.commands))


def _write_thumbnails(part: Publishable, media: Mapping[str, PublishedMedium], folder: Path) -> dict[str, str]:
    """Write the pictures of the card's examples and return video id -> path."""
    shown = [row[f"{end}_id"] for row in card_examples(part.triplets) for end in ("reference", "target")]
    made = published_thumbnails(shown, media)
    for name, content in made.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, content)
    return {video_id: name for video_id, (name, _) in made.items()}


def connect_to_publish() -> "HfApi":
    """Return the Hub's API with the token of `hf auth login` or HF_TOKEN. Raises CvrError: there is no token."""
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils import disable_progress_bars, logging

    if get_token() is None:
        raise CvrError("No Hub token: run `hf auth login`, or set HF_TOKEN.")
    disable_progress_bars()  # ours shows the whole
    logging.set_verbosity_error()
    return HfApi(library_name="cvr")


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
