"""What would leave with a push and should not: keys, passwords and home folders in texts, places in media.

scan_publication({"data/short/train-00000-of-00001.parquet": Path(...), "videos/a.mp4": Path(...)})
# ["data/short/train-00000-of-00001.parquet, column modification: a Hub token", "videos/a.mp4: where it was filmed"]

"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.core.secrets_in_text import secrets_in_text
from cvr_data.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

HOME = r"(?:/home/|/Users/|[A-Za-z]:\\\\?Users\\\\?)[^/\\\s\"']+|(?<![\w.])/root/"
PLACES = ("location", "gps", "iso6709")
"""Parts of the names of metadata that tell where a film was made."""
GPS_IFD = 0x8825


def scan_publication(files: Mapping[str, Path]) -> list[str]:
    """Return what was found, one line each: the path in the repository, and what it holds."""
    return [f"{name}{where}" for name, path in files.items() for where in _findings_in_file(path)]


def secrets_to_publish(text: str) -> list[str]:
    """Return what a text holds of keys, passwords and home folders."""
    return [*secrets_in_text(text), *(["a home folder"] if re.search(HOME, text) else [])]


def _findings_in_file(path: Path) -> Iterator[str]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _in_table(path)
    elif suffix in IMAGE_SUFFIXES:
        yield from _in_image(path)
    elif suffix in VIDEO_SUFFIXES:
        yield from _in_film(path)
    else:
        yield from (f": {kind}" for kind in secrets_to_publish(path.read_text(encoding="utf-8", errors="replace")))


def _in_table(path: Path) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        found = {
            (name, kind)
            for batch in file.iter_batches()
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
            for texts in _texts_to_scan(column)
            for kind in secrets_to_publish("\n".join(filter(None, pc.unique(texts).to_pylist())))
        }
    yield from (f", column {name}: {kind}" for name, kind in sorted(found))


def _texts_to_scan(column: pa.Array) -> Iterator[pa.Array]:
    """The texts in a column, also those in its lists and structs."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield column
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_to_scan(column.flatten())
    elif pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _texts_to_scan(part)


def _in_image(path: Path) -> Iterator[str]:
    from PIL import Image

    with Image.open(path) as image:
        if image.getexif().get_ifd(GPS_IFD):
            yield ": where it was taken (EXIF)"


def _in_film(path: Path) -> Iterator[str]:
    import av

    with av.open(str(path), metadata_errors="replace") as container:
        tags = {**container.metadata}
        for stream in container.streams:
            tags |= stream.metadata
    if any(place in name.lower() for name in tags for place in PLACES):
        yield ": where it was filmed"
    yield from (f": {kind} in its metadata" for kind in secrets_to_publish("\n".join(map(str, tags.values()))))
