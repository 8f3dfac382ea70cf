"""The sound of a file, or of a clip of it: one channel of samples, as models of sound take it.

The first stream of sound is taken, mixed down and resampled by FFmpeg. What lies before a clip's start is decoded too,
as sound has no keyframes that a seek could rely on in every container.
"""

# Shapes: N samples.

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.limits import Work
from cvr_data.media.opening import media_file_head, open_container
from cvr_data.media.verdict import UnreadableVideo

if TYPE_CHECKING:
    from av import AudioFrame
    from av.container import InputContainer

SAMPLE_BYTES = 2


def read_sound_samples(clip: Clip, hz: int, work: Work) -> np.ndarray:
    """Return the sound of a clip, int16 (N,), `hz` samples a second; none where the file has none.

    Raises:
        UnreadableVideo: there is no such file, or more would come than the limits allow.
        av.FFmpegError: it cannot be opened.
    """
    media_file_head(clip.path)
    with open_container(clip.path, work.limits) as container:
        if not container.streams.audio:
            return np.empty(0, np.int16)
        samples = np.concatenate([np.empty(0, np.int16), *_samples(container, clip, hz, work)])
    start, end = (None if time is None else max(0, round(time * hz)) for time in (clip.start_s, clip.end_s))
    return samples[start:end]


def _samples(container: "InputContainer", clip: Clip, hz: int, work: Work) -> Iterator[np.ndarray]:
    """The samples from the start of the film up to the end of a clip; silence where sound begins later."""
    import av

    stream = container.streams.audio[0]
    resampler = av.AudioResampler(format="s16", layout="mono", rate=hz)
    origin_s = float((container.start_time or 0) / av.time_base)
    most = work.limits.returned_bytes // SAMPLE_BYTES
    end = most if clip.end_s is None else min(most, round(clip.end_s * hz))
    count = 0
    for frame in _decoded(container, stream):
        work.tick()
        if frame is not None and not count and frame.time is not None:
            late = min(end, max(0, round((frame.time - origin_s) * hz)))
            yield np.zeros(late, np.int16)
            count += late
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()[0]
            count += len(samples)
            yield samples
        if count >= end:
            break
    if count > most:
        raise UnreadableVideo(f"too_large: more than {most // hz} s of sound", "too_large")


def _decoded(container: "InputContainer", stream: Any) -> "Iterator[AudioFrame | None]":
    """The frames of sound that can be decoded, then None, which asks a resampler for what it has left."""
    import av

    for packet in container.demux(stream):
        try:
            frames: list[Any] = packet.decode()
            yield from frames
        except av.EOFError:
            break
        except av.FFmpegError:
            continue
    yield None
