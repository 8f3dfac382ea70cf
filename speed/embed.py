"""`cvr embed` end to end against the bare encoder, and three ways to sample frames of short and of long clips.

    python speed/embed.py --clips 64

Waiting is the share of the end-to-end time in which the thread that runs the encoder is blocked on frames; it does not
count that decoding takes the encoder's cores. So the rate is also compared with the encoder alone on frames in memory,
and with what the cores allow: their number over the CPU seconds of encoding, decoding and hashing a clip. All are of
one process, one after the other, under the load that is printed.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
from measuring import print_machine, seconds_of

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.memory import keep_freed_memory
from cvr_data.features.decoded_videos import VIDEOS_PER_CALL
from cvr_data.features.embed import embed
from cvr_data.features.encoders import efficientnet_lite0
from cvr_data.media.perceptual_hash import perceptual_hash
from cvr_data.media.video import Video, read_frames, sample_indices, write_mp4
from cvr_data.tables import VIDEOS

SIZE = 224


def decode_everything(path: Path, count: int) -> np.ndarray:
    """Decode and convert every frame, then choose, as loaders built on whole-clip readers do."""
    with av.open(str(path)) as container:
        frames = [
            frame.reformat(SIZE, SIZE, "rgb24", interpolation="BICUBIC").to_ndarray()
            for frame in container.decode(container.streams.video[0])
        ]
    return np.stack(frames)[sample_indices(len(frames), count)]


def seek_each_frame(path: Path, count: int) -> np.ndarray:
    """Seek once per wanted frame, as CoVR's OpenCV loader does."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        ticks = 1 / float(stream.average_rate) / float(stream.time_base)
        for index in sample_indices(stream.frames, count).tolist():
            wanted = round(index * ticks)
            container.seek(wanted, stream=stream)
            frame = next(frame for frame in container.decode(stream) if frame.pts >= wanted)
            frames.append(frame.reformat(SIZE, SIZE, "rgb24", interpolation="BICUBIC").to_ndarray())
    return np.stack(frames)


def sampled(path: Path, count: int) -> np.ndarray:
    return read_frames(path, count, size=SIZE)


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


class Waits(logging.Handler):
    """Keeps the seconds that `cvr_data.features.embed` says it waited for frames."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("waited") and isinstance(record.args, tuple):
            self.seconds.append(float(record.args[0]))  # type: ignore[arg-type]


def write_clip(path: Path, frames: int, seed: int) -> Path:
    """A smooth picture that drifts: noise would be no video."""
    draw = np.random.default_rng(seed)
    still = np.kron(draw.integers(0, 256, (16, 22, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))
    write_mp4(path, np.stack([np.roll(still, 2 * step, axis=1) for step in range(frames)]), fps=24)
    return path


def write_videos(folder: Path, clips: int, frames: int) -> Path:
    rows = []
    with ArtifactWriter(folder, stage="import-benchmark") as writer:
        for number in range(clips):
            write_clip(folder / f"{number}.mp4", frames, number)
            rows.append({"video_id": str(number), "captions": ["clip"], "path": f"{number}.mp4", "source": "drawn"})
        writer.write_part(0, pa.Table.from_pylist(rows, schema=VIDEOS))
        writer.finish()
    return folder


def show_rates(videos: Path, clips: int, count: int) -> None:
    config = efficientnet_lite0.Config(frames=count)
    encoder = efficientnet_lite0.load(config)
    paths = [Video(str(number), videos / f"{number}.mp4") for number in range(clips)]
    batches = [
        np.concatenate([encoder.read_video(video) for video in paths[start : start + VIDEOS_PER_CALL]])
        for start in range(0, clips, VIDEOS_PER_CALL)
    ]
    encoder.encode_frames(batches[0][:8])  # reads the weights
    alone_s = seconds_of(lambda: [encoder.encode_frames(batch) for batch in batches], 3)
    encode_cpu_s = cpu_seconds(lambda: [encoder.encode_frames(batch) for batch in batches])
    read_cpu_s = cpu_seconds(lambda: [perceptual_hash(encoder.read_video(video)) for video in paths])
    limit = (os.cpu_count() or 1) / (encode_cpu_s + read_cpu_s)
    log, waits = logging.getLogger("cvr_data.features.embed"), Waits()
    log.setLevel(logging.INFO)
    log.addHandler(waits)
    whole_s = seconds_of(lambda: embed(videos, "efficientnet-lite0", config, videos.parent / "out", overwrite=True), 3)
    load_s = seconds_of(lambda: efficientnet_lite0.load(config).encode_frames(batches[0][:1]), 3)
    steady_s = whole_s - load_s
    waiting = statistics.median(waits.seconds) / whole_s
    print(f"{clips} clips, {count} frames each, efficientnet-lite0 on {encoder.runs_on}")
    print(f"encoder alone    {clips / alone_s:8.1f} clips/s   {encode_cpu_s / clips * 1000:6.1f} CPU ms a clip")
    print(f"reading, hashing                    {read_cpu_s / clips * 1000:6.1f} CPU ms a clip")
    print(f"limit of cores   {clips * limit:8.1f} clips/s   {alone_s * limit:.1%} of the encoder alone")
    print(f"cvr embed        {clips / steady_s:8.1f} clips/s   {alone_s / steady_s:.1%} of the encoder alone")
    print(f"                 waiting for frames {waiting:.1%}; loading the weights, {load_s:.2f} s, is not in the rate")


def show_sampling(folder: Path, frames: int, count: int) -> None:
    path = write_clip(folder / f"{frames}.mp4", frames, 0)
    print(f"one clip of {frames} frames, {count} wanted")
    base_s = 0.0
    for name, read in (("sampled", sampled), ("everything", decode_everything), ("one seek each", seek_each_frame)):
        expected = sampled(path, count)
        seconds = seconds_of(lambda read=read: read(path, count), 3)
        base_s = base_s or seconds
        equal = np.array_equal(read(path, count), expected)
        print(
            f"  {name:<16}{seconds * 1000:9.1f} ms   {seconds / base_s:5.2f}x   {'equal' if equal else 'other'} frames"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--clip-frames", type=int, default=48)
    parser.add_argument("--long-frames", type=int, default=1500)
    parser.add_argument("--frames", type=int, default=8)
    sizes = parser.parse_args()
    keep_freed_memory()
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show_sampling(folder, sizes.clip_frames, sizes.frames)
        show_sampling(folder, sizes.long_frames, sizes.frames)
        show_rates(write_videos(folder / "videos", sizes.clips, sizes.clip_frames), sizes.clips, sizes.frames)


if __name__ == "__main__":
    main()
