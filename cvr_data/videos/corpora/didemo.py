"""DiDeMo's videos with all descriptions of each as one text: {train,val,test}_data.json.

    cvr import didemo didemo/ -o media=didemo/videos

A video is called by the name of its file, with the ending. {train,val,test}_list.txt beside the JSON decide the split;
a video that they do not name has the split of its file's name.

Source: Hendricks et al., ICCV 2017 (https://arxiv.org/abs/1708.01641). BSD 2-Clause for the annotations.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.core.annotation_files import read_json_entries
from cvr_data.core.split_names import split_named_by_file
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_listed_splits, file_corpus

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """A JSON file, or the folder of them."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for the id, whatever its ending; default: captions only."""


def _entries(config: Config, path: Path) -> Iterator[Entry]:
    texts: dict[str, list[str]] = defaultdict(list)
    for entry in read_json_entries(path, ("video", "description")):
        texts[entry["video"]].append(entry["description"].strip())
    listed = corpus_listed_splits(path.parent)
    for video_id, descriptions in texts.items():
        split = listed.get(video_id) or split_named_by_file(path.stem)
        yield corpus_entry(video_id, [" ".join(descriptions)], f"{path.name} {video_id}", split=split)


inputs, count, load = file_corpus("didemo", (".json",), _entries, file_of=lambda video_id: video_id.partition(".")[0])
