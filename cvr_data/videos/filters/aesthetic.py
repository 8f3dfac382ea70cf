"""Drop clips that look bad to a stored image-text encoder: nearer to "Ugly photo." than to "Beautiful photo.".

Source: CLIP-IQA, Wang, Chan and Loy, "Exploring CLIP for assessing the look and feel of images", 2023
(https://arxiv.org/abs/2207.12396): the softmax of the cosines with two opposite texts. Needs --embeddings of an encoder
whose texts and frames share a space, such as clip, siglip or blip, or the packaged ones with heads (`cvr fit-heads`)
that saw captions with these two texts; what a value means depends on it, so look at the histogram before you set the
bound.
"""

# Shapes: B videos, T frames, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cvr_data.core.ranges import POSITIVE, SHARE, Ranged, option_range
from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows

if TYPE_CHECKING:
    from cvr_data.features.protocol import Encoder

COLUMN = "aesthetic"
_BAND = Band(COLUMN, below="ugly")


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    low: float = field(default=0.3, metadata=option_range(SHARE))
    """Probability of the good text, at least; 0.5 is neither."""
    good: str = "Beautiful photo."
    """A text of what is to stay, as in CLIP-IQA; "Good photo." asks for quality."""
    bad: str = "Ugly photo."
    """Its opposite; "Bad photo." of quality."""
    scale: float = field(default=100.0, metadata=option_range(POSITIVE))
    """What cosines are multiplied by before the softmax: CLIP's logit scale."""


EXAMPLE = video_filter_example_rows(COLUMN, [(0.1, "ugly"), (0.3, None), (0.9, None), (None, None)])


def judge(config: Config, video_ids: Sequence[str], encoder: "Encoder") -> np.ndarray:
    """Return the probability of the good text for each video, the mean over its frames."""
    import torch
    import torch.nn.functional as F

    from cvr_data.media.video import Video

    with torch.inference_mode():
        videos = encoder.encode_videos([Video(video_id) for video_id in video_ids])
        texts_ZD = F.normalize(encoder.encode_texts([config.good, config.bad]).pooled_BD, dim=-1)
        cosines_BTZ = F.normalize(videos.frames_BTD, dim=-1) @ texts_ZD.T
        good_BT = (config.scale * cosines_BTZ).softmax(dim=-1)[..., 0]
        good_B = (good_BT * videos.mask_BT).sum(1) / videos.mask_BT.sum(1)
    return good_B.numpy().astype(np.float64).round(4)


run, bounds, explain = video_band_filter(_BAND)
