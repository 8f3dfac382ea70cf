"""What lies in a working folder, first to last, and what nobody has gone on with: `cvr status`."""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cvr_data.core.artifact_files import MANIFEST, NEW, RUNNING
from cvr_data.core.artifacts import Artifact, manifest_of
from cvr_data.core.errors import CvrError
from cvr_data.core.feature_spaces import lie_in_two_spaces
from cvr_data.core.lineage import follow, lineage

NEXT: dict[str, tuple[str, ...]] = {
    "import-": ("cvr embed {folder}",),
    "import-vt2v": ("cvr embed {folder}",),
    "embed": ("cvr mine-pairs {videos} --embeddings {folder}", "cvr split {videos} --embeddings {folder}"),
    "split": ("cvr mine-pairs {folder} --embeddings {embeddings}", "cvr mine-pairs {folder}"),
    "measure-videos": ("cvr filter-videos {videos} --measures {folder}",),
    "filter-videos": ("cvr embed {folder}",),
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
WITH_HEADS = {
    "embed": "cvr fit-heads {folder} --videos {videos}",
    "split": "cvr fit-heads {embeddings} --videos {folder}",
}
"""What comes first where images and texts have spaces of their own."""
OF_A_SET = "cvr bench --model MODEL --data SET -e {folder}"
"""What comes after features of a benchmark's videos, which are neither split nor paired."""
SPLIT_ONES = ("split", "describe-videos")
"""Stages whose videos have a split, so that features of them lead on to pairs."""

DEPTH = 2
"""Folders below the one that is looked at: commands write modifications/NAME, annotations/NAME and results/NAME."""
OF_ANOTHER = ("audit", "robustness")
"""Stages whose folders belong to another artifact."""


def artifact_folder_status(folder: Path) -> list[dict[str, Any]]:
    """Return what was made in a folder, inputs before what was made from them, then what is unfinished.

    Each has `path`, `stage` (None of what is unfinished), `told` (rows, inputs, when), `problems` (inputs that have
    changed or gone) and `next`, the command that usually follows the last one of a stage; None where something here was
    made from that already.

    Raises:
        CvrError: there is no such folder.
    """
    if not folder.is_dir():
        raise CvrError(f"{folder} does not exist.")
    whole: list[Path] = []
    unfinished: list[Path] = []
    for path in _artifact_folders(folder, DEPTH):
        (whole if (path / MANIFEST).is_file() else unfinished).append(path)
    here = {path.resolve() for path in whole}
    found = [artifact for artifact in lineage(whole) if artifact.path.resolve() in here]
    artifacts = [artifact for artifact in found if artifact.stage not in OF_ANOTHER]
    last = {artifact.stage: artifact for artifact in artifacts}
    used = {above.resolve() for artifact in artifacts for above in _artifact_inputs(artifact)}
    ends = [artifact for artifact in last.values() if artifact.path.resolve() not in used]
    finished = [_finished_artifact(artifact, folder, is_end=artifact in ends) for artifact in artifacts]
    run = {artifact.manifest.get("command") for artifact in artifacts}
    for each in finished:  # heads are no input of what was made with them
        each["next"] = None if each["next"] in run else each["next"]
    return finished + [_unfinished_artifact(path) for path in unfinished]


def _artifact_folders(folder: Path, depth: int) -> Iterator[Path]:
    if any((folder / name).exists() for name in (MANIFEST, RUNNING, f"{NEW}/{RUNNING}")):
        yield folder
    if depth:
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.is_symlink() and not below.name.startswith("."):
                yield from _artifact_folders(below, depth - 1)


def _artifact_inputs(artifact: Artifact) -> Iterator[Path]:
    for entry in artifact.manifest["inputs"].values():
        if isinstance(entry, dict):
            yield artifact.path / entry["path"]


def _finished_artifact(artifact: Artifact, folder: Path, *, is_end: bool) -> dict[str, Any]:
    problems = []
    for name in artifact.manifest["inputs"]:
        try:
            artifact.input_path(name)
        except CvrError as error:
            problems.append(str(error))
    manifest = artifact.manifest
    names = dict.fromkeys(os.path.relpath(path, folder) for path in _artifact_inputs(artifact))
    if artifact.stage == "import-recordings":  # whose inputs are the subtitles, if there are any
        names = {manifest["config"]["path"]: None}
    rows = f"{manifest['rows']} rows" if manifest["rows"] else "made"
    made_from = f" from {', '.join(names)}" if names else ""
    told = f"{artifact.stage}: {rows}{made_from}, {manifest['finished'][:16].replace('T', ' ')} UTC"
    following = command_after_artifact(artifact.path) if is_end else None
    return {"path": str(artifact.path), "stage": artifact.stage, "told": told, "problems": problems, "next": following}


def _unfinished_artifact(path: Path) -> dict[str, Any]:
    told = "unfinished: run its command again to resume, or with --overwrite to begin anew"
    return {"path": str(path), "stage": None, "told": told, "problems": [], "next": None}


def command_after_artifact(folder: Path) -> str | None:
    """Return the command that usually comes after a finished artifact, or None where there is none.

    Raises:
        CvrError: the folder holds no finished artifact.
    """
    artifact = manifest_of(folder)
    begin = max((name for name in NEXT if artifact.stage.startswith(name)), key=len, default=None)
    if begin is None or (not artifact.manifest["rows"] and begin not in ("checkpoint", "train-generator", "fit-heads")):
        return None
    words = {"folder": str(folder), **_inputs_as_they_were(artifact)}
    templates = NEXT[begin]
    if begin == "import-" and artifact.manifest.get("without_caption") == artifact.manifest["rows"]:
        templates = ("cvr describe-videos {folder} --captions",)
    if begin == "embed" and _stage_of_videos(artifact) == "import-vt2v":
        templates = (OF_A_SET,)
    elif begin == "embed" and not _is_split(artifact):
        templates = templates[1:]
    if begin == "build-triplets" and not _has_features(folder):
        templates = NEXT["triplets"]
    if begin in ("embed", "split") and _awaits_heads(folder if begin == "embed" else words.get("embeddings")):
        if begin == "split" or _is_split(artifact):
            templates = (WITH_HEADS[begin], *templates)
    return next((filled for template in templates if (filled := _filled_command(template, words))), None)


def _inputs_as_they_were(artifact: Artifact) -> dict[str, str]:
    """The inputs that are where they were and as they were, by name."""
    found = {}
    for name in artifact.manifest["inputs"]:
        try:
            found[name] = str(artifact.input_path(name))
        except CvrError:
            continue
    return found


def _has_features(triplets: Path) -> bool:
    """Whether triplets lead to features; those of what was marked in a search do not."""
    try:
        return bool(follow(triplets, "embeddings"))
    except CvrError:
        return True


def _awaits_heads(embeddings: Path | str | None) -> bool:
    """Whether images and texts of these features lie in two spaces; heads, which bring them together, need texts."""
    if embeddings is None:
        return False
    features = manifest_of(embeddings)
    return bool(features.manifest.get("texts")) and lie_in_two_spaces(features)


def _is_split(artifact: Artifact) -> bool:
    """Whether the videos that were embedded have splits."""
    return _stage_of_videos(artifact) in SPLIT_ONES


def _stage_of_videos(artifact: Artifact) -> str | None:
    try:
        return manifest_of(artifact.input_path("videos")).stage
    except CvrError:
        return None


def _filled_command(template: str, words: Mapping[str, Any]) -> str | None:
    try:
        return " ".join(shlex.quote(word.format_map(words)) for word in template.split())
    except KeyError:
        return None
