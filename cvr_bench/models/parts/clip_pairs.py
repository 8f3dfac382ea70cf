"""Models that look at a query and one candidate at a time: slow and exact, for the second stage of `rerank`."""

# Shapes: Q queries, G gallery items.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cvr_bench.models.parts.retriever import retriever_videos_and_texts
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError
from cvr_data.media.places import read_files
from cvr_data.media.video import Frames, Video, read_frames_and_note
from cvr_data.tables import content_id


@dataclass(frozen=True)
class ClipPair:
    """A query and what may answer it."""

    reference: Frames | None
    text: str | None
    candidate: Frames


Score = Callable[[Sequence[ClipPair]], Sequence[float]]
"""One score per pair, higher is better."""


class PairScorer:
    """Scores single pairs of a query and a video, whose frames it reads.

    Args:
        name: of the model, for errors.
        videos: the videos table that tells where the files are.
        frames: per video, at most.
        sampler: which frames.
        score: of pairs.
    """

    def __init__(self, name: str, videos: Path, *, frames: int, sampler: str, score: Score):
        self.name, self.videos, self.frames, self.sampler, self.score_pairs = name, videos, frames, sampler, score
        self.files = read_files(videos)
        self.gallery: Sequence[Item] = ()

    def index(self, gallery: Sequence[Item]) -> None:
        """Remember the gallery, which is one of videos. Raises CvrError: an item is a text."""
        retriever_videos_and_texts(gallery, ranks_texts=False)
        self.gallery = gallery

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG."""
        item_ids = [item.item_id for item in self.gallery]
        return torch.stack([self.rescore(query, item_ids) for query in queries])

    def rescore(self, query: Query, item_ids: Sequence[str]) -> Tensor:
        """Return a score per item.

        Raises:
            CvrError: a video has no file, or cannot be read.
        """
        video = None if query.reference is None else query.reference.video
        reference = None if video is None else self._read(video.video_id)
        pairs = [ClipPair(reference, query.modification, self._read(item_id)) for item_id in item_ids]
        return torch.tensor([float(score) for score in self.score_pairs(pairs)])

    def _read(self, video_id: str) -> Frames:
        found: Video | None = self.files.get(video_id)
        if found is None or found.path is None:
            raise CvrError(f"{self.name}: {self.videos} has no file of {video_id}.")
        return read_frames_and_note(found.clip, self.frames, self.sampler)


class DrawnScorer:
    """Scores drawn from ids, in the place of a model: for tests."""

    def index(self, gallery: Sequence[Item]) -> None:
        """Remember the gallery, which is one of videos. Raises CvrError: an item is a text."""
        retriever_videos_and_texts(gallery, ranks_texts=False)
        self.gallery = gallery

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG."""
        item_ids = [item.item_id for item in self.gallery]
        return torch.stack([self.rescore(query, item_ids) for query in queries])

    def rescore(self, query: Query, item_ids: Sequence[str]) -> Tensor:
        """Return a score per item, uniform between 0 and 1."""
        return torch.tensor([int(content_id(query.query_id, item_id)[:6], 16) / 16**6 for item_id in item_ids])
