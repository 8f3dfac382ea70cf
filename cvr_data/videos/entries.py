"""Builds slices of the videos table from rows, those that cannot be used among them with their reason."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.places import real_place
from cvr_data.core.split_names import SPLIT_OF_WORD
from cvr_data.language.words import clean_text
from cvr_data.media.clip import media_clip_times_fault
from cvr_data.tables import SPLITS, VIDEOS

SLICE = 4096
ROWS = "rows"
"""Column of how many rows of the source are in a row: those of one id may be one video; null is one."""
SCHEMA = pa.schema([*VIDEOS, ("drop_reason", pa.string()), ("detail", pa.string()), (ROWS, pa.int64())])


@dataclass
class Entry:
    """One video on its way into the table."""

    video_id: str
    captions: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    """Other columns of the table."""
    path: Path | None = None
    drop_reason: str | None = None
    detail: str | None = None
    rows: int = 1
    """How many rows of the source it was."""
    where: str = ""
    """Its line or row in the source, to be told of whatever drops it; empty where nothing tells."""

    def of_recording(self, recording_id: str | None, start_s: float | None = None, end_s: float | None = None) -> None:
        """Say which recording it is a clip of, and of which seconds; its row is dropped where these are none."""
        self.values |= {"recording_id": recording_id or None, "start_s": start_s, "end_s": end_s}
        if problem := media_clip_times_fault(start_s, end_s):
            self.values |= {"start_s": None, "end_s": None}
            self.drop("bad_times", f"{self.video_id}: {problem}")

    def use_cut_file(self, path: Path) -> None:
        """Take a file that holds the clip alone: its times are no longer those of the file."""
        self.path = path
        for name in ("start_s", "end_s"):
            self.values[f"recording_{name}"] = self.values.pop(name, None)

    def drop(self, reason: str, detail: str) -> None:
        """Give the reason why it cannot be used, unless it has one."""
        if self.drop_reason is None:
            self.drop_reason, self.detail = reason, detail

    @property
    def told(self) -> str | None:
        """Return the detail with the place in the source; the place alone is for steps that drop it later."""
        told = self.detail or ""
        return told or None if self.where in told else f"{self.where}: {told}" if told else self.where


def video_tables(entries: Iterable[Entry], source: str, repeated: str) -> Iterator[pa.Table]:
    """Yield the table in slices; entries of one id that are its captions are one row where they are in one slice.

    Whatever else is to become of entries of one id, `import_videos` does it, as it meets those of other slices.
    """
    entries = map(_with_plain_names, entries)
    while batch := [_named_entry(entry) for entry in islice(entries, SLICE)]:
        yield _entries_table(_with_all_captions(batch) if repeated == "captions" else batch, source)


def _named_entry(entry: Entry) -> Entry:
    """The entry with its id in the one form of texts, so that no two look alike, and with the split that is meant."""
    entry.video_id = clean_text(entry.video_id).strip()
    if not entry.video_id:
        entry.drop("no_id", "nothing of the id can be seen")
    if (split := entry.values.get("split")) is not None:
        entry.values["split"] = SPLIT_OF_WORD.get(str(split).strip().lower())
        if entry.values["split"] is None:
            raise CvrError(f"{entry.video_id}: the split {split!r} is none of {', '.join(SPLITS)}.")
    return entry


def more_video_captions(known: list[str], others: Sequence[str]) -> list[str]:
    """Return the captions of a video, and after them those of another row that it has not."""
    return known + [caption for caption in others if caption not in known]


def _with_plain_names(entry: Entry) -> Entry:
    """The entry, dropped where its id or file has a name that no table holds, or no system takes."""
    names = (entry.video_id, str(entry.path or ""))
    if any("\0" in name or not _is_utf8(name) for name in names):
        path, entry.video_id, entry.path = _told_name(names[1]), _told_name(names[0]), None
        if entry.values.get("recording_id"):
            entry.values["recording_id"] = _told_name(entry.values["recording_id"])
        entry.drop_reason = "bad_name"
        entry.detail = f"{path or entry.video_id}: a name that is not UTF-8, or has a NUL"
    return entry


def _told_name(name: str) -> str:
    return name.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_video_split(video_id: str, splits: Iterable[str | None]) -> str | None:
    """Return the one split that rows of an id give; None where they give none. Raises CvrError: they give two."""
    found = sorted({split for split in splits if split is not None}, key=SPLITS.index)
    if len(found) > 1:
        raise CvrError(f"{video_id} is in the splits {' and '.join(found)}; a video is in one.")
    return found[0] if found else None


def _with_all_captions(entries: Iterable[Entry]) -> list[Entry]:
    first: dict[Any, Entry] = {}
    for number, entry in enumerate(entries):
        known = first.setdefault(number if entry.drop_reason else entry.video_id, entry)
        if known is not entry:
            known.captions = more_video_captions(known.captions, entry.captions)
            splits = known.values.get("split"), entry.values.get("split")
            known.values["split"] = one_video_split(entry.video_id, splits)
            known.rows += entry.rows
    return list(first.values())


def _entries_table(entries: Sequence[Entry], source: str) -> pa.Table:
    told = {
        "video_id": [entry.video_id for entry in entries],
        "captions": [entry.captions for entry in entries],
        "source": [source] * len(entries),
        "path": [entry.path and str(real_place(entry.path)) for entry in entries],
        "drop_reason": [entry.drop_reason for entry in entries],
        "detail": [entry.told for entry in entries],
        ROWS: [entry.rows for entry in entries],
    }
    for name in {name for entry in entries for name in entry.values} - {*told}:
        told[name] = [entry.values.get(name) for entry in entries]
    columns = [pa.array(told.get(field.name, [None] * len(entries)), field.type) for field in SCHEMA]
    return pa.table(columns, schema=SCHEMA)
