"""What benchmarks of text-video retrieval share: options, and a task made of the captions of a split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import Direction, task_video_paragraphs, text_video_task
from cvr_data.core.annotation_files import Counts


@dataclass(frozen=True, kw_only=True)
class TextVideo:
    """Options; a benchmark that has no split, unit or sets of texts to choose from keeps these."""

    split = "test"
    unit = "sentence"
    texts = "captions"
    annotations: Path
    """The folder that holds the files."""
    direction: Direction = "text-to-video"
    """What is ranked for what."""
    counts: Counts = "published"
    """published: files that are not whole are refused; any: they are taken as they are."""


@dataclass(frozen=True)
class CaptionedVideos:
    """The videos of a split."""

    captions: Mapping[str, Sequence[str]]
    """Video id -> its texts."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What of the files is not in it -> how often."""


Files = Callable[[Any, str], list[Path]]
"""(config, split) -> the files of the split; train is one too. A missing one is a CvrError."""
Read = Callable[[Any, str, list[Path]], CaptionedVideos]
"""(config, split, its files) -> what they hold; files that cannot be read or are not whole are a CvrError."""


def captions_benchmark(
    name: str, split_files: Files, read: Read
) -> tuple[
    Callable[[Any], list[Path]],
    Callable[[Any], Task],
    Callable[[Any], list[Path]],
    Callable[[Any], Mapping[str, Sequence[str]]],
]:
    """Return `files`, `load`, `training_files` and `load_captions`; {split} and {unit} may be in the name."""

    def files(config: Any) -> list[Path]:
        return split_files(config, config.split)

    def load(config: Any) -> Task:
        found = read(config, config.split, files(config))
        title = name.format(split=config.split, unit=config.unit)
        task = text_video_task(title, found.captions, config.direction, config.unit, config.texts)
        return replace(task, left_out=dict(found.left_out)) if found.left_out else task

    def training_files(config: Any) -> list[Path]:
        return split_files(config, "train")

    def load_captions(config: Any) -> Mapping[str, Sequence[str]]:
        captions = read(config, "train", training_files(config)).captions
        return task_video_paragraphs(captions) if config.unit == "paragraph" else captions

    return files, load, training_files, load_captions
