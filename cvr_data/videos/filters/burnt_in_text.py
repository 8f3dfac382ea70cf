"""Drop clips with much text on the picture: subtitles, titles, captions burnt in. Needs `pip install 'cvr[ocr]'`.

RapidOCR (PP-OCR, https://github.com/RapidAI/RapidOCR), whose models come with its package, finds and reads the text;
what counts is the share of the picture that it covers, as in the filters of Stable Video Diffusion
(https://arxiv.org/abs/2311.15127). Boxes in which nothing can be read are none, and signs in a street count like
subtitles, by their size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import SHARE, Ranged, option_range
from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen, seen_video_percentile

COLUMN = "text_share"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
SIDE = 480
READ = 0.8
"""How sure the reader is of a text, at least: of round shapes it is at 0.5 to 0.65."""
_BAND = Band(COLUMN, above="burnt_in_text", unit=" of the picture")


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    high: float = field(default=0.02, metadata=option_range(SHARE))
    """Share of the picture that text may cover: a line of subtitles of a sixteenth of the height covers 6 to 9 %."""


EXAMPLE = video_filter_example_rows(COLUMN, [(0.05, "burnt_in_text"), (0.02, None), (0.0, None), (None, None)])


def require() -> None:
    """Raise CvrError where RapidOCR is not installed."""
    try:
        _detector()
    except ModuleNotFoundError as error:
        raise CvrError(f"burnt-in-text looks for text with RapidOCR: pip install 'cvr[ocr]' ({error}).") from None


def measure(seen: Seen) -> Mapping[str, Any]:
    return {COLUMN: seen_video_percentile([_text_share(picture) for picture in _upright(seen)], 50)}


def _upright(seen: Seen) -> list[np.ndarray]:
    """The middle frames, as wide and high as they are shown."""
    from PIL import Image

    side = seen.frames.shape[1]
    scale = side / max(seen.info.width, seen.info.height)
    shape = [max(32, round(length * scale)) for length in (seen.info.width, seen.info.height)]
    return [np.asarray(Image.fromarray(frame).resize(shape)) for frame in seen.frames[seen.middles]]


def _text_share(picture_HWC: np.ndarray) -> float:
    found = _detector()(np.ascontiguousarray(picture_HWC[..., ::-1]), use_det=True, use_cls=False, use_rec=True)
    if found.boxes is None or found.scores is None:
        return 0.0
    corners = np.asarray(found.boxes, np.float64)[np.asarray(found.scores) >= READ]
    x, y = corners[..., 0], corners[..., 1]
    areas = np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2
    return min(1.0, float(areas.sum()) / (picture_HWC.shape[0] * picture_HWC.shape[1]))


@cache
def _detector() -> Any:
    """RapidOCR with its models, on one thread: clips are looked at beside each other."""
    import onnxruntime  # noqa: F401  (RapidOCR itself does without, and says so late)
    from rapidocr import RapidOCR

    one = {f"EngineConfig.onnxruntime.{name}_op_num_threads": 1 for name in ("intra", "inter")}
    return RapidOCR(params={"Global.log_level": "error", **one})


run, bounds, explain = video_band_filter(_BAND)
