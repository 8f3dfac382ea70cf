"""FiftyOne's own folder (FiftyOneDataset): a group per triplet, with its reference and its target as slices.

    metadata.json    the fields and what their types are
    samples.json     {"samples": [{"filepath": "/clips/a.mp4", "group": {"name": "reference"}, "modification": ...}]}
    data/            the clips, with -o copy=true; else samples name them where they lie

    fiftyone.Dataset.from_dir("mine-fiftyone", dataset_type=fiftyone.types.FiftyOneDataset)

Columns of triplets become fields of both slices, and splits also tags. It is written without FiftyOne and its database,
and read without them too: our own columns come back, also from what FiftyOne exports again.

Source: the layout that FiftyOne 1.22.1 exports, and in which it opened this (https://docs.voxel51.com).
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from cvr_data.core.annotation_files import read_json
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.whole_files import whole_file
from cvr_data.formats._rows import format_video_values, refuse_clips_in_format, write_format_json
from cvr_data.media.suffixes import IMAGE_SUFFIXES
from cvr_data.tables import CHANGE_PHRASES, TRIPLETS

VERSION = "1.0.0"
"""Whose layout of `metadata.json` this is: newer FiftyOnes migrate it when they read it."""
FIELDS = "fiftyone.core.fields."
SLICES = ("reference", "target")
OF_SAMPLES = {
    "_id", "id", "_rand", "_dataset_id", "_media_type", "filepath", "tags", "metadata", "group", "created_at",
    "last_modified_at", "video_id", "caption", "near_duplicates", "slots", "start_s", "end_s",
}  # fmt: skip
"""Fields that are no columns of triplets."""
MISSING = "missing"
"""Folder that stands in the paths of videos of which no file is known."""


@dataclass(frozen=True, kw_only=True)
class Config:
    copy: bool = False
    """Copy the clips beside the samples, so that the folder can be moved; else samples name them where they lie."""
    whole: bool = False
    """Show clips of longer files as whole files, with `start_s` and `end_s` beside; else they are refused."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/metadata.json, samples.json and, with `copy`, data/, and return the paths.

    Raises:
        CvrError: a video is a clip of a longer file.
    """
    ids = list(dict.fromkeys(id for end in SLICES for id in triplets.column(f"{end}_id").to_pylist()))
    if not config.whole:
        refuse_clips_in_format(videos, ids, "fiftyone", "-o whole=true")
    media = _media(config, ids, videos, out)
    out.mkdir(parents=True, exist_ok=True)
    samples = out / "samples.json"
    with whole_file(samples) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"samples": [')
        for number, sample in enumerate(_samples(triplets, media)):
            file.write((",\n" if number else "\n") + json.dumps(sample, ensure_ascii=False))
        file.write("\n]}\n")
    kind = next((found["_media_type"] for found in media.values()), "video")
    metadata = write_format_json(out / "metadata.json", _metadata(triplets.schema, kind, config), indent=1)
    return [metadata, samples, *sorted((out / "data").glob("*"))]


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of such a folder: what both slices of a group say.

    Raises:
        CvrError: a file is missing, or a group has not both slices.
    """
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for number, sample in enumerate(read_json(path / "samples.json", dict).get("samples", [])):
        group = sample.get("group") if isinstance(sample, dict) else None
        if not isinstance(group, dict) or group.get("name") not in SLICES:
            raise CvrError(f"{path / 'samples.json'}, sample {number}: 'group' is none of {', '.join(SLICES)}.")
        groups.setdefault(str(group.get("_id")), {})[group["name"]] = sample
    rows = [_row(slices, path / "samples.json", name) for name, slices in groups.items()]
    if not rows:
        return TRIPLETS.empty_table()
    has_phrases = any("before_phrase" in change for row in rows for change in row.get("changes") or ())
    kinds = {field.name: field.type for field in TRIPLETS}
    kinds |= {"changes": pa.list_(CHANGE_PHRASES)} if has_phrases else {}
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: pa.array([row.get(name) for row in rows], kinds.get(name)) for name in names}
    return check_columns(pa.table(columns), TRIPLETS, str(path))


def _row(slices: Mapping[str, Mapping[str, Any]], path: Path, group: str) -> dict[str, Any]:
    if missing := [end for end in SLICES if end not in slices]:
        raise CvrError(f"{path}: the group {group} has no {missing[0]}.")
    row = {name: value for name, value in slices["target"].items() if name not in OF_SAMPLES}
    for end in SLICES:
        own = slices[end]
        row |= {f"{end}_id": own.get("video_id"), f"{end}_caption": own.get("caption")}
        row[f"{end}_group_id"] = own.get("near_duplicates")
    return row


def _media(config: Config, ids: list[str], videos: pa.Table | None, out: Path) -> dict[str, dict[str, Any]]:
    """Video id -> what its samples say of its file."""
    paths = format_video_values(videos, "path")
    times = {name: format_video_values(videos, name) for name in ("start_s", "end_s") if config.whole}
    unknown = [id for id in ids if not (id in paths and Path(paths[id]).is_file())]
    if unknown:
        told = f"fiftyone: {len(unknown)} videos have no file, so their samples show none: {first_few(unknown)}."
        click.echo(told, err=True)
    found: dict[str, dict[str, Any]] = {}
    left_out = set(unknown)
    are_images = bool(paths) and all(Path(path).suffix.lower() in IMAGE_SUFFIXES for path in paths.values())
    kind = "image" if are_images else "video"  # a slice has one kind of media
    for id in ids:
        path = Path(paths.get(id) or f"{MISSING}/{hashlib.sha256(id.encode()).hexdigest()[:16]}.mp4")
        place = str(path)
        if config.copy and id not in left_out:
            place = f"data/{hashlib.sha256(str(path).encode()).hexdigest()[:16]}{path.suffix.lower()}"
            if not (out / place).exists():
                (out / "data").mkdir(parents=True, exist_ok=True)
                with whole_file(out / place) as temporary:
                    shutil.copyfile(path, temporary)
        found[id] = {"filepath": place, "_media_type": kind}
        found[id] |= {name: known[id] for name, known in times.items() if id in known}
    return found


def _samples(triplets: pa.Table, media: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield both samples of each triplet; ids are hashes, so equal triplets give equal bytes."""
    for batch in triplets.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            shared = {name: value for name, value in row.items() if value is not None and not _is_of_slice(name)}
            shared["slots"] = sorted({change["slot"] for change in row.get("changes") or () if change["slot"]})
            group = _object_id(row["triplet_id"])
            for end in SLICES:
                own = {"video_id": row[f"{end}_id"], "caption": row.get(f"{end}_caption")}
                own["near_duplicates"] = row.get(f"{end}_group_id")
                yield {
                    "_id": {"$oid": _object_id(f"{row['triplet_id']} {end}")},
                    "tags": [row["split"]],
                    "_rand": int(_object_id(row["triplet_id"])[:8], 16) / 2**32,
                    "group": {"_id": {"$oid": group}, "_cls": "Group", "name": end},
                    **media[row[f"{end}_id"]],
                    **shared,
                    **{name: value for name, value in own.items() if value is not None},
                }


def _is_of_slice(name: str) -> bool:
    return any(name.startswith(f"{end}_") for end in SLICES)


def _object_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _metadata(schema: pa.Schema, kind: str, config: Config) -> dict[str, Any]:
    """The document of the dataset; what it leaves out FiftyOne fills in."""
    own = [pa.field(name, pa.string()) for name in ("video_id", "caption", "near_duplicates")]
    own.append(pa.field("slots", pa.list_(pa.string())))
    own += [pa.field(name, pa.float64()) for name in ("start_s", "end_s") if config.whole]
    columns = [field for field in schema if not _is_of_slice(field.name)]
    group = [_field("id", "ObjectIdField", db_field="_id"), _field("name", "StringField")]
    fields = [
        _field("id", "ObjectIdField", db_field="_id"),
        _field("filepath", "StringField"),
        _field("tags", "ListField", subfield="StringField"),
        _field("metadata", "EmbeddedDocumentField", document="fiftyone.core.metadata.Metadata"),
        _field("created_at", "DateTimeField", read_only=True),
        _field("last_modified_at", "DateTimeField", read_only=True),
        _field("_media_type", "StringField"),
        _field("_rand", "FloatField"),
        _field("_dataset_id", "ObjectIdField"),
        _field("group", "EmbeddedDocumentField", document="fiftyone.core.groups.Group", fields=group),
        *_fields_of([*own, *columns]),
    ]
    return {
        "name": "triplets",
        "version": VERSION,
        "media_type": "group",
        "group_field": "group",
        "group_media_types": dict.fromkeys(SLICES, kind),
        "default_group_slice": "target",
        "info": {"made_by": "cvr export --format fiftyone"},
        "sample_fields": fields,
        "frame_fields": [
            _field("id", "ObjectIdField", db_field="_id"),
            _field("frame_number", "FrameNumberField"),
            _field("created_at", "DateTimeField", read_only=True),
            _field("last_modified_at", "DateTimeField", read_only=True),
            _field("_sample_id", "ObjectIdField"),
            _field("_dataset_id", "ObjectIdField"),
        ],
    }


def _fields_of(columns: Iterable[pa.Field]) -> Iterator[dict[str, Any]]:
    for column in columns:
        kind = column.type
        if pa.types.is_list(kind):
            inside = _kind_of(kind.value_type)
            yield _field(column.name, "ListField", subfield=inside)
        else:
            yield _field(column.name, _kind_of(kind))


def _kind_of(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return "DictField"
    if pa.types.is_boolean(kind):
        return "BooleanField"
    if pa.types.is_integer(kind):
        return "IntField"
    return "FloatField" if pa.types.is_floating(kind) else "StringField"


def _field(
    name: str, kind: str, *, subfield: str = "", document: str = "", fields: Iterable[dict] = (), db_field: str = "",
    read_only: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "ftype": FIELDS + kind,
        "subfield": FIELDS + subfield if subfield else None,
        "embedded_doc_type": document or None,
        "fields": list(fields),
        "db_field": db_field or name,
        "description": None,
        "info": None,
        "read_only": read_only,
    }
