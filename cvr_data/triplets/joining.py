"""Which mined distractors join a gallery that is asked what queries need, and where their captions lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import numbered_inputs
from cvr_data.pairs.distractors import STAGE
from cvr_data.tables import DISTRACTORS


class Joining(NamedTuple):
    """Distractors of some folders."""

    videos: tuple[tuple[str, str], ...]
    """Each with the split whose gallery it joins."""
    folders: tuple[Path, ...]
    """The videos that they were chosen from."""


def triplet_distractors(folders: Sequence[Path]) -> Joining:
    """Return the distractors of folders.

    Raises:
        CvrError: `cvr mine-distractors` made no such folder, or none that says its split, or its videos are gone.
    """
    videos: set[tuple[str, str]] = set()
    sources = []
    for folder in folders:
        artifact = open_artifact(folder, STAGE)
        split = (artifact.manifest.get("config") or {}).get("split")
        if not isinstance(split, str):
            raise CvrError(f"{folder} does not say of which split its distractors are; make it again.")
        names = check_columns(artifact.read(), DISTRACTORS, str(folder)).column("video_id").to_pylist()
        videos.update((name, split) for name in names)
        sources.append(artifact.input_path("videos"))
    return Joining(tuple(sorted(videos)), tuple(sources))


def triplet_distractor_inputs(folders: Sequence[Path]) -> dict[str, Path]:
    """Return input name -> folder as manifests list them: distractors, distractors-2, ..."""
    return numbered_inputs("distractors", folders)
