"""MSVD's captions: raw-captions.pkl or AllVideoDescriptions.txt.

    cvr import msvd msvd/ -o media=msvd/YouTubeClips

Of the pickle only plain lists and texts are read. {train,val,test}_list.txt beside it tell the split. The text file has
one "id caption" a line, comments after #.

Source: Chen and Dolan, ACL 2011. Research use.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_listed_splits, corpus_texts, file_corpus

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """The pickle or the text file, or the folder of one."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for <id>.avi; default: captions only."""


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, dicts and texts only."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse whatever a pickle wants to import."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and captions need no code")


def _entries(config: Config, path: Path) -> Iterator[Entry]:
    listed = corpus_listed_splits(path.parent)
    for video_id, captions in _pickled(path) if path.suffix == ".pkl" else _lines(path):
        entry = corpus_entry(video_id, captions, f"{path.name} {video_id}")
        entry.values["split"] = listed.get(entry.video_id)
        yield entry


def read_msvd_pickle(path: Path) -> dict[str, Any]:
    """Return id -> captions, each a text or a list of words, of raw-captions.pkl.

    Raises:
        CvrError: it cannot be read, asks for code, or is of another shape.
    """
    with reading(path, "a pickle of captions"), path.open("rb") as file:
        content = _PlainUnpickler(file, encoding="utf-8").load()
    if not isinstance(content, dict):
        raise CvrError(f"{path}: not MSVD's captions: expected id to lists of words.")
    return content


def _pickled(path: Path) -> Iterator[tuple[str, list[str]]]:
    for video_id, captions in read_msvd_pickle(path).items():
        listed = captions if isinstance(captions, list) else []
        yield video_id, corpus_texts([" ".join(corpus_texts(words)) for words in listed])


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    found = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        video_id, _, caption = line.strip().partition(" ")
        if video_id and not video_id.startswith("#"):
            found += 1
            yield video_id, corpus_texts(caption)
    if not found:
        raise CvrError(f"{path}: no line with an id and a caption.")


inputs, count, load = file_corpus("msvd", (".pkl", "descriptions.txt"), _entries)
