"""hash: the small real encoder that the tests of everything else stand on."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS, hash
from cvr_data.media.video import Video, write_mp4


@pytest.fixture
def encoder():
    return hash.load(hash.Config(dim=16))


def test_a_video_without_a_file_is_the_same_each_time_and_unlike_others(encoder):
    first = encoder.encode_videos([Video("a"), Video("b")])
    again = hash.load(hash.Config(dim=16)).encode_videos([Video("a")])
    length = int(again.mask_BT.sum())
    assert_close(first.frames_BTD[0, :length], again.frames_BTD[0])
    assert not torch.allclose(first.pooled_BD()[0], first.pooled_BD()[1], atol=0.1)


def test_a_video_with_a_file_is_read(encoder, tmp_path):
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    frames[:, :16] = 255
    write_mp4(tmp_path / "a.mp4", frames)
    write_mp4(tmp_path / "b.mp4", frames)
    features = encoder.encode_videos([Video("a", tmp_path / "a.mp4"), Video("b", tmp_path / "b.mp4")])
    assert_close(features.frames_BTD[0], features.frames_BTD[1])


def test_texts_that_share_words_are_near(encoder):
    features = encoder.encode_texts(["a red dog runs", "a red cat runs", "snow falls softly today"])
    cosine = features.pooled_BD @ features.pooled_BD.T
    assert cosine[0, 1] > 0.6 > cosine[0, 2]
    assert_close(features.pooled_BD.norm(dim=1), torch.ones(3))


def test_another_seed_is_another_space(encoder):
    other = hash.load(hash.Config(dim=16, seed=1))
    assert not torch.allclose(other.encode_texts(["dog"]).pooled_BD, encoder.encode_texts(["dog"]).pooled_BD)


def test_a_bad_option_names_component_and_key():
    with pytest.raises(CvrError, match="hash: dim and frames must be at least 1"):
        ENCODERS.config("hash", ["dim=0"])
