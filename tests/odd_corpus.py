"""A corpus of odd files, and what becomes of each at `cvr import`, `check-media` and `embed`."""

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np

from cvr_data.core.artifacts import Artifact
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.media.check_media import Config, check_media, media_check_report, media_to_check
from cvr_data.media.verdict import media_check_verdict
from cvr_data.videos.corpora import folder as folder_corpus
from cvr_data.videos.import_videos import import_videos
from tests.odd_media import write_odd_media


def write_corpus(folder: Path, count: int, seed: int) -> Path:
    """Write so many files, and a captions file that names each and two that are not there."""
    folder.mkdir(parents=True)
    first = [path for path in sorted(write_odd_media(folder).iterdir()) if path.suffix != ".h264"]
    (folder / "no_times.h264").unlink()
    draw = np.random.default_rng(seed)
    os.mkfifo(folder / "pipe.mp4")
    (folder / "itself.mp4").symlink_to(folder / "itself.mp4")
    (folder / "nowhere.mp4").symlink_to(folder / "gone.mp4")
    (folder / os.fsdecode(b"caf\xe9.mp4")).write_bytes((folder / "plain.mp4").read_bytes())
    number = 0
    while sum(1 for _ in folder.iterdir()) < count:
        source = first[number % len(first)]
        (folder / f"{number:05d}{source.suffix}").write_bytes(spoilt(source.read_bytes(), number // len(first), draw))
        number += 1
    names = [path.name for path in sorted(folder.iterdir()) if os.fsencode(path.name).isascii()]
    rows = [f"{name},a caption of {name}" for name in (*names, "missing.mp4", "PLAIN.MP4")]
    (folder / "captions.csv").write_text("file,caption\n" + "\n".join(rows) + "\n")
    return folder


def spoilt(content: bytes, way: int, draw: np.random.Generator) -> bytes:
    """Return a file cut, with a hole, with noise, with single bits turned, or with bytes left out."""
    data = bytearray(content)
    if len(data) < 16:
        return bytes(data)
    start = int(draw.integers(0, len(data)))
    length = int(draw.integers(1, 1 + len(data) // 8))
    way %= 5
    if way == 0:
        return bytes(data[:start])
    if way == 1:
        data[start : start + length] = bytes(len(data[start : start + length]))
    elif way == 2:
        data[start : start + length] = draw.bytes(len(data[start : start + length]))
    elif way == 3:
        for place in draw.integers(0, len(data), 12).tolist():
            data[place] ^= 1 << int(draw.integers(0, 8))
    else:
        del data[start : start + length]
    return bytes(data)


def account(media: Path, out: Path) -> list[str]:
    """Return what became of the files at each of the three commands; they are all there."""
    started = time.perf_counter()
    config = folder_corpus.Config(path=media)
    videos = import_videos(folder_corpus, config, out / "videos")
    there = len(folder_corpus.media(config)[1]) + 2  # and what the captions name that is not there
    lines = _lines("import", videos, time.perf_counter() - started, there)
    kept = videos.read()
    started = time.perf_counter()
    checked = check_media(media_to_check(kept), out / "check", Config())
    counts = media_check_report(checked)
    lines.append(f"check-media  {checked.num_rows} of {kept.num_rows}: {_told(Counter(counts['verdicts']))}")
    lines.append(f"             {_told(Counter(counts['statuses']))} in {time.perf_counter() - started:.0f} s")
    started = time.perf_counter()
    embedded = embed(out / "videos", "hash", hash_encoder.Config(), out / "embeddings")
    lines += _lines("embed", embedded, time.perf_counter() - started, kept.num_rows)
    told = Counter(media_check_verdict(note) for note in kept.column("media_note").to_pylist())
    assert told == Counter(checked.column("verdict").to_pylist()), "import and check-media differ"
    assert told == Counter(embedded.manifest["media"]), "import and embed differ"
    return lines


def _lines(name: str, made: Artifact, seconds: float, there: int) -> list[str]:
    dropped = [row for path in sorted(made.path.glob("dropped-*.parquet")) for row in read_parquet(path).to_pylist()]
    videos = made.manifest["videos"] if name == "embed" else made.manifest["rows"]
    assert videos + len(dropped) == there, f"{name}: {videos} kept and {len(dropped)} dropped of {there}"
    reasons = Counter(row["drop_reason"] for row in dropped)
    return [
        f"{name:<13}{there} there = {videos} kept + {len(dropped)} dropped, {seconds:.0f} s",
        f"             {_told(Counter(made.manifest['media']))}",
        *([f"             dropped: {_told(reasons)}"] if reasons else []),
    ]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
