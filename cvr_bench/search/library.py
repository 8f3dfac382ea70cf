"""A videos table whose features are stored: what is searched."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.stored import StoredEncoder
from cvr_data.features.protocol import FrameTokenEncoder, TextFeatures, VideoFeatures
from cvr_data.features.store import FeatureStore, two_spaces
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS

KEPT_FILES = 32
"""Files that were looked at, whose features are kept."""
KEPT_TEXTS = 1000
"""Texts that were asked for, likewise: a long one takes a megabyte."""


class SeesFiles:
    """An encoder of stored features that also looks at a video which is a file and not stored."""

    def __init__(self, store: FeatureStore):
        self.store = store if store.has_two_spaces else store.shared()
        self.stored = StoredEncoder(self.store, remembered=KEPT_TEXTS)
        self._is_apart = self.stored.dim != self.stored.text_dim
        self.text_dim = self.stored.dim
        """As of one space: where texts have another, what is like a clip is found, and only a text is refused."""
        self.on_videos: Callable[[int], None] = lambda count: None
        """Told how many stored videos were read."""
        self._seen: OrderedDict[Video, VideoFeatures] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stored, name)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return texts in the space of the videos.

        Raises:
            CvrError: they have another, or what made the features encodes no texts.
        """
        if self._is_apart:
            raise CvrError(two_spaces(self.store.artifact.path))
        return self.stored.encode_texts(texts)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return stored features, or those of the one file that is asked for.

        Raises:
            CvrError: the file cannot be read, or what made the features encodes no files.
        """
        if len(videos) != 1 or self.store.has_videos([videos[0].video_id])[0]:
            features = self.stored.encode_videos(videos)
            self.on_videos(len(videos))
            return features
        if videos[0] not in self._seen:
            raw = self.stored.source_encoder.encode_videos(videos)
            self._seen[videos[0]] = self.store.heads.videos(raw) if self.store.heads else raw
            if len(self._seen) > KEPT_FILES:
                self._seen.popitem(last=False)
        return self._seen[videos[0]]

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return stored tokens of frames, or those of the one file that is asked for.

        Raises:
            CvrError: tokens are not stored, the file cannot be read, or what made the features encodes no files.
        """
        is_stored = folder is not None or len(videos) != 1 or self.store.has_videos([videos[0].video_id])[0]
        source = self.stored if is_stored else self.stored.source_encoder
        if not isinstance(source, FrameTokenEncoder):
            return self.stored.encode_video_tokens(videos, folder)
        tokens_TPD = source.encode_frame_tokens(source.read_video(videos[0]))
        mask_BT = torch.ones(1, len(tokens_TPD), dtype=torch.bool)
        return VideoFeatures(self.store.project_frame_tokens(tokens_TPD[None]), mask_BT)


@dataclass(frozen=True)
class Library:
    """Videos, where they lie, and their features."""

    videos: pa.Table
    folder: Path
    store: FeatureStore
    encoder: SeesFiles

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the videos that can be found, in the order of the table."""
        return self.videos.column("video_id").to_pylist()

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each video."""
        return {video_id: row for row, video_id in enumerate(self.ids)}


def open_search_library(videos: Path, embeddings: Path) -> Library:
    """Return the videos of a folder that have features.

    Raises:
        CvrError: a folder is no such artifact, or no video of it has features.
    """
    store = FeatureStore.open(embeddings, "raw")
    table = check_columns(open_artifact(videos).read(), VIDEOS, str(videos))
    table = table.filter(pa.array(store.has_videos(table.column("video_id").to_pylist()), pa.bool_()))
    if not table.num_rows:
        raise CvrError(f"{embeddings} has features of no video of {videos}; run: cvr embed {videos}")
    return Library(table, videos, store, SeesFiles(store))
