"""What each scorer of the pool of `cvr audit` takes on many queries and videos: processor seconds and memory.

    python speed/audit.py                                   # 10,000 queries x 100,000 videos
    python speed/audit.py --queries 1000 --videos 10000

Vectors are random, as wide as MiniLM's; each video has a caption and some frames. All texts are stored, so none is
encoded; what is measured reads stored vectors, ranks the targets, and looks at the frames of the hundred best.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from measuring import print_machine, resident_bytes

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.text_bands import MINILM
from cvr_data.features.pool_queries import PoolQuery
from cvr_data.features.single_input_pool import SingleInputPool
from cvr_data.features.single_inputs import SCORERS, best_similarity_ranks
from cvr_data.features.store import EMBEDDINGS, STAGE
from cvr_data.tables import text_id

DIM, FRAMES = 384, 4


def write_features(folder: Path, videos: list[str], texts: list[str]) -> None:
    """Write random features of videos and texts as an embeddings artifact."""
    at = np.random.default_rng(0)
    with ArtifactWriter(folder, stage=STAGE, config={"encoder": MINILM, "options": {}}) as writer:
        parts = (("video", videos, FRAMES), ("text", [text_id(text) for text in texts], 1))
        for number, (kind, ids, rows) in enumerate(parts):
            vectors_ND = at.standard_normal((len(ids) * rows, DIM), np.float32)
            table = pa.table({
                "item_id": ids, "kind": [kind] * len(ids), "row_start": np.arange(len(ids)) * rows,
                "row_count": np.full(len(ids), rows, np.int32), "length": np.ones(len(ids), np.float32),
                **{name: pa.nulls(len(ids), pa.string()) for name in ("sha256", "perceptual_hash", "media_note")},
            })  # fmt: skip
            pooled_ND = vectors_ND.reshape(len(ids), rows, DIM).mean(axis=1)
            arrays = {"part": vectors_ND.astype(np.float16), "pooled": pooled_ND.astype(np.float16)}
            writer.write_part(number, table.select(EMBEDDINGS.names), arrays=arrays)
        writer.finish(dim=DIM, text_dim=DIM, rows=len(videos) + len(texts))


def main() -> None:
    """Print a line for each scorer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--videos", type=int, default=100_000)
    options = parser.parse_args()
    print_machine()
    videos = [f"v{number:07d}" for number in range(options.videos)]
    said, asked = [f"caption of {name}" for name in videos], [f"text {number}" for number in range(options.queries)]
    ends = np.random.default_rng(1).integers(0, options.videos, (options.queries, 2)).tolist()
    queries = [
        PoolQuery(reference_id=videos[one], modification=text, target_ids=frozenset({videos[other]}))
        for text, (one, other) in zip(asked, ends, strict=True)
    ]
    gallery = pa.table({"video_id": videos, "captions": [[text] for text in said], "description": said})
    with tempfile.TemporaryDirectory() as folder:
        write_features(Path(folder) / "embeddings", videos, [*said, *asked])
        pool = SingleInputPool(Path(folder) / "embeddings", gallery)
        for name in SCORERS:
            started, size = time.process_time(), pool.queries_at_once
            for start in range(0, len(queries), size):
                chunk = queries[start : start + size]
                best_similarity_ranks(pool.scores(name, chunk), *pool.columns(chunk))
            seconds = time.process_time() - started
            print(f"{name:<24}{seconds:7.1f} CPU s   peak {resident_bytes('VmHWM') / 2**30:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
