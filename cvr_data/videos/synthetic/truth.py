"""What the clips of the synthetic world really show: the ruler for mining, texts and rankings.

No stage reads the truth; only measurements do, and the texts of `cvr_data.modifications.truth_texts`, which are the
best possible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.places import path_or_address_from
from cvr_data.core.whole_files import read_parquet
from cvr_data.videos.synthetic.concepts import SLOTS, Concept

TRUTH_FILE = "truth.parquet"


@dataclass(frozen=True)
class Truth:
    """The concept and the split of every clip, by video id."""

    concepts: Mapping[str, Concept]
    splits: Mapping[str, str]

    def concept(self, video_id: str) -> Concept:
        """Return what a clip shows. Raises CvrError: the world has no such clip."""
        if video_id not in self.concepts:
            raise CvrError(f"The truth has no clip {video_id!r} (it has {first_few(self.concepts)}).")
        return self.concepts[video_id]


def read_synthetic_truth(videos: Path) -> Truth:
    """Return the truth of a synthetic videos artifact, or of one that was made from it.

    Raises:
        CvrError: there is no truth file, so these videos are not of the synthetic world.
    """
    folder = videos
    while not (folder / TRUTH_FILE).exists():
        above = open_artifact(folder).manifest["inputs"].get("videos")
        if above is None:
            raise CvrError(f"{videos} has no {TRUTH_FILE}: the truth is known of `cvr import synthetic` only.")
        folder = path_or_address_from(folder, above["path"])
    rows = read_parquet(folder / TRUTH_FILE, ["video_id", "split", *SLOTS]).to_pylist()
    return Truth(
        concepts={row["video_id"]: Concept(**{slot: row[slot] for slot in SLOTS}) for row in rows},
        splits={row["video_id"]: row["split"] for row in rows},
    )
