"""Worlds small enough to work out by hand: frames of videos and vectors of texts, written down."""

from collections.abc import Mapping, Sequence

import pytest
from torch import Tensor

from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.features.protocol import TextFeatures, VideoFeatures, pad_features
from cvr_data.media.video import Video


class TableEncoder:
    """Looks features up: frames by video id, one token per text."""

    name, runs_on = "table", "cpu float32"

    def __init__(self, frames: Mapping[str, Tensor], texts: Mapping[str, Tensor]):
        self.frames, self.texts = frames, texts
        self.dim = self.text_dim = next(iter(frames.values())).shape[1]

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        return VideoFeatures(*pad_features([self.frames[video.video_id] for video in videos]))

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        tokens_BLD, mask_BL = pad_features([self.texts[text][None] for text in texts])
        return TextFeatures.of(tokens_BLD, mask_BL, tokens_BLD[:, 0])


@pytest.fixture
def make_encoder():
    """`make_encoder(frames, texts)`: an encoder whose features can be altered."""

    def make(frames, texts=None) -> AlteredFeatures:
        return AlteredFeatures(TableEncoder(frames, texts or {}))

    return make


@pytest.fixture
def make_task():
    """`make_task(video_ids, [(reference, text, target), ...])`: a task that ranks all videos."""

    def make(video_ids, rows, ks=(1, 2)) -> Task:
        items = {name: Item(name, Video(name)) for name in video_ids}
        return Task(
            name="small",
            queries=[Query(f"q{row}", items[reference], text) for row, (reference, text, _) in enumerate(rows)],
            gallery=list(items.values()),
            targets={f"q{row}": frozenset({target}) for row, (_, _, target) in enumerate(rows)},
            ks=ks,
        )

    return make
