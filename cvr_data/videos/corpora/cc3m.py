"""CC3M's TSV without a header: caption, address.

    cvr import cc3m Train_GCC-training.tsv -o media=cc3m/images

The id is the row from 0 in nine digits, as img2dataset names the images of a file in shards of 10,000. An image is a
video of one frame. The file's name tells the split.

Source: Sharma et al., ACL 2018 (Conceptual Captions). Free use with attribution; images belong to their sites.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.split_names import split_named_by_file
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_files, corpus_texts, video_corpus

VERSION = 3
SUFFIX = ".tsv"


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """The TSV file, or the folder of one."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for 000000042.jpg; default: captions only."""


def _inputs(config: Config) -> dict[str, Path]:
    return {"captions": _file(config)}


def _file(config: Config) -> Path:
    found = corpus_files(config.path, SUFFIX)
    if len(found) > 1:
        raise CvrError(f"{config.path}: several TSV files, and ids are rows of one; name the file.")
    with found[0].open(encoding="utf-8", errors="replace") as file:
        _, _, address = file.readline().rstrip("\n").partition("\t")
    if not address.startswith(("http://", "https://")):
        raise CvrError(f"{found[0]}: not CC3M: expected a caption, a tab and an address in row 1, without a header.")
    return found[0]


def _entries(config: Config) -> Iterator[Entry]:
    path = _file(config)
    with path.open("rb") as file:
        for row, line in enumerate(file):
            yield _entry(line, row, path)


def _entry(line: bytes, row: int, path: Path) -> Entry:
    where = f"{path.name} row {row + 1}"
    caption, tab, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition("\t")
    entry = corpus_entry(
        f"{row:09d}",
        corpus_texts(caption),
        where,
        url=rest.split("\t")[0] or None,
        split=split_named_by_file(path.stem),
    )
    if "\ufffd" in caption:
        entry.drop("not_utf8", f"{where}: not UTF-8")
    if not tab:
        entry.drop("bad_row", f"{where}: no tab")
    return entry


inputs, count, load = video_corpus("cc3m", _inputs, _entries)
