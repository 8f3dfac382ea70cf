"""Where the frames of captions come from: rules, else what a language model told of each (`--frames-by`)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.found_rows import KEPT, rows_with
from cvr_data.core.reading import reading
from cvr_data.core.stages import Side
from cvr_data.language.frames import Frame, frame_of
from cvr_data.language.parsed import parsed
from cvr_data.language.told_frames import told_frame


class TellsFrames(Protocol):
    """Who tells frames."""

    def frames_of(self, texts: Iterable[str]) -> Mapping[str, Frame | None]:
        """Return the frame of each distinct text; None, or nothing, where there is none."""


class StoredFrames:
    """The frames of an artifact with the columns `caption` and `frame`, as JSON or null."""

    def __init__(self, artifact: Artifact):
        self.artifact = artifact

    def frames_of(self, texts: Iterable[str]) -> Mapping[str, Frame | None]:
        """Return the frames of the texts that are there; None of one that has none.

        Raises:
            CvrError: what lies there is no frame.
        """
        found = {}
        with reading(self.artifact.path, "frames of captions"):
            for row in rows_with(self.artifact, KEPT, {"caption": texts}):
                told = row["frame"]
                found[row["caption"]] = told_frame(row["caption"], json.loads(told)).frame if told else None
        return found


def frames_side(folder: Path) -> Side:
    """Return the frames of an artifact as each process loads them."""
    return Side(_stored, (folder.resolve(),))


def _stored(folder: Path) -> StoredFrames:
    return StoredFrames(open_artifact(folder))


def read_frames(texts: Iterable[str], by: TellsFrames | None) -> Iterator[tuple[str, Frame | None]]:
    """Yield each distinct text, sorted, with its frame: by rules where nobody else is asked."""
    distinct = sorted(set(texts))
    if by is not None:
        frames = by.frames_of(distinct)
        yield from ((text, frames.get(text)) for text in distinct)
        return
    yield from zip(distinct, map(frame_of, parsed(distinct)), strict=True)
