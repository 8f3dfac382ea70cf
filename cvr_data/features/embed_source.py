"""What `cvr embed` reads: a videos table with its captions, or one text column, from an artifact or a single file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.files import SUFFIXES, read_table
from cvr_data.download.items import read_ids
from cvr_data.features.protocol import Encoder
from cvr_data.media.places import videos_of
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS

VIDEOS_PER_PART = 256
TEXTS_PER_PART = 4096


@dataclass(frozen=True)
class EmbedInputs:
    """What to embed, and how many parts of each kind that makes."""

    videos: list[Video]
    texts: list[str]

    @property
    def video_parts(self) -> int:
        """Parts of videos; they come first."""
        return -(-len(self.videos) // VIDEOS_PER_PART)

    def part(self, index: int) -> list[Video]:
        """The videos of one part."""
        return self.videos[index * VIDEOS_PER_PART : (index + 1) * VIDEOS_PER_PART]

    def text_part(self, index: int) -> list[str]:
        """The texts of one part of texts."""
        return self.texts[index * TEXTS_PER_PART : (index + 1) * TEXTS_PER_PART]

    @property
    def text_parts(self) -> int:
        """Parts of texts."""
        return -(-len(self.texts) // TEXTS_PER_PART)


def read_source(source: Path) -> tuple[pa.Table, str]:
    """Return the table of an artifact, or of a file, and what to call it in an error."""
    if not source.is_file():
        return open_artifact(source).read(), str(source)
    if source.suffix.lower() in SUFFIXES:
        return read_table(source), str(source)
    raise CvrError(f"{source} should be a folder made by cvr, or a table that ends in {', '.join(SUFFIXES)}.")


def only_ids(table: pa.Table, path: Path, where: str) -> pa.Table:
    """Return the rows of the video ids in a file.

    Raises:
        CvrError: the table has no ids, or not all of the file's.
    """
    if "video_id" not in table.column_names:
        raise CvrError(f"{where} has no column 'video_id', so --only {path} cannot choose of it.")
    ids = sorted(read_ids(path))
    missing = sorted(set(ids) - set(table.column("video_id").to_pylist()))
    if missing:
        raise CvrError(f"{path} names {len(missing)} videos that {where} has not: {first_few(missing)}.")
    return table.filter(pc.is_in(table.column("video_id"), pa.array(ids, table.schema.field("video_id").type)))


def distinct_texts(table: pa.Table, columns: Sequence[str], where: str) -> list[str]:
    """Return the distinct texts of string or list-of-string columns, sorted, nulls left out.

    Raises:
        CvrError: a column is absent or holds no text.
    """
    texts: set[str] = set()
    for name in columns:
        if name not in table.column_names:
            raise CvrError(f"{where}: there is no column {name!r}. {did_you_mean(name, table.column_names)}")
        values = table.column(name).combine_chunks()
        while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            values = values.flatten()
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            raise CvrError(f"{where}: column {name!r} holds {values.type}, not text.")
        texts.update(values.unique().drop_null().to_pylist())
    return sorted(texts)


def texts_of_column(table: pa.Table, column: str, encoder: Encoder, where: str) -> EmbedInputs:
    """Return the texts of one column, for an encoder that takes texts."""
    if not encoder.text_dim:
        raise CvrError(f"{encoder.name} encodes no texts; choose another --encoder for --column.")
    return EmbedInputs([], distinct_texts(table, [column], where))


def videos_and_captions(table: pa.Table, encoder: Encoder, where: str) -> EmbedInputs:
    """Return the videos of a table, and their captions where the encoder takes texts."""
    table = check_columns(table, VIDEOS, f"{where} (--column embeds a text column of another table)")
    texts = distinct_texts(table, ["captions", "description"], where) if encoder.text_dim else []
    if not encoder.dim:
        return EmbedInputs([], texts)
    ids = table.column("video_id").to_pylist()
    repeated = [video_id for video_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise CvrError(f"{where}: video_id is not unique: {first_few(repeated)}.")
    return EmbedInputs(videos_of(table, Path(where)), texts)
