"""Models that look at a query and one candidate at a time: slow and exact, for the second stage of `rerank`."""

# Shapes: Q queries, G gallery items.

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cvr_bench.models.parts.retriever import retriever_videos_and_texts
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.device import DeviceName, DtypeName
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.media.places import read_media_clips
from cvr_data.media.timeline import frame_sampler_and_rate
from cvr_data.media.video import Frames, Video, read_frames_and_note
from cvr_data.tables import content_id


@dataclass(frozen=True)
class ClipPair:
    """A query and what may answer it."""

    reference: Frames | None
    text: str | None
    candidate: Frames


@dataclass(frozen=True, kw_only=True)
class PairConfig(Ranged):
    """Options of a model that scores pairs of films; the Config of each inherits them."""

    model: str | None = None
    """A folder or hub id; needed."""
    videos: Path | None = None
    """The videos table that tells where the files are; needed."""
    frames: int = field(default=8, metadata=option_range(SIZE))
    """Frames of each video, at most."""
    sampler: str = "uniform"
    """Which frames."""
    dtype: DtypeName = field(default="auto", metadata={"output": False})
    """Type of the products."""
    device: DeviceName = field(default="auto", metadata={"output": False})
    """Where the model runs."""
    tiny: bool = False
    """Scores drawn from ids instead of a model: for tests."""

    def __post_init__(self) -> None:
        super().__post_init__()
        frame_sampler_and_rate(self.sampler)
        if not self.tiny and (self.model is None or self.videos is None):
            raise ValueError("it asks a model about files: -o model=MODEL and -o videos=VIDEOS are needed.")


Score = Callable[[Sequence[ClipPair]], Sequence[float]]
"""One score per pair, higher is better."""


class DrawnScorer:
    """Scores drawn from ids, in the place of a model: for tests."""

    gallery: Sequence[Item] = ()

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


class PairScorer(DrawnScorer):
    """Scores single pairs of a query and a video, whose frames it reads.

    Args:
        name: of the model, for errors.
        config: its options.
        score: of pairs.
    """

    def __init__(self, name: str, config: PairConfig, score: Score):
        assert config.videos is not None
        self.name, self.config, self.score_pairs = name, config, score
        self.files = read_media_clips(config.videos)

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
            raise CvrError(f"{self.name}: {self.config.videos} has no file of {video_id}.")
        return read_frames_and_note(found.clip, self.config.frames, self.config.sampler)
