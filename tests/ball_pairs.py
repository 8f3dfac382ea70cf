"""Pairs of red balls that change their colour, each on a beach of its own number."""

from pathlib import Path

from cvr_data.tables import PAIRS, pair_id
from tests.dataset_folders import write_artifact

COLOURS = ("blue", "green", "black", "white", "pink", "grey")


def write_ball_pairs(folder: Path, count: int) -> Path:
    """Write an artifact of so many pairs, no two of which ask the same, and return its folder."""
    rows = []
    for number in range(count):
        after = COLOURS[number % len(COLOURS)]
        captions = (f"a red ball {number} bounces on a beach", f"a {after} ball {number} bounces on a beach")
        videos = (f"r{number}", f"t{number}")
        rows.append(
            {
                "pair_id": pair_id(*videos, *captions), "reference_id": videos[0], "target_id": videos[1],
                "reference_caption": captions[0], "target_caption": captions[1], "strategy": "one-word",
                "changes": [{"kind": "static", "slot": "attribute", "before": "red", "after": after}],
            }
        )  # fmt: skip
    return write_artifact(folder, "mine-pairs", rows, PAIRS)
