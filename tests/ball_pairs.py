"""Pairs of red balls that change their colour, each on a beach of its own number."""

from pathlib import Path

from cvr_data.tables import PAIRS
from tests.dataset_folders import mined_pair, write_artifact

COLOURS = ("blue", "green", "black", "white", "pink", "grey")


def write_ball_pairs(folder: Path, count: int) -> Path:
    """Write an artifact of so many pairs, no two of which ask the same, and return its folder."""
    rows = []
    for number in range(count):
        after = COLOURS[number % len(COLOURS)]
        captions = (f"a red ball {number} bounces on a beach", f"a {after} ball {number} bounces on a beach")
        rows.append(mined_pair((f"r{number}", f"t{number}"), captions))
    return write_artifact(folder, "mine-pairs", rows, PAIRS)
