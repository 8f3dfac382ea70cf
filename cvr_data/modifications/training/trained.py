"""The trained generators that a backend writes with: a folder of `cvr train-generator` names what it was trained on."""

import dataclasses
from pathlib import Path
from typing import Any

from cvr_data.core.artifacts import is_artifact_of_stage
from cvr_data.core.lineage import numbered_inputs

INPUT = "generator"
"""What a modifications artifact calls a trained generator among its inputs."""
STAGE = "train-generator"


def is_generator(folder: Path) -> bool:
    """Return whether a folder was written by `cvr train-generator`, and is whole."""
    return is_artifact_of_stage(folder, STAGE)


def generators_of(backend_config: Any) -> dict[str, Path]:
    """Return input name -> folder of the trained generators among a backend's options: its model, its adapter."""
    values = (getattr(backend_config, field.name) for field in dataclasses.fields(backend_config))
    folders = [Path(value) for value in values if isinstance(value, str | Path) and str(value)]
    found = [folder for folder in folders if folder.is_dir() and is_generator(folder)]
    return numbered_inputs(INPUT, found)
