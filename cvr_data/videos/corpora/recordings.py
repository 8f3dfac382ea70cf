"""A folder of long recordings, each of which is cut into clips; nothing is encoded anew.

    cvr import recordings lectures                                     # by shots, PySceneDetect's
    cvr import recordings lectures -o cut=stride -o longest=8          # every 8 seconds
    cvr import recordings lectures -o cut=table -o times=scenes.csv    # columns file, start, end, perhaps caption
    cvr import recordings clips -o cut=none                            # each file is a clip; nobody has captioned them

A clip is a file with its start and end, and its recording is the file, so that a split keeps its clips together. What
is said in it, by subtitles or a transcript beside the file, is its caption; a clip without one gets it from
`cvr describe-videos`. Shots and subtitles need `pip install 'cvr[recordings]'`. A clip of less than `shortest` seconds
is dropped; one of more than `longest` is cut into equal ones.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.files import Row, check_file, column_names, read_rows
from cvr_data.core.places import real_place
from cvr_data.core.progress import Progress
from cvr_data.core.ranges import NOT_NEGATIVE, POSITIVE, option_range
from cvr_data.media.look import media_files, media_path_inside
from cvr_data.media.names import find_media_file
from cvr_data.media.suffixes import VIDEO_SUFFIXES
from cvr_data.media.video import UnreadableVideo, find_shots, probe_medium
from cvr_data.videos.entries import Entry, video_tables
from cvr_data.videos.published import corpus_seconds, published_video_captions, unknown_corpus_count
from cvr_data.videos.subtitles import Cue, read_video_subtitles, subtitle_file, video_subtitles_between

VERSION = 2
TINY = {"path": "recordings", "shortest": "0.5"}
Span = tuple[float, float | None]


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path
    """The folder, looked through to any depth."""
    cut: Literal["shots", "stride", "table", "none"] = "shots"
    """Where clips begin: at each shot, every `longest` seconds, at the times of a table, or nowhere."""
    longest: float = field(default=20.0, metadata=option_range(POSITIVE))
    """Seconds of a clip at most; a longer shot is cut into equal clips."""
    shortest: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Seconds of a clip at least."""
    threshold: float = field(default=3.0, metadata=option_range(POSITIVE))
    """How much more than its neighbours a frame has to change to begin a shot; lower finds more."""
    times: Path | None = None
    """Table (CSV, TSV, JSONL or Parquet) of `cut=table`, absolute or relative to the folder: columns file, start and
    end, in seconds or as 00:01:02.5, and caption if there is one."""
    subtitles: bool = True
    """Take what subtitles beside a file say (SRT, VTT, ASS, TTML, Whisper's JSON) for captions."""
    licence: str | None = None
    """Licence of all of them."""
    check: ClassVar[bool] = True


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads.

    Raises:
        CvrError: there is no video or table, a length is more than the other, or a package is missing.
    """
    if not config.path.is_dir():
        is_file = config.path.is_file()
        raise CvrError(f"{config.path}: {'a file; name the folder it lies in' if is_file else 'no such folder'}.")
    if config.shortest > config.longest:
        raise CvrError(f"shortest {config.shortest:g} s is more than longest {config.longest:g} s.")
    if (config.times is not None) != (config.cut == "table"):
        raise CvrError("-o times=FILE and -o cut=table belong together.")
    found = _recordings(config)
    if not found:
        raise CvrError(f"{config.path}: no video in this folder or below it.")
    subtitles = [path for name in found if (path := _subtitles(config, name)) is not None]
    for package, needs in (("scenedetect", config.cut == "shots"), ("pysubs2", bool(subtitles))):
        if needs and find_spec(package) is None:
            other = "take -o cut=stride" if package == "scenedetect" else "leave them out by -o subtitles=false"
            raise CvrError(f"{package} is not installed: pip install 'cvr[recordings]', or {other}.")
    given = {path.relative_to(config.path).as_posix(): path for path in subtitles}
    if config.times is None:
        return given
    table = config.path / config.times
    check_file(table, _columns(table))
    return {**given, "times": table}


def media(config: Config) -> tuple[Path, list[str]]:
    return config.path, _recordings(config)


count = unknown_corpus_count


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    entries = _of_table(config) if config.cut == "table" else _of_files(config)
    yield from video_tables(entries, "recordings", "error")


def _recordings(config: Config) -> list[str]:
    return [name for name in media_files(config.path) if Path(name).suffix.lower() in VIDEO_SUFFIXES]


def _subtitles(config: Config, name: str) -> Path | None:
    recording = config.path / name
    if not config.subtitles or not recording.parent.is_dir():
        return None
    return subtitle_file(recording, sorted(path.name for path in recording.parent.iterdir() if path.is_file()))


def _cues(config: Config, name: str) -> list[Cue]:
    path = _subtitles(config, name)
    return [] if path is None else read_video_subtitles(path)


def _of_files(config: Config) -> Iterator[Entry]:
    cues = {name: _cues(config, name) for name in _recordings(config)}  # read before hours of cutting
    with Progress("cut", len(cues), "recordings") as progress:
        for name, said in cues.items():
            yield from _clips(config, name, said)
            progress.advance()


def _clips(config: Config, name: str, cues: Sequence[Cue]) -> Iterator[Entry]:
    path = real_place(config.path / name)
    try:
        duration_s = probe_medium(path).duration_s
        cuts = find_shots(path, config.threshold, duration_s) if config.cut == "shots" else []
    except (UnreadableVideo, OSError) as error:
        yield Entry(name, [], path=path, drop_reason="unreadable_video", detail=str(error))
        return
    for span in [(0.0, None)] if config.cut == "none" else recording_clip_spans(cuts, duration_s, config.longest):
        entry = _entry(config, name, span, duration_s, cues)
        length_s = (duration_s if span[1] is None else span[1]) - span[0]
        if length_s < config.shortest:
            entry.drop("too_short", f"{entry.video_id}: {length_s:.3f} s, less than {config.shortest:g}")
        yield entry


def recording_clip_spans(cuts: Sequence[float], duration_s: float, longest: float) -> list[Span]:
    """Return start and end in seconds of the clips between cuts, those of more than `longest` in equal parts.

    The last one has no end: it goes on to that of the file, whatever its header says.
    """
    borders = [0.0, *(cut for cut in sorted(cuts) if 0 < cut < duration_s), duration_s]
    spans: list[Span] = []
    for start, end in pairwise(borders):
        parts = max(1, math.ceil(round((end - start) / longest, 6)))
        times = [math.floor((start + (end - start) * part / parts) * 1e6) / 1e6 for part in range(parts)] + [end]
        spans += pairwise(times)
    return [*spans[:-1], (spans[-1][0], None)]


def _entry(config: Config, name: str, span: Span, duration_s: float, cues: Sequence[Cue]) -> Entry:
    start, end = span
    until = duration_s if end is None else end
    said = video_subtitles_between(cues, start, until)
    is_whole = (start, end) == (0.0, None)
    video_id = name if is_whole else f"{name}_{start:.3f}_{until:.3f}"
    entry = Entry(video_id, [said] if said else [], {"licence": config.licence}, path=config.path / name)
    entry.of_recording(name, None if is_whole else start, end)
    return entry


def _columns(table: Path) -> set[str]:
    return {"file", "start", "end"} | ({"caption"} & set(column_names(table)))


def _of_table(config: Config) -> Iterator[Entry]:
    assert config.times is not None
    table = config.path / config.times
    cues: dict[str, list[Cue]] = {}
    for rows in read_rows(table, _columns(table)):
        for row in rows:
            yield _entry_of_row(config, row, cues)


def _entry_of_row(config: Config, row: Row, cues: dict[str, list[Cue]]) -> Entry:
    name = str(row.values.get("file") or "")
    times = [None if (value := row.values.get(key)) is None else corpus_seconds(value) for key in ("start", "end")]
    named = f"{name}_{row.values.get('start')}_{row.values.get('end')}"
    entry = Entry(named, [], {"licence": config.licence}, where=row.where)
    entry.drop_reason, entry.detail = row.drop_reason, row.detail
    if not name or "\0" in name:
        entry.drop("bad_name", f"{row.where}: no file")
        return entry
    start, end = times
    if start is None or end is None:
        entry.drop("bad_times", f"{row.where}: start {row.values.get('start')!r}, end {row.values.get('end')!r}")
        return entry
    entry.path = find_media_file(media_path_inside(config.path, name))
    entry.video_id = f"{name}_{start:.3f}_{end:.3f}"
    entry.of_recording(name, start, end)
    captions = published_video_captions(row.values.get("caption"))
    if captions is None:
        entry.drop("bad_caption", f"{row.where}: column 'caption' holds no text or list of texts")
    if not captions and name not in cues:
        cues[name] = _cues(config, name)
    said = "" if captions else video_subtitles_between(cues[name], start, end)
    entry.captions = captions or ([said] if said else [])
    return entry
