"""video: the sampler against the published golden indices, and files that cannot be read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cvr_data.core.errors import CvrError
from cvr_data.media.video import UnreadableVideo, probe_medium, read_frames, sample_indices, write_mp4


@pytest.fixture
def clip(tmp_path):
    """24 grey frames, frame k of brightness 10 k."""
    frames = np.stack([np.full((64, 64, 3), 10 * k, np.uint8) for k in range(24)])
    write_mp4(tmp_path / "clip.mp4", frames, fps=12)
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (3, [0, 1, 2]),
        (31, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 29]),
        (100, [2, 9, 16, 22, 29, 36, 42, 49, 56, 62, 69, 76, 82, 89, 96]),
    ],
)
def test_the_uniform_sampler_is_the_one_of_covr(total, expected):
    assert sample_indices(total, 15).tolist() == expected


@given(st.integers(1, 5000), st.integers(1, 64))
def test_sampled_indices_rise_and_lie_inside(total, count):
    indices = sample_indices(total, count)
    assert len(indices) == min(total, count)
    assert indices[0] >= 0
    assert indices[-1] < total
    assert (np.diff(indices) > 0).all()


def test_an_unknown_sampler_is_one_line():
    with pytest.raises(CvrError, match=r"Unknown sampler 'unifrom'\. Did you mean: uniform\?"):
        sample_indices(10, 2, "unifrom")


def test_the_frames_read_are_the_frames_asked_for(clip):
    frames = read_frames(clip, count=4)
    assert frames.shape == (4, 64, 64, 3)
    expected = 10 * sample_indices(24, 4)
    assert np.abs(frames.mean(axis=(1, 2, 3)) - expected).max() < 4


def test_frames_can_be_resized_while_decoding(clip):
    assert read_frames(clip, count=2, size=32).shape == (2, 32, 32, 3)


def test_probe_tells_what_the_container_says(clip):
    info = probe_medium(clip)
    assert (info.frames, info.fps, info.width, info.height) == (24, 12.0, 64, 64)
    assert info.duration_s == pytest.approx(2.0)


def test_equal_frames_are_equal_bytes(clip, tmp_path):
    frames = np.stack([np.full((64, 64, 3), 10 * k, np.uint8) for k in range(24)])
    write_mp4(tmp_path / "again.mp4", frames, fps=12)
    assert (tmp_path / "again.mp4").read_bytes() == clip.read_bytes()


def test_an_image_is_a_video_of_one_frame(tmp_path):
    Image.new("RGB", (20, 10), (255, 0, 0)).save(tmp_path / "red.png")
    frames = read_frames(tmp_path / "red.png", count=8)
    assert frames.shape == (1, 10, 20, 3)
    assert frames[0, 0, 0].tolist() == [255, 0, 0]


def test_a_missing_broken_or_empty_file_says_so(clip, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(clip.read_bytes()[:300])
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "bad.png").write_text("hello")
    for name, message in [("none.mp4", "no such file"), ("broken.mp4", ""), ("text.mp4", ""), ("bad.png", "")]:
        with pytest.raises(UnreadableVideo, match=rf"{name}: .*{message}"):
            read_frames(tmp_path / name)


@pytest.mark.parametrize(
    ("total", "fps", "count", "expected"),
    [
        (100, 25.0, 12, [0, 25, 50, 75]),
        (50, 3.0, 12, [0, 3, 6, 12, 15, 21, 24, 30, 33, 39, 42, 48]),
        (3, 0.2, 12, [0, 1, 2]),
        (70, 29.97, 12, [0, 30, 60]),
    ],
)
def test_one_frame_per_second_is_taken_as_drl_does(total, fps, count, expected):
    assert sample_indices(total, count, "per-second", fps).tolist() == expected


def test_fifteen_uniform_frames_are_covrs():
    assert sample_indices(31, 15).tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 29]
    assert sample_indices(100, 15).tolist() == [2, 9, 16, 22, 29, 36, 42, 49, 56, 62, 69, 76, 82, 89, 96]
