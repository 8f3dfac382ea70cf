"""How much of what clips of the synthetic world show is said by descriptions of them.

    python speed/descriptions.py --videos videos-described

The share of a clip's seven slots (object, colour, texture, size, scene, action, camera) whose value its description
names, beside that of its caption and of the descriptions of other clips, which is what chance gives. Without --videos
the world's own true descriptions are measured.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import cli
from cvr_bench.scoring.intervals import Clusters, recall_confidence_interval
from cvr_data.core.artifacts import open_artifact
from cvr_data.videos.synthetic.concepts import SLOTS, Concept
from cvr_data.videos.synthetic.truth import read_synthetic_truth
from tests.truth_measures import described_slots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, help="Described videos of `cvr import synthetic`.")
    options = parser.parse_args()
    if options.videos is not None:
        show(options.videos)
        return
    with tempfile.TemporaryDirectory() as folder:
        videos = Path(folder) / "videos"
        cli.run(["import", "synthetic", "-O", str(videos), "-o", "render=false"])
        show(videos)


def show(videos: Path) -> None:
    rows = [row for row in open_artifact(videos).read().to_pylist() if row["description"]]
    truth = read_synthetic_truth(videos)
    concepts = [truth.concept(row["video_id"]) for row in rows]
    moved = np.random.default_rng(0).permutation(len(rows)).tolist()
    descriptions = [row["description"] for row in rows]
    print(f"{'':<22}{'slots named':>25}   " + "  ".join(f"{slot:>8}" for slot in SLOTS))
    line("description", descriptions, concepts)
    line("caption", [row["captions"][0] for row in rows], concepts)
    line("another description", [descriptions[place] for place in moved], concepts)


def line(name: str, texts: Sequence[str], concepts: Sequence[Concept]) -> None:
    named = [described_slots(text, concept) for text, concept in zip(texts, concepts, strict=True)]
    alone = Clusters.of([[str(row)] for row in range(len(texts))], [None] * len(texts))
    found = recall_confidence_interval(100 * np.array([len(slots) / len(SLOTS) for slots in named]), alone)
    shares = "  ".join(f"{np.mean([slot in slots for slots in named]):8.2f}" for slot in SLOTS)
    print(f"{name:<22}{f'{found.value:.1f} [{found.low:.1f}, {found.high:.1f}]':>25}   {shares}")


if __name__ == "__main__":
    main()
