"""sound: the samples of a file, of a clip of it, and none where there are none."""

import numpy as np
import pytest

from cvr_data.media.clip import Clip
from cvr_data.media.video import UnreadableVideo, read_frames_and_note, read_sound, write_mp4
from tests.sounding_film import SECONDS, TONE, write_sounding_film

HZ = 16_000


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two seconds of grey; the first is silent, the second has a tone."""
    return write_sounding_film(tmp_path_factory.mktemp("sound") / "tone.mp4")


def strength(samples, hz=HZ, tone=TONE):
    """How much of a tone there is: its amplitude."""
    times_s = np.arange(len(samples)) / hz
    return 2 * abs(np.mean(samples * np.exp(-2j * np.pi * tone * times_s)))


def test_sound_is_one_channel_at_the_rate_that_is_asked_for(film):
    samples = read_sound(film, HZ)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(SECONDS * HZ, abs=0.1 * HZ)
    assert strength(samples[: int(0.9 * HZ)]) < 0.01
    assert strength(samples[int(1.1 * HZ) : int(1.9 * HZ)]) == pytest.approx(0.5, abs=0.03)
    assert strength(read_sound(film, 8000)[8800:15_200], 8000) == pytest.approx(0.5, abs=0.03)


def test_a_clip_has_the_sound_between_its_times(film):
    first, second = read_sound(Clip(film, 0.0, 0.9), HZ), read_sound(Clip(film, 1.1, 1.9), HZ)
    assert len(first) == pytest.approx(0.9 * HZ, abs=1) and strength(first) < 0.01
    assert len(second) == pytest.approx(0.8 * HZ, abs=1) and strength(second) == pytest.approx(0.5, abs=0.03)


def test_a_film_without_sound_and_a_picture_have_none(tmp_path):
    from PIL import Image

    write_mp4(tmp_path / "mute.mp4", np.zeros((5, 16, 16, 3), np.uint8))
    Image.new("RGB", (8, 8)).save(tmp_path / "still.png")
    assert len(read_sound(tmp_path / "mute.mp4", HZ)) == len(read_sound(tmp_path / "still.png", HZ)) == 0
    with pytest.raises(UnreadableVideo, match="no such file"):
        read_sound(tmp_path / "gone.mp4", HZ)


def test_frames_say_which_they_are(film):
    frames = read_frames_and_note(film, 64, "fps@2", 16)
    assert (frames.places, frames.total, frames.fps) == ((0, 6, 13, 19), 20, 10.0)
    assert read_frames_and_note(Clip(film, 1.0, 2.0), 2, "mteb").places == (0, 9)
    named = read_frames_and_note(film, 1, "at@19,3")
    assert named.places == (19, 3) and len(named.pixels) == 2
    with pytest.raises(UnreadableVideo, match="frames 3 to 20 are wanted, and there are 20"):
        read_frames_and_note(film, 1, "at@3,20")
