"""What usually comes after a folder: the last line of a command, and of `cvr status`."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvr_data.core.artifacts import Artifact, manifest_of
from cvr_data.core.errors import CvrError

NEXT: dict[str, tuple[str, ...]] = {
    "import-": ("cvr embed {folder}",),
    "embed": ("cvr mine-pairs {videos} --embeddings {folder}", "cvr split {videos} --embeddings {folder}"),
    "split": ("cvr mine-pairs {folder} --embeddings {embeddings}", "cvr mine-pairs {folder}"),
    "describe-videos": ("cvr mine-pairs {folder}",),
    "fit-heads": ("cvr mine-pairs {videos} --embeddings {embeddings}",),
    "mine-pairs": ("cvr generate-modifications {folder} --style short",),
    "generate-modifications": ("cvr build-triplets {folder}",),
    "train-generator": ("cvr generate-modifications PAIRS --style trained --llm transformers -o model={folder}",),
    "build-triplets": ("cvr bench --model sum --data {folder}",),
    "drop-missing": ("cvr bench --model sum --data {folder}",),
    "triplets": ("cvr bench --model sum --data {folder} -e EMBEDDINGS",),
    "positives-queue": ("cvr review {folder} --annotator NAME",),
    "mine-distractors": ("cvr bench --model sum --data {triplets} --distractors {folder}",),
    "export-judgments": ("cvr build-triplets MODIFICATIONS --judgments {folder}",),
    "find-positives": ("cvr review {folder}/queue --annotator NAME",),
    "checkpoint": ("cvr bench --model MODEL --checkpoint {folder}",),
    "bench": ("cvr report {folder}",),
}
"""How a stage's name begins -> what comes next, the first that can be filled in: with the folder and its inputs.

Of several beginnings the longest counts. A word in capitals is left to the reader.
"""
SPLIT_ONES = ("split", "describe-videos")
"""Stages whose videos have a split, so that features of them lead on to pairs."""


def next_command(folder: Path) -> str | None:
    """Return the command that usually comes after a finished artifact, or None where there is none.

    Raises:
        CvrError: the folder holds no finished artifact.
    """
    artifact = manifest_of(folder)
    begin = max((name for name in NEXT if artifact.stage.startswith(name)), key=len, default=None)
    if begin is None or (not artifact.manifest["rows"] and begin not in ("checkpoint", "train-generator", "fit-heads")):
        return None
    words = {"folder": str(folder), **_inputs(artifact)}
    templates = NEXT[begin]
    if begin == "import-" and artifact.manifest.get("without_caption") == artifact.manifest["rows"]:
        templates = ("cvr describe-videos {folder} --captions",)
    if begin == "embed" and not _is_split(artifact):
        templates = templates[1:]
    return next((filled for template in templates if (filled := _filled(template, words))), None)


def _inputs(artifact: Artifact) -> dict[str, str]:
    """The inputs that are where they were and as they were, by name."""
    found = {}
    for name in artifact.manifest["inputs"]:
        try:
            found[name] = str(artifact.input_path(name))
        except CvrError:
            continue
    return found


def _is_split(artifact: Artifact) -> bool:
    """Whether the videos that were embedded have splits."""
    try:
        return manifest_of(artifact.input_path("videos")).stage in SPLIT_ONES
    except CvrError:
        return False


def _filled(template: str, words: Mapping[str, Any]) -> str | None:
    try:
        return " ".join(shlex.quote(word.format_map(words)) for word in template.split())
    except KeyError:
        return None
