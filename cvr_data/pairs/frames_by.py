"""Where the frames of captions come from: rules, else what a language model told of each (`--frames-by`)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.found_rows import KEPT, rows_with
from cvr_data.core.mapped_rows import MappedRows, mapped
from cvr_data.core.reading import reading
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Side
from cvr_data.language.frames import Frame, parsed_sentence_frame
from cvr_data.language.parsed import parsed
from cvr_data.language.told_frames import sentence_frame_from_words


class TellsFrames(Protocol):
    """Who tells frames."""

    def frames_of(self, texts: Iterable[str]) -> Mapping[str, Frame | None]:
        """Return the frame of each distinct text; None, or nothing, where there is none."""


class StoredFrames:
    """The frames of rows with the columns `caption` and `frame`, as JSON or null, numbered in the order of captions.

    Of captions that are asked for, each is found by halving: no others are read, however many there are.
    """

    def __init__(self, rows: MappedRows, folder: Path):
        self.rows = rows
        self.folder = folder

    def frames_of(self, texts: Iterable[str]) -> Mapping[str, Frame | None]:
        """Return the frames of the texts that are there; None of one that has none.

        Raises:
            CvrError: what lies there is no frame.
        """
        wanted = sorted(set(texts))
        found: dict[str, Frame | None] = {}
        if not len(self.rows):
            return found
        with reading(self.folder, "frames of captions"):
            numbers = np.minimum(self._places(wanted), len(self.rows) - 1)
            rows = self.rows.take(numbers, ["caption", "frame"])
            for text, caption, told in zip(wanted, *(column.to_pylist() for column in rows.columns), strict=True):
                if caption == text:
                    found[text] = _told(text, told)
        return found

    def _places(self, wanted: Sequence[str]) -> np.ndarray:
        """Return the number of the first row whose caption is not before each text."""
        low, high = np.zeros(len(wanted), np.int64), np.full(len(wanted), len(self.rows))
        while len(asked := np.flatnonzero(low < high)):
            middle = (low[asked] + high[asked]) // 2
            captions = self.rows.take(middle, ["caption"]).column(0).to_pylist()
            is_before = np.array([caption < wanted[at] for caption, at in zip(captions, asked.tolist(), strict=True)])
            low[asked[is_before]] = middle[is_before] + 1
            high[asked[~is_before]] = middle[~is_before]
        return low


class FewFrames:
    """The frames of an artifact for the few captions that somebody asks about: the column of captions is read."""

    def __init__(self, folder: Path):
        self.folder = folder

    def frames_of(self, texts: Iterable[str]) -> Mapping[str, Frame | None]:
        """Return the frames of the texts that are there; None of one that has none.

        Raises:
            CvrError: there is no such artifact, or what lies there is no frame.
        """
        with reading(self.folder, "frames of captions"):
            rows = rows_with(open_artifact(self.folder), KEPT, {"caption": texts})
            return {row["caption"]: _told(row["caption"], row["frame"]) for row in rows}


def _told(caption: str, frame: str | None) -> Frame | None:
    return sentence_frame_from_words(caption, json.loads(frame)).frame if frame else None


def mining_frames_side(run: StageRun, folder: Path) -> Side:
    """Return the frames of an artifact as each process of a run loads them."""
    side, _ = mapped(run.read(folder, ["caption", "frame"], ["caption", "frame"]), "caption")
    return Side(_stored, (side, folder.resolve()))


def _stored(side: Side, folder: Path) -> StoredFrames:
    return StoredFrames(side.load(*side.arguments), folder)


def read_mining_frames(texts: Iterable[str], by: TellsFrames | None) -> Iterator[tuple[str, Frame | None]]:
    """Yield each distinct text, sorted, with its frame: by rules where nobody else is asked."""
    distinct = sorted(set(texts))
    if by is not None:
        frames = by.frames_of(distinct)
        yield from ((text, frames.get(text)) for text in distinct)
        return
    yield from zip(distinct, map(parsed_sentence_frame, parsed(distinct)), strict=True)
