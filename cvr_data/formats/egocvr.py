"""EgoCVR CSV: queries with several target clips, and the clips they are ranked against.

    egocvr_annotations.csv    video_clip_id, target_clip_ids (a list), video_clip_narration, target_clip_narration,
                              instruction, modified_captions
    egocvr_data.csv           clip_name, narration_text, video_uid: the gallery, a row per clip and narration
    egocvr_annotations_gallery.csv    the annotations with `local_idx`, the lines of egocvr_data.csv to rank for each

`modified_captions` (what a language model expects the target to show) and `video_uid` (the long video a clip was cut
from: its clips are the local gallery) become extra columns. EgoCVR has a test split only; others are written beside it
with their name at the end of the file's.

Source: Hummel et al., ECCV 2024 (https://github.com/ExplainableML/EgoCVR).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_data.core.files import read_columns
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits
from cvr_data.tables import QUERY_NUMBER, SPLITS

QUERIES = ("video_clip_id", "target_clip_ids", "video_clip_narration", "target_clip_narration", "instruction",
           "modified_captions")  # fmt: skip
CLIPS = ("clip_name", "narration_text", "video_uid")
LOCAL = "local_idx"
FOLDER = "annotation/egocvr"
KINDS = {"modified_captions": pa.string()}


@dataclass(frozen=True, kw_only=True)
class Config(OfSplits):
    style: str = "action"
    """Style of the texts read; the file does not say, and most of EgoCVR's change the action."""


@dataclass(frozen=True)
class ListedClip:
    """A line of the list of clips; a clip has one for each of its narrations."""

    name: str
    narration: str
    video_uid: str
    """The long video that the clip was cut from."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write the queries and clips of each split that has rows, and return the paths."""
    paths = []
    for split, rows in _rows.file_rows_by_split(triplets):
        files = [out / FOLDER / egocvr_format_file(what, split) for what in ("annotations", "data")]
        paths.append(_rows.write_format_csv(files[0], QUERIES, _query_lines(rows)))
        paths.append(_rows.write_format_csv(files[1], CLIPS, _clip_lines(rows, videos, split)))
    return paths


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a file of annotations, or of a folder: a row per query and target."""
    return _rows.concat_format_tables(
        [_read_queries(config, file, split) for split, file in _egocvr_files(config, path).items()]
    )


def read_videos(config: Config, path: Path) -> pa.Table:
    """Return the clips of the splits that `read` reads, with their narrations as captions, where a file lists them."""
    rows = [
        {
            "video_id": clip.name,
            "split": split,
            "captions": [clip.narration] if clip.narration else [],
            "video_uid": clip.video_uid,
        }
        for split, file in _egocvr_files(config, path).items()
        if (clips := file.with_name(file.name.replace("annotations", "data"))).is_file()
        for clip in read_egocvr_format_clips(clips)
    ]
    return _rows.format_videos(rows, "egocvr")


def read_egocvr_format_clips(path: Path) -> list[ListedClip]:
    """Return the lines of a list of clips, in its order.

    Raises:
        CvrError: the file is absent or no CSV, or lacks a column.
    """
    return [ListedClip(*cells) for cells in zip(*read_columns(path, CLIPS, CLIPS).values(), strict=True)]


def read_egocvr_format_local(path: Path) -> list[list[int]]:
    """Return, for each query of the gallery file, the lines of the list of clips that it is ranked against.

    Raises:
        CvrError: the file is absent or no CSV, lacks a column, or a list in it is none.
    """
    cells = read_columns(path, [LOCAL], [LOCAL])[LOCAL]
    lists = _rows.format_csv_cells(
        cells, lambda cell: [int(number) for number in _rows.format_csv_literal(cell)], name=LOCAL, path=path
    )
    return [numbers or [] for numbers in lists]


def egocvr_format_file(what: str, split: str = "test") -> str:
    """Return the name of a file of `annotations` or `data`."""
    return f"egocvr_{what}.csv" if split == "test" else f"egocvr_{what}_{split}.csv"


def _egocvr_files(config: Config, path: Path) -> dict[str, Path]:
    names = {split: [f"{FOLDER}/{egocvr_format_file('annotations', split)}"] for split in SPLITS}
    return _rows.files_by_split(path, names, config.split, otherwise="test")


def _query_lines(rows: pa.Table) -> Iterator[Sequence[str]]:
    for query in _rows.format_queries_in_file(rows):
        captions = (query.first["reference_caption"], query.first["target_caption"])
        yield (
            query.first["reference_id"],
            str(query.target_ids),
            *(caption or "" for caption in captions),
            query.first["modification"],
            query.first.get("modified_captions") or "",
        )


def _clip_lines(rows: pa.Table, videos: pa.Table | None, split: str) -> Iterator[Sequence[str]]:
    captions = {
        row[f"{end}_id"]: [row[f"{end}_caption"] or ""] for row in rows.to_pylist() for end in ("target", "reference")
    }
    captions |= _rows.format_video_values(videos, "captions")
    long_videos = {
        **_rows.format_video_values(videos, "recording_id"),
        **_rows.format_video_values(videos, "video_uid"),
    }
    for clip in _rows.format_file_gallery(rows, videos, split):
        for caption in captions[clip] or [""]:
            yield clip, caption, long_videos.get(clip, clip)


def _read_queries(config: Config, path: Path, split: str) -> pa.Table:
    cells = read_columns(path, QUERIES, (*QUERIES[:2], "instruction"))
    targets = _rows.format_csv_cells(
        cells["target_clip_ids"], _rows.format_csv_texts, name="target_clip_ids", path=path
    )
    places = [(row, target_id) for row, listed in enumerate(targets) for target_id in listed or [""]]
    ours = {
        "reference_id": "video_clip_id", "modification": "instruction", "reference_caption": "video_clip_narration",
        "target_caption": "target_clip_narration", "modified_captions": "modified_captions",
    }  # fmt: skip
    columns = {
        "target_id": [target_id for _, target_id in places],
        QUERY_NUMBER: [row for row, _ in places],
        **{name: [cells[cell][row] or None for row, _ in places] for name, cell in ours.items() if cell in cells},
    }
    return _rows.format_file_triplets(columns, where=path, split=split, style=config.style, kinds=KINDS)
