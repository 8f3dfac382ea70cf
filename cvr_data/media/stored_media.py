"""Media that rows of Parquet hold as bytes, as `datasets` stores videos and images.

    for medium in stored_media(files, "id"):
        medium.row_id, medium.name, medium.content       # content is None where the row holds no bytes

They are read in their order, a few rows at a time, and written out whole before anything decodes them: a decoder is
given a file as of any other video, in its own process and with its limits.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.files import column_names, id_text
from cvr_data.core.places import open_parquet
from cvr_data.core.progress import Progress
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import write_bytes
from cvr_data.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

COLUMNS = ("video", "image")
ROWS = 8
"""Rows in memory at once: a film may have hundreds of megabytes."""
STARTS = (
    (4, b"ftyp", ".mp4"), (0, b"\x1aE\xdf\xa3", ".webm"), (0, b"\x89PNG", ".png"), (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"GIF8", ".gif"), (8, b"AVI ", ".avi"), (8, b"WEBP", ".webp"), (0, b"BM", ".bmp"),
)  # fmt: skip
"""Place in a file, what stands there, and how such files are named."""


@dataclass(frozen=True)
class StoredMedium:
    """What a row holds."""

    row_id: str
    name: str | None
    """The file that it was made from."""
    content: bytes | None

    @property
    def digest(self) -> str | None:
        """The sha256 of the bytes."""
        return None if self.content is None else hashlib.sha256(self.content).hexdigest()


def stored_media_column(files: Sequence[Path]) -> str | None:
    """Return the column that holds videos, or images; None where there is none."""
    known = column_names(files[0])
    return next((name for name in COLUMNS if name in known), None)


def stored_media(files: Sequence[Path], id_column: str, label: str = "read media") -> Iterator[StoredMedium]:
    """Yield what the rows hold.

    Raises:
        CvrError: a file is damaged, or its column of media holds something else.
    """
    column = stored_media_column(files)
    if column is None:
        raise CvrError(f"{files[0]} has no column {' or '.join(map(repr, COLUMNS))}.")
    with Progress(label, None, "media") as progress:
        for file in files:
            with reading(file, "Parquet with media"), open_parquet(file) as opened:
                for batch in opened.iter_batches(batch_size=ROWS, columns=[id_column, column]):
                    for row in batch.to_pylist():
                        yield _medium(row[id_column], row[column], file)
                        progress.advance(1)


def stored_media_names(files: Sequence[Path]) -> list[str | None]:
    """Return the name of the file of each row, without reading its bytes."""
    column = stored_media_column(files)
    found: list[str | None] = []
    for file in files:
        with reading(file, "Parquet with media"), open_parquet(file) as opened:
            if column is None or f"{column}.path" not in _leaves(opened.schema):
                found += [None] * opened.metadata.num_rows
                continue
            rows = opened.read(columns=[f"{column}.path"]).column(column).to_pylist()
            paths = [row["path"] if row else None for row in rows]
            found += [path if isinstance(path, str) else None for path in paths]
    return found


def write_medium(medium: StoredMedium, folder: Path) -> Path | None:
    """Write the bytes to a file named by them, once for all rows that hold the same; None where there are none."""
    if medium.content is None:
        return None
    path = folder / f"{medium.digest}{_suffix_of(medium)}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(path, medium.content)
    return path


def _medium(row_id: object, value: object, file: Path) -> StoredMedium:
    found = id_text(row_id)
    if not found:
        raise CvrError(f"{file}: {row_id!r} is no id.")
    if isinstance(value, bytes):
        return StoredMedium(found, None, value)
    if isinstance(value, dict) and {"bytes", "path"} & value.keys():
        content, path = value.get("bytes") or None, value.get("path")
        if content is not None and not isinstance(content, bytes):
            raise CvrError(f"{file}: the medium of {found} is of type {type(content).__name__}, not bytes.")
        return StoredMedium(found, path if isinstance(path, str) else None, content)
    if value is None:
        return StoredMedium(found, None, None)
    raise CvrError(f"{file}: the medium of {found} is of type {type(value).__name__}, not bytes.")


def _suffix_of(medium: StoredMedium) -> str:
    content = medium.content or b""
    for place, sign, suffix in STARTS:
        if content[place : place + len(sign)] == sign:
            return suffix
    named = Path(medium.name or "").suffix.lower()
    return named if named in VIDEO_SUFFIXES | IMAGE_SUFFIXES else ".bin"


def _leaves(schema: object) -> set[str]:
    """The columns of a Parquet file, those inside of others with a dot."""
    return {schema.column(number).path for number in range(len(schema))}  # type: ignore[attr-defined,arg-type]
