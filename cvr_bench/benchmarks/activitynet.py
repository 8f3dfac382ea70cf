"""ActivityNet Captions: paragraph retrieval, all sentences of a video as one text, over the videos of val1.

unit=sentence makes every sentence a query for its whole video instead. Ids keep their "v_". A quarter of the paragraphs
is longer than the 64 tokens at which text encoders usually cut.

Paper: Krishna et al., ICCV 2017 (https://arxiv.org/abs/1705.00754). Licence: none stated for the captions; research
use. Files: val_1.json from https://cs.stanford.edu/people/ranjaykrishna/densevid/. It has captions of 4,917 videos;
val_ids.json, which is not needed, lists 4,925.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import Direction, Unit, paragraphs, text_video_task
from cvr_data.core.annotation_files import Counts, check_counts, find, find_only, read_json
from cvr_data.core.errors import CvrError, first_few

ORIGIN = "https://cs.stanford.edu/people/ranjaykrishna/densevid/"
TRAINING_VIDEOS = 10_009
PUBLISHED = {"videos": 4917, "sentences": 17_505}


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """val_1.json, or the folder that holds it."""
    unit: Unit = "paragraph"
    """paragraph: all sentences of a video are one text; sentence: each is one."""
    direction: Direction = "text-to-video"
    """What is ranked for what."""
    counts: Counts = "published"
    """published: a file that is not whole is refused; any: it is taken as it is."""


EXAMPLE = {"": (3, 3), "direction=video-to-text": (3, 3), "unit=sentence": (5, 3)}


def files(config: Config) -> list[Path]:
    """Return the file that `load` reads.

    Raises:
        CvrError: it is missing.
    """
    return [find_only(config.annotations, "val_1.json", origin=ORIGIN)]


def training_files(config: Config) -> list[Path]:
    """Return what `load_captions` reads.

    Raises:
        CvrError: a file is missing.
    """
    folder = config.annotations.parent if config.annotations.is_file() else config.annotations
    return [find(folder, "train.json", origin=ORIGIN)]


def load_captions(config: Config) -> Mapping[str, Sequence[str]]:
    """Return the texts of the training videos, whole paragraphs where these are ranked.

    Raises:
        CvrError: the file is missing, cannot be read or is not whole.
    """
    (path,) = training_files(config)
    captions = _captions(path)
    check_counts(path, config.counts, {"videos": len(captions)}, {"videos": TRAINING_VIDEOS})
    return paragraphs(captions) if config.unit == "paragraph" else captions


def load(config: Config) -> Task:
    """Return the task of one unit and direction.

    Raises:
        CvrError: the file is missing, cannot be read or is not whole.
    """
    (path,) = files(config)
    captions = _captions(path)
    found = {"videos": len(captions), "sentences": sum(len(texts) for texts in captions.values())}
    check_counts(path, config.counts, found, PUBLISHED)
    return text_video_task(f"activitynet-{config.unit}", captions, config.direction, config.unit)


def _captions(path: Path) -> dict[str, list[str]]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise CvrError(f"{path} should map video ids to their sentences.")
    lacking = [video_id for video_id, entry in content.items() if not entry.get("sentences")]
    if lacking:
        raise CvrError(f"{path} has no sentences of {first_few(lacking)}.")
    return {video_id: [text.strip() for text in entry["sentences"]] for video_id, entry in content.items()}
