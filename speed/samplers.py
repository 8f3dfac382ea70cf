"""What a score owes to the sampler: even frames against MTEB's stride of before 2.25, which never sees the tail.

    cvr import synthetic --out videos && cvr embed videos -o size=160 -o frames=22 --out embeddings   # every frame
    cvr fit-heads embeddings --videos videos
    python speed/samplers.py embeddings videos --frames 8 12 --joined 12 16 --fps 12
    python speed/samplers.py msrvtt-embeddings msrvtt-split --frames 3 4 --joined 6 8        # folders of `cvr run real`

Text to video over the captions of the test split: every frame was encoded once, a sampler takes some of them, and a
video is their mean; nothing else differs. Films of two clips each, one after the other, ask for what is told of one
of the two. In brackets: how far a score is from that of the first line, with its 95 % interval.
"""

# Shapes: Q queries, G videos, T frames, D embedding.

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.scoring.intervals import Clusters, recall_difference_interval
from cvr_data.core.artifacts import open_artifact
from cvr_data.features.store import FeatureStore
from cvr_data.media.timeline import sample_indices

CAP = 64
"""MTEB's most frames where it takes so many a second."""
MUCH = 0.1
"""Of a video: what makes the unseen tail one that is counted."""


@dataclass(frozen=True)
class Gallery:
    """Videos by all their frames in the shared space, and texts with the videos of which each is true."""

    frames: list[Tensor]
    texts_QD: Tensor
    relevant_QG: Tensor
    fps: float

    def pooled(self, sampler: str, count: int) -> tuple[Tensor, np.ndarray]:
        """Return the mean of the frames that a sampler takes, and the share of each video behind the last of them."""
        rows, behind = [], []
        for frames_TD in self.frames:
            chosen = sample_indices(len(frames_TD), count, sampler, self.fps)
            rows.append(frames_TD[torch.from_numpy(chosen)].mean(dim=0))
            behind.append(1 - (chosen.max() + 1) / len(frames_TD))
        return F.normalize(torch.stack(rows), dim=-1), np.array(behind)

    def ranks(self, videos_GD: Tensor) -> np.ndarray:
        """Return (Q,), where the best of the right videos stands; ties count against it."""
        scores_QG = self.texts_QD @ videos_GD.T
        best_Q1 = scores_QG.masked_fill(~self.relevant_QG, -torch.inf).amax(dim=1, keepdim=True)
        return (1 + ((scores_QG >= best_Q1) & ~self.relevant_QG).sum(dim=1)).numpy()

    def clusters(self) -> Clusters:
        """Queries that ask for the same videos are no independent readings."""
        targets = [[str(number) for number in row.nonzero().flatten().tolist()] for row in self.relevant_QG]
        return Clusters.of(targets, [None] * len(targets))


def gallery_of(store: FeatureStore, captions: Sequence[Sequence[str]], frames: list[Tensor], fps: float) -> Gallery:
    """Return videos with the captions that are asked for."""
    texts = sorted({caption for each in captions for caption in each})
    places = {text: row for row, text in enumerate(texts)}
    relevant_QG = torch.zeros(len(texts), len(frames), dtype=torch.bool)
    for column, each in enumerate(captions):
        relevant_QG[[places[caption] for caption in each], column] = True
    return Gallery(frames, store.texts(texts).pooled_BD, relevant_QG, fps)


def print_moves(title: str, gallery: Gallery, counts: Sequence[int], rates: Sequence[str]) -> None:
    """Print what each sampler scores, and how far the stride is from the even ones."""
    print(f"{title}: {len(gallery.texts_QD)} texts, {len(gallery.frames)} videos, {frame_range(gallery)} frames each")
    settings = [(count, ("uniform", "mteb", "mteb-stride")) for count in counts]
    settings += [(CAP, (f"mteb@{rate}", f"mteb-stride@{rate}")) for rate in rates]
    clusters = gallery.clusters()
    for count, samplers in settings:
        base: np.ndarray | None = None
        for sampler in samplers:
            videos_GD, behind_G = gallery.pooled(sampler, count)
            ranks_Q = gallery.ranks(videos_GD)
            hits_KQ = np.array([ranks_Q <= k for k in (1, 5, 10)]) * 100.0
            base = hits_KQ if base is None else base
            moved = (recall_difference_interval(hits, even, clusters) for hits, even in zip(hits_KQ, base, strict=True))
            words = ["" if hits_KQ is base else f" ({move.text('+.2f')})" for move in moved]
            unseen = f"behind {100 * behind_G.mean():4.1f} %, much of {100 * (behind_G > MUCH).mean():3.0f} %"
            figures = "  ".join(f"{hits.mean():5.2f}{move}" for hits, move in zip(hits_KQ, words, strict=True))
            print(f"  {count:>3} {sampler:<14} {unseen}  R@1, 5, 10: {figures}", flush=True)


def frame_range(gallery: Gallery) -> str:
    """Return fewest to most frames of a video."""
    counts = [len(frames_TD) for frames_TD in gallery.frames]
    return f"{min(counts)} to {max(counts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path, help="with every frame of the videos, and fitted heads")
    parser.add_argument("videos", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--frames", type=int, nargs="+", default=[8], help="most frames of a video")
    parser.add_argument("--joined", type=int, nargs="+", default=[16], help="most frames of a film of two clips")
    parser.add_argument(
        "--fps", type=float, default=0.0, help="of all videos; then MTEB's two a second are tried as well"
    )
    given = parser.parse_args()
    store = FeatureStore.open(given.embeddings)
    table = open_artifact(given.videos).read(["video_id", "captions", "split"])
    rows = [row for row in table.to_pylist() if row["split"] == given.split]
    known = store.has_videos([row["video_id"] for row in rows])
    rows = [row for row, is_known in zip(rows, known, strict=True) if is_known]
    padded = store.frames([row["video_id"] for row in rows])
    frames = [each_TD[mask_T] for each_TD, mask_T in zip(padded.frames_BTD, padded.mask_BT, strict=True)]
    captions = [row["captions"] for row in rows]
    rates = ("2",) if given.fps else ()
    print_moves("clips", gallery_of(store, captions, frames, given.fps), given.frames, rates)
    order = np.random.default_rng(0).permutation(len(rows))
    pairs = list(zip(order[: len(rows) // 2], order[len(rows) // 2 :], strict=False))
    films = [torch.cat([frames[first], frames[second]]) for first, second in pairs]
    for place, words in enumerate(("the first", "the second")):
        told = [captions[pair[place]] for pair in pairs]
        print_moves(f"two clips, asked for {words}", gallery_of(store, told, films, given.fps), given.joined, rates)


if __name__ == "__main__":
    main()
