"""Triplets that others published, read into a folder like those of `cvr build-triplets`.

cvr import triplets CIRR -o format=cirr --out annotations/cirr

annotations/cirr/         part-00000.parquet  dropped-00000.parquet  manifest.json
annotations/cirr-videos/  where the layout lists its videos; `-o videos=FOLDER` takes another folder
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, ArtifactWriter
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict, split_options
from cvr_data.formats import FORMATS, ReadsVideos
from cvr_data.language.normalise import clean_columns
from cvr_data.tables import TRIPLETS, VIDEOS, WRITTEN_COLUMNS, query_id, triplet_id

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


def parse(options: Sequence[str]) -> ImportRequest:
    """Return what `-o` options ask for: `path`, `format` and `videos` are ours, the rest is the layout's.

    Raises:
        CvrError: no source or no format is named.
    """
    given = split_options(options, "triplets")
    if "path" not in given:
        raise CvrError("import triplets: name the file or folder to read.")
    if "format" not in given:
        raise CvrError(f"import triplets: name its layout with -o format=NAME, one of {', '.join(FORMATS.names())}.")
    rest = {name: value for name, value in given.items() if name not in ("path", *OWN)}
    videos = Path(given["videos"]) if "videos" in given else None
    return ImportRequest(source=Path(given["path"]), format=given["format"], options=rest, videos=videos)


def import_triplets(wanted: ImportRequest, out: Path, *, overwrite: bool = False) -> Artifact:
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
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, config=identity, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    table = _as_stored(check_columns(module.read(config, wanted.source), TRIPLETS, str(wanted.source)))
    if not table.num_rows:
        raise CvrError(f"{wanted.source} holds no triplet.")
    with writer:
        kept, repeated = _split_repeated(table)
        writer.write_part(0, kept, dropped=repeated)
        return writer.finish()


def _files(source: Path) -> dict[str, Path]:
    """The files read, by their place below the source."""
    if source.is_file():
        return {source.name: source}
    found = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(source).as_posix(): path for path in found}


def _write_videos(videos: pa.Table, out: Path, identity: dict, files: dict[str, Path], overwrite: bool) -> Path:
    # A folder of its own, written first and by temporary name, so that the triplets never name half of it.
    writer = ArtifactWriter(
        out, stage=VIDEOS_STAGE, version=VERSION, config=identity, inputs=files, overwrite=overwrite
    )
    if writer.finished() is None:
        with writer:
            writer.write_part(0, clean_columns(videos, WRITTEN_COLUMNS))
            writer.finish()
    return out


def _as_stored(table: pa.Table) -> pa.Table:
    """Return the triplets with their texts as they are stored, and the ids that these give."""
    table = clean_columns(table, ("modification", "reference_caption", "target_caption"))
    references, texts, targets = (
        table.column(name).to_pylist() for name in ("reference_id", "modification", "target_id")
    )
    table = with_column(table, TRIPLETS.field("triplet_id"), list(map(triplet_id, references, texts, targets)))
    return with_column(table, TRIPLETS.field("query_id"), list(map(query_id, references, texts)))


def _split_repeated(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """(the first row of each triplet, the others with the reason `duplicate`)."""
    ids = table.column("triplet_id").combine_chunks()
    first = pc.index_in(ids, ids)
    is_first = pc.equal(first, pa.array(range(table.num_rows), first.type))
    repeated = table.filter(pc.invert(is_first))
    return table.filter(is_first), repeated.append_column("drop_reason", pa.array(["duplicate"] * repeated.num_rows))
