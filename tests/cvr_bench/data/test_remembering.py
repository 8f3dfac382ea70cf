"""remembering: the same features as the encoder's own, asked for once, within a budget."""

import pytest
import torch
from torch.testing import assert_close

from cvr_bench.data.remembering import RememberingEncoder
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import VideoFeatures, video_token_features
from cvr_data.media.video import Video

VIDEOS = [Video(f"v{number}") for number in range(7)]
TEXTS = ["make it red", "a dog instead of a cat", "x", "no longer spinning in the snow"]


class Counting:
    """The hash encoder, with a count of what it was asked for."""

    name, runs_on, dim, text_dim = "counting", "cpu float32", 8, 8

    def __init__(self):
        module = ENCODERS.get("hash")
        self.inner = module.load(module.Config(dim=8, frames=4))
        self.asked = []

    def encode_videos(self, videos):
        self.asked += [video.video_id for video in videos]
        return self.inner.encode_videos(videos)

    def encode_video_tokens(self, videos, folder):
        self.asked += [f"{video.video_id} of {folder}" for video in videos]
        frames = self.inner.encode_videos(videos)
        return VideoFeatures(torch.stack([frames.frames_BTD, -frames.frames_BTD], dim=2), frames.mask_BT)

    def encode_texts(self, texts):
        self.asked += texts
        return self.inner.encode_texts(texts)


@pytest.mark.parametrize("budget_bytes", [1 << 20, 200, 0])
def test_features_are_those_of_the_encoder_in_any_order_and_budget(budget_bytes):
    encoder = Counting()
    remembering = RememberingEncoder(encoder, budget_bytes)
    for rows in ([1, 0], [3, 3, 1], [2], [0, 1, 2, 3, 0], [6, 5, 4, 0]):
        videos = [VIDEOS[row] for row in rows]
        expected, found = encoder.inner.encode_videos(videos), remembering.encode_videos(videos)
        assert_close((found.frames_BTD, found.mask_BT), (expected.frames_BTD, expected.mask_BT))
    for rows in ([1, 1, 2], [2], [0, 3, 1, 2]):
        texts = [TEXTS[row] for row in rows]
        expected, found = encoder.inner.encode_texts(texts), remembering.encode_texts(texts)
        assert_close((found.tokens_BLD, found.mask_BL), (expected.tokens_BLD, expected.mask_BL))
        assert_close(found.pooled_BD, expected.pooled_BD)


def test_nothing_is_asked_for_twice():
    encoder = Counting()
    remembering = RememberingEncoder(encoder)
    for videos in (VIDEOS[:3] * 2, VIDEOS, VIDEOS[::-1]):
        remembering.encode_videos(videos)
        remembering.encode_texts(TEXTS)
    assert sorted(encoder.asked) == sorted([*(video.video_id for video in VIDEOS), *TEXTS])


def test_a_caller_that_changes_features_does_not_change_what_is_remembered():
    remembering = RememberingEncoder(Counting())
    expected = remembering.encode_videos(VIDEOS).frames_BTD.clone()
    remembering.encode_videos(VIDEOS).frames_BTD.zero_()
    assert_close(remembering.encode_videos(VIDEOS).frames_BTD, expected)


def test_tokens_are_asked_for_once_and_those_of_another_folder_each_time(tmp_path):
    encoder = Counting()
    remembering = RememberingEncoder(encoder)
    for videos in (VIDEOS[:3] * 2, VIDEOS[::-1]):
        found, expected = video_token_features(remembering, videos), encoder.inner.encode_videos(videos)
        assert_close(found.frames_BTD, torch.stack([expected.frames_BTD, -expected.frames_BTD], dim=2))
        assert_close(found.mask_BT, expected.mask_BT)
    assert sorted(encoder.asked) == [f"{video.video_id} of None" for video in VIDEOS]
    for _ in range(2):
        video_token_features(remembering, VIDEOS[:1], tmp_path)
    assert encoder.asked[len(VIDEOS) :] == [f"v0 of {tmp_path}"] * 2
