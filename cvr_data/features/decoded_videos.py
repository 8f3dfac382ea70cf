"""The frames of videos for an encoder, decoded and hashed by threads while the network is busy with earlier ones."""

import logging
import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from cvr_data.features.protocol import ClipEncoder, FrameEncoder
from cvr_data.media.perceptual_hash import perceptual_hash
from cvr_data.media.verdict import media_check_verdict
from cvr_data.media.video import UnreadableVideo, Video, noting_media

logger = logging.getLogger(__name__)
VIDEOS_PER_CALL = 32
"""Videos whose frames go to the network at once: a few dozen megabytes of pixels."""
DECODERS = 2
"""Decoding threads: enough to keep up with the network on a CPU."""


@dataclass(frozen=True)
class Decoded:
    """A video with its frames and their hash, or with the reason why it has none."""

    video: Video
    frames: Any
    """uint8 frames (T, H, W, 3), or what a `ClipEncoder` takes; None where there are none."""
    perceptual_hash: str = ""
    error: str = ""
    verdict: str = ""
    note: str | None = None
    """What is to be said of its file."""

    @property
    def said(self) -> str:
        """Return the verdict of its file."""
        return media_check_verdict(self.note) if self.frames is not None else self.verdict


def decode_videos_to_encode(
    encoder: FrameEncoder | ClipEncoder, videos: Iterable[Video]
) -> Generator[Decoded, None, None]:
    """Yield each video with its frames, in order, decoding and hashing the next ones meanwhile."""

    def read(video: Video) -> Decoded:
        with noting_media() as notes:
            try:
                frames: Any
                if isinstance(encoder, ClipEncoder):
                    frames = encoder.read_clip(video)
                    pixels = frames.pixels
                else:
                    frames = pixels = encoder.read_video(video)
            except UnreadableVideo as error:
                return Decoded(video, None, error=str(error), verdict=error.verdict)
        return Decoded(video, frames, perceptual_hash(pixels), note=notes[0] if notes else None)

    waited_s, count, ahead = 0.0, 0, 2 * videos_per_call(encoder)
    with ThreadPoolExecutor(DECODERS) as pool:
        futures: deque[Future[Decoded]] = deque()
        try:
            for video in chain(videos, repeat(None, ahead)):
                if video is not None:
                    futures.append(pool.submit(read, video))
                if futures and (video is None or len(futures) > ahead):
                    started = time.perf_counter()
                    decoded = futures.popleft().result()
                    waited_s, count = waited_s + time.perf_counter() - started, count + 1
                    yield decoded
        finally:
            pool.shutdown(cancel_futures=True)
            # Here, because whoever has the last video does not come back for more.
            logger.info("waited %.3f s for the frames of %d videos", waited_s, count)


def videos_per_call(encoder: FrameEncoder | ClipEncoder) -> int:
    """Return how many videos go to the network at once."""
    return encoder.clips_per_call if isinstance(encoder, ClipEncoder) else VIDEOS_PER_CALL
