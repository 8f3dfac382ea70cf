"""CoVR's augmentation: repeatable, one for all frames of a clip, and never mirrored unless asked."""

import numpy as np
import pytest
from PIL import Image

from cvr_bench.models.parts.augmentation import CHANGES, Augmentation


def halves(side=32):
    """Dark on the left and bright on the right, with noise."""
    frame = np.zeros((side, side, 3), np.uint8)
    frame[:, side // 2 :] = 220
    return frame + np.random.default_rng(0).integers(0, 20, frame.shape, dtype=np.uint8)


def test_a_seed_says_what_is_done():
    frames = np.stack([halves(), halves()])
    first, again, other = (Augmentation().apply(frames, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == frames.shape
    assert first.dtype == np.uint8


def test_equal_frames_of_a_clip_stay_equal():
    for seed in range(20):
        first, second = Augmentation(mirror=True).apply(np.stack([halves(), halves()]), [seed])
        assert np.array_equal(first, second)


def test_left_stays_left_unless_mirroring_is_asked_for():
    def brighter_right(augmentation, seed):
        frame = augmentation.apply(halves()[None], [seed])[0].astype(float)
        return frame[:, 24:].mean() > frame[:, :8].mean()

    assert all(brighter_right(Augmentation(), seed) for seed in range(60))
    mirrored = [not brighter_right(Augmentation(mirror=True), seed) for seed in range(60)]
    assert 15 < sum(mirrored) < 45


def test_without_changes_and_with_all_of_the_frame_only_the_crop_of_the_shape_is_left():
    frames = halves()[None]
    assert np.array_equal(Augmentation(smallest=1.0, changes=0).apply(frames, [0]), frames)


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_every_change_keeps_the_size_and_most_change_the_frame(number):
    image = Image.fromarray(halves())
    changed = CHANGES[number](image, 1.0, -1)
    assert changed.size == image.size
    assert changed.mode == "RGB"
    assert not np.array_equal(np.asarray(changed), np.asarray(image))
