"""build-triplets on made-up texts: rows a second, and the peak of memory in the command and in its workers.

    python speed/triplets.py --texts 100000 500000         # a minute
    python speed/triplets.py --texts 5000000 --workers 2 --folder /data/tmp

Every pair has two texts, every video is in five pairs; some texts were rejected, some say the same of the same videos.
"""

import argparse
import json
import resource
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from measuring import in_own_process, print_machine, resident_bytes, timed

PART = 250_000
STARTS, ENDS = ("ba", "co", "di", "fu", "le", "mo", "ni", "ro"), ("ll", "rn", "ver", "x")
WORDS = [start + end for start in STARTS for end in ENDS]
MIB = 2**20


def write_inputs(folder: Path, texts: int) -> None:
    """Write videos, pairs and texts as our stages do."""
    from cvr_data.core.artifact_writer import ArtifactWriter

    def write(name: str, stage: str, rows: int, made: Callable[[np.ndarray], pa.Table], **inputs: Path) -> Path:
        with ArtifactWriter(folder / name, stage=stage, inputs=inputs) as writer:
            for index, start in enumerate(range(0, rows, PART)):
                writer.write_part(index, made(np.arange(start, min(start + PART, rows))))
            writer.finish()
        return folder / name

    count = max(2, texts // 10)
    videos = write("videos", "import-made-up", count, videos_of)
    pairs = write("pairs", "mine-pairs", texts // 2, lambda rows: pairs_of(rows, count), videos=videos)
    write("texts", "generate-modifications", texts, texts_of, pairs=pairs)


def names(kind: str, rows: np.ndarray) -> pa.Array:
    """Return ids that look like hashes and are as long."""
    mixed = (rows.astype(np.uint64) + np.uint64(len(kind))) * np.uint64(0x9E3779B97F4A7C15)
    return pa.array([f"{value:016x}" for value in mixed.tolist()])


def said(rows: np.ndarray, words: int) -> list[str]:
    """Return as many words for each row."""
    digits = [((rows // 7 + 31 * place * (rows % 1013)) % len(WORDS)).tolist() for place in range(words)]
    return [" ".join(WORDS[digit] for digit in row) for row in zip(*digits, strict=True)]


def videos_of(rows: np.ndarray) -> pa.Table:
    """Return videos of these numbers."""
    from cvr_data.core.columns import check_columns
    from cvr_data.tables import VIDEOS

    table = {"video_id": names("video", rows), "captions": [[text] for text in said(rows, 8)],
             "source": ["made-up"] * len(rows), "licence": ["CC-BY-4.0"] * len(rows), "duration_s": rows % 900 / 30,
             "split": [("train", "train", "val", "test")[row % 4] for row in rows.tolist()]}  # fmt: skip
    return check_columns(pa.table(table), VIDEOS, "videos")


def pairs_of(rows: np.ndarray, videos: int) -> pa.Table:
    """Return pairs of these numbers; both videos of one are in the same split."""
    from cvr_data.core.columns import check_columns
    from cvr_data.tables import PAIRS

    reference = rows % (videos // 4 * 4)
    target = (reference + 4 * (1 + rows // videos)) % (videos // 4 * 4)
    change = [[{"kind": "static", "slot": "object", "before": WORDS[row % 30], "after": WORDS[row % 29]}]
              for row in rows.tolist()]  # fmt: skip
    splits = [("train", "train", "val", "test")[row % 4] for row in reference.tolist()]
    table = {"pair_id": names("pair", rows), "reference_id": names("video", reference), "strategy": ["x"] * len(rows),
             "target_id": names("video", target), "reference_caption": said(reference, 8),
             "target_caption": said(target, 8), "changes": pa.array(change, PAIRS.field("changes").type),
             "text_similarity": (rows % 8191 / 8191).astype(np.float32), "split": splits}  # fmt: skip
    return check_columns(pa.table(table), PAIRS, "pairs")


def texts_of(rows: np.ndarray) -> pa.Table:
    """Return texts of these numbers, of which some are rejected and some say what the other of the pair does."""
    from cvr_data.core.columns import check_columns
    from cvr_data.tables import MODIFICATIONS

    is_bad = rows % 17 == 0
    same = np.where(rows % 50 < 2, rows // 2 * 2, rows)
    table = {"modification_id": names("text", rows), "pair_id": names("pair", rows // 2), "modification": said(same, 5),
             "style": ["short"] * len(rows), "backend": ["rules"] * len(rows), "model": ["rules"] * len(rows),
             "prompt": ["Write how one video differs from the other. " * 8] * len(rows), "seed": rows * 0,
             "prompt_sha256": ["0" * 64] * len(rows), "status": np.where(is_bad, "rejected", "ok"),
             "reasons": [["too_long"] if bad else [] for bad in is_bad.tolist()]}  # fmt: skip
    return check_columns(pa.table(table), MODIFICATIONS, "texts")


def run(folder: Path, workers: int) -> dict[str, float]:
    """Build the dataset and return what it took."""
    from cvr_data.core.engine import Engine
    from cvr_data.core.jobs import use_engine
    from cvr_data.triplets.build import build_triplets, find_triplet_parts
    from cvr_data.triplets.join import Config

    before = resident_bytes()
    with use_engine(Engine("local", workers)):
        texts, out = find_triplet_parts([folder / "texts"]), folder / f"out-{workers}"
        seconds, made = timed(lambda: build_triplets(texts, out, Config(), name="made-up"))
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "rows": made.manifest["rows"], "seconds": seconds, "cpu": sum(each.ru_utime + each.ru_stime for each in usage),
        "before": before, "peak": resident_bytes("VmHWM"), "worker_peak": usage[1].ru_maxrss * 1024,
    }  # fmt: skip


def main() -> None:
    """Measure each number of texts with each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, nargs="+", default=[100_000, 500_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--folder", type=Path, help="Where the tables are made.  [default: a temporary folder]")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.make:
        write_inputs(Path(wanted.make[0]), int(wanted.make[1]))
        print("{}")
        return
    if wanted.only:
        print(json.dumps(run(Path(wanted.only[0]), int(wanted.only[1]))))
        return
    print_machine()
    print("    texts  workers  triplets  seconds  CPU s  texts/CPU s  peak MiB  of a worker")
    for texts in wanted.texts:
        folder = Path(tempfile.mkdtemp(dir=wanted.folder))
        try:
            in_own_process("--make", folder, str(texts))
            for workers in wanted.workers:
                found = in_own_process("--only", folder, str(workers))
                print(
                    f"{texts:>9}{workers:>9}{found['rows']:>10}{found['seconds']:>9.1f}{found['cpu']:>7.1f}"
                    f"{texts / found['cpu']:>13.0f}{found['peak'] / MIB:>10.0f}{found['worker_peak'] / MIB:>13.0f}"
                )
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
