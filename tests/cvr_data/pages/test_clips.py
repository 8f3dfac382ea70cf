"""clips: what is embedded plays, is small, keeps shape and duration, and is missing only with a reason."""

import base64

import numpy as np
import pytest
from PIL import Image

from cvr_data.media.clip import Clip
from cvr_data.media.video import UnreadableVideo, probe_medium, write_mp4
from cvr_data.pages.clips import LONG_SIDE, MAX_BYTES, ClipShelf, clip_data_uri


@pytest.fixture
def decoded(tmp_path):
    """Write the clip of a data URI to a file."""

    def write(uri):
        kind, _, content = uri.partition(",")
        assert kind == "data:video/mp4;base64"
        path = tmp_path / "decoded.mp4"
        path.write_bytes(base64.b64decode(content))
        return path

    return write


def noise(frames, height, width):
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_a_small_mp4_is_embedded_as_it_is(tmp_path, decoded):
    path = tmp_path / "small.mp4"
    write_mp4(path, np.zeros((6, 32, 48, 3), np.uint8))
    assert decoded(clip_data_uri(path)).read_bytes() == path.read_bytes()


def test_a_large_clip_gets_small_and_keeps_shape_and_duration(tmp_path, decoded):
    path = tmp_path / "large.mp4"
    write_mp4(path, noise(48, 240, 426), fps=12)
    assert path.stat().st_size > MAX_BYTES
    found = probe_medium(decoded(clip_data_uri(path)))
    assert max(found.width, found.height) == LONG_SIDE
    assert found.width / found.height == pytest.approx(426 / 240, rel=0.02)
    assert found.duration_s == pytest.approx(4.0, rel=0.1)


def test_an_image_becomes_a_clip_of_one_frame(tmp_path, decoded):
    path = tmp_path / "still.png"
    Image.fromarray(noise(1, 30, 40)[0]).save(path)
    assert probe_medium(decoded(clip_data_uri(path))).frames == 1


def test_a_broken_file_is_unreadable(tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(UnreadableVideo, match=r"broken\.mp4"):
        clip_data_uri(path)


def test_the_shelf_takes_each_clip_once_and_says_what_is_missing(tmp_path):
    path = tmp_path / "clip.mp4"
    write_mp4(path, np.zeros((4, 32, 64, 3), np.uint8))
    shelf = ClipShelf({"here": Clip(path), "gone": Clip(tmp_path / "gone.mp4")})
    assert [shelf.has(name) for name in ("here", "gone", "unknown", "here")] == [True, False, False, True]
    assert list(shelf.uris) == ["here"]
    assert shelf.ratios == {"here": pytest.approx(16 / 9, abs=0.01)}
    assert set(shelf.unreadable) == {"gone", "unknown"}
    assert "gone.mp4: no such file" in shelf.unreadable["gone"]
