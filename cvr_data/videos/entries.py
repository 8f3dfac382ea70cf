"""Builds slices of the videos table from rows: repeated ids, captions, media that cannot be read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.errors import CvrError, first_few
from cvr_data.media.clip import Clip, bad_times
from cvr_data.media.look import look_at
from cvr_data.tables import VIDEOS

SLICE = 4096
SCHEMA = pa.schema([*VIDEOS, ("drop_reason", pa.string()), ("detail", pa.string())])


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

    @property
    def clip(self) -> Clip | None:
        """Its file and the seconds of it that count; None without a file."""
        times = (self.values.get(name) for name in ("start_s", "end_s"))
        return None if self.path is None else Clip(self.path, *times)

    def of_recording(self, recording_id: str | None, start_s: float | None = None, end_s: float | None = None) -> None:
        """Say which recording it is a clip of, and of which seconds; its row is dropped where these are none."""
        self.values |= {"recording_id": recording_id or None, "start_s": start_s, "end_s": end_s}
        if problem := bad_times(start_s, end_s):
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


def merge_repeated(entries: Iterable[Entry], policy: str, where: str) -> Iterator[Entry]:
    """Yield each video once: as `policy` says, an id that comes again is an error, dropped, or one more caption.

    Raises:
        CvrError: an id comes again and the policy is "error"; the first three are named.
    """
    if policy == "captions":
        yield from _with_all_captions(entries)
        return
    seen: set[str] = set()
    repeated: list[str] = []
    for entry in entries:
        if entry.drop_reason is None and entry.video_id in seen:
            repeated.append(entry.video_id)
            entry.drop("duplicate_id", f"{entry.video_id} comes again")
        elif entry.drop_reason is None:
            seen.add(entry.video_id)
        if policy != "error" or not repeated:
            yield entry
    if policy == "error" and repeated:
        raise CvrError(
            f"{where}: ids come more than once: {first_few(dict.fromkeys(repeated))}. With -o repeated=captions rows "
            "of one id are its captions, with -o repeated=drop all but the first are dropped."
        )


def _with_all_captions(entries: Iterable[Entry]) -> Iterator[Entry]:
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.drop_reason is not None:
            yield entry
        elif entry.video_id in first:
            known = first[entry.video_id].captions
            known += [caption for caption in entry.captions if caption not in known]
        else:
            first[entry.video_id] = entry
    yield from first.values()


def tables_of(entries: Iterable[Entry], source: str, *, check: bool) -> Iterator[pa.Table]:
    """Yield the table in slices; with `check`, every media file is opened and its first frame decoded."""
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == SLICE:
            yield _table(batch, source, check=check)
            batch = []
    if batch:
        yield _table(batch, source, check=check)


def _table(entries: Sequence[Entry], source: str, *, check: bool) -> pa.Table:
    if check:
        _look(entries)
    rows = [
        {
            **entry.values,
            "video_id": entry.video_id,
            "captions": entry.captions,
            "source": source,
            "path": None if entry.path is None else str(entry.path.resolve()),
            "drop_reason": entry.drop_reason,
            "detail": entry.detail,
        }
        for entry in entries
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return table if any(entry.drop_reason for entry in entries) else table.drop_columns(["detail"])


def _look(entries: Sequence[Entry]) -> None:
    found = [(entry, clip) for entry in entries if (clip := entry.clip) is not None and entry.drop_reason is None]
    for (entry, _), look in zip(found, look_at([clip for _, clip in found]), strict=True):
        if look.drop_reason is not None:
            entry.drop(look.drop_reason, look.detail or "")
        if entry.values.get("duration_s") is None:
            entry.values["duration_s"] = look.duration_s
        entry.values["content_sha256"] = look.sha256
