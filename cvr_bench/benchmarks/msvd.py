"""MSVD: text-video retrieval over short web clips with about 40 captions each; every caption is a query.

The other direction ranks captions one by one, and a clip is found when its best caption is; texts=sets ranks the
caption sets of whole clips, as CLIP4Clip does, which gives the same R@1 and higher R@5 and R@10.

Paper: Chen and Dolan, ACL 2011. Licence: research use. Files: {train,val,test}_list.txt and raw-captions.pkl (of which
nothing but plain lists and strings is read), from https://github.com/ArrowLuo/CLIP4Clip/releases/tag/v0.0. The
published train list has 1,199 lines where papers say 1,200.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._text_video import CaptionedVideos, TextVideo, captions_benchmark
from cvr_bench.tasks.text_video import Texts, listed_task_captions
from cvr_data.core.annotation_files import check_counts, find_annotation_file, read_lines
from cvr_data.videos.corpora.msvd import read_msvd_pickle

ORIGIN = "https://github.com/ArrowLuo/CLIP4Clip/releases/tag/v0.0"
CAPTIONS = "raw-captions.pkl"
PUBLISHED = {"test": {"videos": 670}, "val": {"videos": 100}, "train": {"videos": 1200}}


@dataclass(frozen=True, kw_only=True)
class Config(TextVideo):
    annotations: Path
    """The folder that holds the lists and raw-captions.pkl."""
    split: Literal["test", "val"] = "test"
    """Which videos are ranked."""
    texts: Texts = "captions"
    """What is ranked for a video: its captions one by one, or the sets of all captions of a clip, each by its best."""


EXAMPLE = {
    "": (6, 3),
    "direction=video-to-text": (3, 6),
    "direction=video-to-text texts=sets": (3, 3),
    "split=val": (2, 2),
}


def _files(config: Config, split: str) -> list[Path]:
    return [find_annotation_file(config.annotations, name, origin=ORIGIN) for name in (f"{split}_list.txt", CAPTIONS)]


def _read(config: Config, split: str, paths: list[Path]) -> CaptionedVideos:
    listing, path = paths
    video_ids = read_lines(listing)
    check_counts(listing, config.counts, {"videos": len(video_ids)}, PUBLISHED[split])
    captions = listed_task_captions(read_msvd_pickle(path), video_ids, listing=listing, beside=CAPTIONS)
    joined = {
        video_id: [words if isinstance(words, str) else " ".join(words) for words in texts]
        for video_id, texts in captions.items()
    }
    return CaptionedVideos(joined)


files, load, training_files, load_captions = captions_benchmark("msvd-{split}", _files, _read)
