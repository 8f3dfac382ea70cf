"""Command lines run one after the other, which make what a test reads."""

from pathlib import Path

import pytest

import cli

TRIPLETS_OF_THREE_SPLITS = """
import synthetic --out videos -o train=8 -o val=6 -o test=8 -o render=false
embed videos --out embeddings --encoder hash -o dim=4 -o frames=1
mine-pairs videos --out pairs --filter none
generate-modifications pairs --llm rules --out texts
build-triplets texts --out triplets
"""
"""Videos, their features, pairs, texts and triplets, in a second or two."""


def run_steps(folder: Path, lines: str) -> Path:
    """Run each line as a `cvr` command in the folder, where all have to succeed, and return the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in lines.strip().splitlines():
            assert cli.run(line.split()) == 0, line
    return folder
