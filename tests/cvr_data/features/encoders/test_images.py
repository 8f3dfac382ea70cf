"""Frames that become squares with black bars, as the published transforms of ReTrack and CLIP4Cir make them."""

import numpy as np
import pytest
from PIL import Image

from cvr_data.features.encoders.networks.images import Preprocessing


@pytest.mark.parametrize(
    ("size", "bars", "target", "corner"),
    [
        ((596, 336), (0, 70), (455, 364), (46, 0)),  # (455 - 364) / 2 = 45.5, which rounds to 46
        ((100, 200), (30, 0), (364, 455), (0, 46)),
        ((120, 100), (0, 0), (436, 364), (36, 0)),  # a ratio of 1.2 gets no bars
        ((125, 100), (0, 0), (455, 364), (46, 0)),  # 125 / 1.25 - 100 leaves nothing to add
    ],
)
def test_bars_bring_the_sides_to_a_ratio_of_one_and_a_quarter(size, bars, target, corner):
    frame = np.random.default_rng(0).integers(1, 256, (size[1], size[0], 3), dtype=np.uint8)
    padded = np.pad(frame, ((bars[1], bars[1]), (bars[0], bars[0]), (0, 0)))
    resized = np.asarray(Image.fromarray(padded).resize(target, Image.Resampling.BICUBIC))
    left, top = corner
    expected = resized[top : top + 364, left : left + 364]
    fitted = Preprocessing(size=364, fit="padded", crop_rounds=True).fit_frames(frame[None])[0]
    assert np.array_equal(fitted, expected)
