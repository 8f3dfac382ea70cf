"""A rendered world of captioned clips whose every concept is known.

    cvr import synthetic --out videos -o train=400 -o val=60 -o test=300

Objects act in front of scenes: `media/` holds H.264 files, `truth.parquet` the concepts of every clip. No stage reads
that file; it is what mining, texts and rankings are measured against (`cvr_data.videos.synthetic.truth`). Half of the
sentence patterns are used by test clips only, and the clips of a split do not depend on how many another split has.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.places import make_folder
from cvr_data.core.process_pool import ProcessPool
from cvr_data.core.whole_files import file_sha256, whole_file, write_parquet
from cvr_data.media.video import probe_medium, write_mp4
from cvr_data.tables import VIDEOS
from cvr_data.videos.synthetic.concepts import SLOTS
from cvr_data.videos.synthetic.render import FPS, render_synthetic_clip
from cvr_data.videos.synthetic.world import Clip, sample_synthetic_world

VERSION = 2
TRUTH = "truth.parquet"
MEDIA = "media"
SLICE = 128
"""Clips rendered before the next part is written."""


@dataclass(frozen=True, kw_only=True)
class Config:
    train: int = 400
    """Clips to train on."""
    val: int = 60
    """Clips to choose checkpoints on."""
    test: int = 300
    """Clips to score on; 300 give more than 1,000 one-word queries."""
    size: int = 128
    """Width and height in pixels."""
    seed: int = 0
    """Another seed is another world."""
    render: bool = True
    """Write the MP4 files; without them only captions, descriptions and truth are made, in a second."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1, metadata={"output": False})
    """Processes that render; the files are the same for any number."""

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 0 or self.train + self.val + self.test == 0:
            raise ValueError(f"train, val and test must be counts of clips, got {self.train}, {self.val}, {self.test}.")
        if not 32 <= self.size <= 512 or self.size % 2:
            raise ValueError(f"size must be an even number from 32 to 512, got {self.size}.")
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}.")


TINY = Config(train=6, val=2, test=4, size=32, workers=1)


def inputs(config: Config) -> dict[str, Path]:
    return {}


def count(config: Config) -> int:
    return config.train + config.val + config.test


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Yield the videos in slices, rendering them under `out`; without `out` nothing is rendered.

    A clip that an interrupted run has rendered is kept.
    """
    clips = sample_synthetic_world({"train": config.train, "val": config.val, "test": config.test}, config.seed)
    if out is None or not config.render:
        if out is not None:
            write_parquet(out / TRUTH, _truth_table(clips))
        yield from (_table(clips[start : start + SLICE], None) for start in range(0, len(clips), SLICE))
        return
    make_folder(out / MEDIA)
    write_parquet(out / TRUTH, _truth_table(clips))
    jobs = [(clip, config.size, out / MEDIA / f"{clip.video_id}.mp4") for clip in clips]
    written = _write_all(jobs, config.workers)
    for start in range(0, len(clips), SLICE):
        chosen = clips[start : start + SLICE]
        yield _table(chosen, [next(written) for _ in chosen])


def _truth_table(clips: Sequence[Clip]) -> pa.Table:
    """Return one row per clip: its concept, and how its caption came about."""
    rows = [{**asdict(clip), **asdict(clip.concept)} for clip in clips]
    names = ("video_id", "split", *SLOTS, "caption", "family", "role", "omitted", "pattern")
    return pa.Table.from_pylist(
        rows, schema=pa.schema([(name, pa.int64() if name == "family" else pa.string()) for name in names])
    )


@dataclass(frozen=True)
class _Written:
    duration_s: float
    sha256: str


def _write_all(jobs: Sequence[tuple[Clip, int, Path]], workers: int) -> Iterator[_Written]:
    if min(workers, len(jobs)) <= 1:
        yield from (_write(*job) for job in jobs)
        return
    with closing(ProcessPool(min(workers, len(jobs)))) as pool:
        written = dict(pool.map(_write, jobs, ()))
    yield from (written[number] for number in range(len(jobs)))


def _write(clip: Clip, size: int, path: Path) -> _Written:
    if not path.exists():
        with whole_file(path) as temporary:
            write_mp4(temporary, render_synthetic_clip(clip.concept, clip.render_seed, size), fps=FPS)
    return _Written(probe_medium(path).duration_s, file_sha256(path))


def _table(clips: Sequence[Clip], written: Sequence[_Written] | None) -> pa.Table:
    rows = []
    for number, clip in enumerate(clips):
        row: dict[str, Any] = {
            "video_id": clip.video_id,
            "captions": [clip.caption],
            "source": "synthetic",
            "description": clip.description,
            "licence": "CC0-1.0",
            "split": clip.split,
        }
        if written is not None:
            row["path"] = f"{MEDIA}/{clip.video_id}.mp4"
            row |= {"duration_s": written[number].duration_s, "content_sha256": written[number].sha256}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=VIDEOS)
