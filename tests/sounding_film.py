"""A film with sound: two seconds of grey, silent at first, then a tone."""

from pathlib import Path

import av
import numpy as np

TONE, SECONDS = 1000, 2


def write_sounding_film(path: Path) -> Path:
    """Write it at 10 frames a second, with stereo sound whose second second has a tone of half the full strength."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="stereo")
        for _ in range(10 * SECONDS):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8))))
        container.mux(video.encode(None))
        times_s = np.arange(48_000 * SECONDS) / 48_000
        wave = np.where(times_s < 1, 0.0, 0.5 * np.sin(2 * np.pi * TONE * times_s)).astype(np.float32)
        for start in range(0, len(wave), 1024):
            part = np.stack([wave[start : start + 1024]] * 2)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path
