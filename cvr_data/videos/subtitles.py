"""What is said in a recording, and when: subtitles and transcripts that lie beside it.

Beside `talk.mp4` these are `talk.srt`, `talk.en.vtt`, `talk.mp4.ass`, or Whisper's `talk.json`. pysubs2 reads them; it
comes with the extra `recordings`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.reading import read_text
from cvr_data.media.names import normalised_media_name

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".sbv", ".ttml", ".json")
"""By which subtitles are known, those that say most about themselves first."""
_NOT_SAID = re.compile(r"\[[^\]]*\]|\([^)]*\)|[♪♫]+|^\s*(?:>>|-)\s*")
"""What describes sound, or who speaks, in subtitles for the deaf."""


@dataclass(frozen=True)
class Cue:
    """One line, and when it stands there, in seconds of the recording."""

    start_s: float
    end_s: float
    text: str


def subtitle_file(recording: Path, beside: Sequence[str]) -> Path | None:
    """Return the subtitles of a recording among the names of its folder: the shortest name of the first kind."""
    stems = {normalised_media_name(recording.stem), normalised_media_name(recording.name)}
    for suffix in SUFFIXES:
        found = [name for name in beside if name.lower().endswith(suffix) and _is_of(Path(name), stems)]
        if found:
            return recording.parent / min(found, key=lambda name: (len(name), name))
    return None


def _is_of(file: Path, stems: set[str]) -> bool:
    return normalised_media_name(file.stem) in stems or normalised_media_name(Path(file.stem).stem) in stems


def read_video_subtitles(path: Path) -> list[Cue]:
    """Return the cues of a file in order, without tags, sounds, and lines that roll on from the cue before.

    Raises:
        CvrError: it cannot be read.
    """
    import pysubs2

    try:
        if path.suffix.lower() == ".json":
            given = pysubs2.load_from_whisper(_segments(path))
        else:
            text = read_text(path).removeprefix("\ufeff")
            is_silent = not text.strip()  # so Whisper writes of a film in which nobody speaks
            given = pysubs2.SSAFile() if is_silent else pysubs2.SSAFile.from_string(text, format_=None)
    except CvrError:
        raise
    except Exception as error:  # whatever a reader of a text says of one that is none
        raise CvrError(f"{path}: cannot be read as subtitles ({first_line(error)}).") from None
    cues: list[Cue] = []
    latest: list[str] = []
    for event in sorted(given, key=lambda event: (event.start, event.end)):
        lines = [line for raw in event.plaintext.splitlines() if (line := " ".join(_NOT_SAID.sub(" ", raw).split()))]
        new = [line for line in lines if line not in latest]
        latest = lines or latest
        if new and not event.is_comment:
            cues.append(Cue(event.start / 1000, event.end / 1000, " ".join(new)))
    return cues


def _segments(path: Path) -> list[dict[str, object]]:
    found = read_json(path)
    segments = found.get("segments") if isinstance(found, dict) else found
    if not isinstance(segments, list) or not all(
        isinstance(one, dict) and {"start", "end", "text"} <= one.keys() for one in segments
    ):
        raise CvrError(f"{path}: no transcript: Whisper's have `segments` with start, end and text.")
    return segments


def video_subtitles_between(cues: Sequence[Cue], start_s: float, end_s: float) -> str:
    """Return what is said in a clip: the cues of which at least half, or at least half the clip, lies in it."""
    said = []
    for cue in cues:
        shared = min(cue.end_s, end_s) - max(cue.start_s, start_s)
        if shared > 0 and 2 * shared >= min(cue.end_s - cue.start_s, end_s - start_s):
            said.append(cue.text)
    return " ".join(said)
