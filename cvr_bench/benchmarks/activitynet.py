"""ActivityNet Captions: paragraph retrieval, all sentences of a video as one text, over the videos of val1.

unit=sentence makes every sentence a query for its whole video instead. Ids keep their "v_". A quarter of the paragraphs
is longer than the 64 tokens at which text encoders usually cut.

Paper: Krishna et al., ICCV 2017 (https://arxiv.org/abs/1705.00754). Licence: none stated for the captions; research
use. Files: val_1.json from https://cs.stanford.edu/people/ranjaykrishna/densevid/. It has captions of 4,917 videos;
val_ids.json, which is not needed, lists 4,925.
"""

from dataclasses import dataclass
from pathlib import Path

from cvr_bench.benchmarks._text_video import CaptionedVideos, TextVideo, captions_benchmark
from cvr_bench.tasks.text_video import Unit
from cvr_data.core.annotation_files import check_counts, find_annotation_file, find_only_annotation_file, read_json
from cvr_data.core.errors import CvrError, first_few

ORIGIN = "https://cs.stanford.edu/people/ranjaykrishna/densevid/"
PUBLISHED = {"test": {"videos": 4917, "sentences": 17_505}, "train": {"videos": 10_009}}


@dataclass(frozen=True, kw_only=True)
class Config(TextVideo):
    annotations: Path
    """val_1.json, or the folder that holds it."""
    unit: Unit = "paragraph"
    """paragraph: all sentences of a video are one text; sentence: each is one."""


EXAMPLE = {"": (3, 3), "direction=video-to-text": (3, 3), "unit=sentence": (5, 3)}


def _files(config: Config, split: str) -> list[Path]:
    if split != "train":
        return [find_only_annotation_file(config.annotations, "val_1.json", origin=ORIGIN)]
    folder = config.annotations.parent if config.annotations.is_file() else config.annotations
    return [find_annotation_file(folder, "train.json", origin=ORIGIN)]


def _read(config: Config, split: str, paths: list[Path]) -> CaptionedVideos:
    (path,) = paths
    content = read_json(path)
    if not isinstance(content, dict):
        raise CvrError(f"{path} should map video ids to their sentences.")
    lacking = [video_id for video_id, entry in content.items() if not entry.get("sentences")]
    if lacking:
        raise CvrError(f"{path} has no sentences of {first_few(lacking)}.")
    captions = {video_id: [text.strip() for text in entry["sentences"]] for video_id, entry in content.items()}
    found = {"videos": len(captions), "sentences": sum(len(texts) for texts in captions.values())}
    check_counts(path, config.counts, found, PUBLISHED[split])
    return CaptionedVideos(captions)


files, load, training_files, load_captions = captions_benchmark("activitynet-{unit}", _files, _read)
