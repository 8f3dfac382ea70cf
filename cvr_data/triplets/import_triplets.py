"""Triplets that others published, read into a folder like those of `cvr build-triplets`.

cvr import triplets CIRR -o format=cirr --out annotations/cirr

annotations/cirr/         part-00000.parquet  dropped-00000.parquet  manifest.json
annotations/cirr-videos/  where the layout lists its videos; `-o videos=FOLDER` takes another folder
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.places import path_or_address
from cvr_data.core.registry import config_dict, split_key_value_options
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import ClaimStep, Step
from cvr_data.formats import FORMATS, ReadsVideos
from cvr_data.language.normalise import normalise_text_columns
from cvr_data.tables import TRIPLETS, VIDEOS, WRITTEN_COLUMNS, query_id, triplet_id
from cvr_data.triplets.claims import drop_triplets_by_claims

STAGE = "triplets"
VERSION = 2
VIDEOS_STAGE = "import-triplets-videos"
OWN = ("format", "videos")


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What to read, and how."""

    source: Path
    format: str
    options: dict[str, str]
    videos: Path | None = None


def triplet_import_options(options: Sequence[str]) -> ImportRequest:
    """Return what `-o` options ask for: `path`, `format` and `videos` are ours, the rest is the layout's.

    Raises:
        CvrError: no source or no format is named.
    """
    given = split_key_value_options(options, "triplets")
    if "path" not in given:
        raise CvrError("import triplets: name the file or folder to read.")
    if "format" not in given:
        raise CvrError(f"import triplets: name its layout with -o format=NAME, one of {', '.join(FORMATS.names())}.")
    rest = {name: value for name, value in given.items() if name not in ("path", *OWN)}
    videos = path_or_address(given["videos"]) if "videos" in given else None
    return ImportRequest(source=path_or_address(given["path"]), format=given["format"], options=rest, videos=videos)


def import_published_triplets(wanted: ImportRequest, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the triplets of a published file or folder, and its videos where it lists them; return the artifact.

    Raises:
        CvrError: it cannot be read, holds no triplet, or `out` holds something else.
    """
    module, config = FORMATS.get(wanted.format), FORMATS.config(wanted.format, wanted.options)
    if not wanted.source.exists():
        raise CvrError(f"{wanted.source} does not exist.")
    files = _files(wanted.source)
    identity = {"format": wanted.format, "options": config_dict(config)}
    inputs = {**files, **({"videos": wanted.videos} if wanted.videos else {})}
    if not wanted.videos and isinstance(module, ReadsVideos):
        videos = check_columns(module.read_videos(config, wanted.source), VIDEOS, str(wanted.source))
        if videos.num_rows:
            inputs["videos"] = _write_videos(videos, out.with_name(f"{out.name}-videos"), identity, files, overwrite)
    run = StageRun(out, stage=STAGE, version=VERSION, config=identity, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    with run:
        read = run.made(
            "read", lambda: [check_columns(module.read(config, wanted.source), TRIPLETS, str(wanted.source))]
        )
        if not read.rows:
            run.writer.discard()
            raise CvrError(f"{wanted.source} holds no triplet.")
        stored = read.then(Step(name="as stored", run=_as_stored, is_counted=False))
        once = stored.then(
            ClaimStep(
                name="duplicates", run=partial(drop_triplets_by_claims, "duplicate"), claims=_claims, settle=_repeated
            )
        )
        return run.write(once, TRIPLETS)


def _files(source: Path) -> dict[str, Path]:
    """The files read, by their place below the source."""
    if source.is_file():
        return {source.name: source}
    found = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(source).as_posix(): path for path in found}


def _write_videos(videos: pa.Table, out: Path, identity: dict, files: dict[str, Path], overwrite: bool) -> Path:
    # A folder of its own, written first, so that the triplets never name half of it.
    run = StageRun(out, stage=VIDEOS_STAGE, version=VERSION, config=identity, inputs=files, overwrite=overwrite)
    if run.finished() is None:
        with run:
            run.write(run.made("read", lambda: [normalise_text_columns(videos, WRITTEN_COLUMNS)]), VIDEOS)
    return out


def _as_stored(config: Any, table: pa.Table) -> pa.Table:
    """Return the triplets with their texts as they are stored, and the ids that these give."""
    table = normalise_text_columns(table, ("modification", "reference_caption", "target_caption"))
    references, texts, targets = (
        table.column(name).to_pylist() for name in ("reference_id", "modification", "target_id")
    )
    table = with_column(table, TRIPLETS.field("triplet_id"), list(map(triplet_id, references, texts, targets)))
    return with_column(table, TRIPLETS.field("query_id"), list(map(query_id, references, texts)))


def _claims(config: Any, table: pa.Table) -> pa.Table:
    rows = np.arange(table.num_rows, dtype=np.uint32)
    return pa.table({"key": hash_bucket_keys(table.column("triplet_id")), "row": rows})


def _repeated(config: Any, claims: pa.Table) -> pa.Table:
    """Return the claims of each triplet but the first, which are in the order of the file."""
    _, first = np.unique(claims.column("key").to_numpy(), return_index=True)
    is_first = np.zeros(claims.num_rows, bool)
    is_first[first] = True
    return claims.drop_columns(["key"]).filter(pa.array(~is_first))
