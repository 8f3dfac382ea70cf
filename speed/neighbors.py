"""Neighbours of many captions: how many of them FAISS finds, how fast, and what an exact search takes beside it.

    python speed/neighbors.py --vectors vectors.npy                        # recall of 200,000 against exact
    python speed/neighbors.py --vectors vectors.npy --size 1000000 --on two

The vectors are those of real captions by MiniLM, encoded once and kept in the file, and copies of them with noise
added: a copy has a cosine of 0.9 with its original, so that each has near neighbours in the band, as captions have.
Recall is the share of the exact neighbours of some queries among all vectors. A size is searched whole, on the runner,
in a process of its own whose tree is watched, as in speed/stages.py.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from measuring import CAPTIONS, print_machine, real_captions
from stages import ENGINES, MIB, Watched

from cvr_data.core.jobs import use_engine
from cvr_data.core.mapped_rows import VECTOR, mapped, mapped_rows_array, mapped_rows_column
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Step
from cvr_data.pairs.search import inverted_file
from cvr_data.pairs.search.inverted_file import InvertedFile, mined_neighbours_in_cells
from cvr_data.pairs.search.nearest import Band, Neighbours, Rows, mined_neighbours_in_shards
from cvr_data.pairs.search.neighbour_jobs import KEYS, mine_neighbours
from cvr_data.pairs.strategies.neighbors import CAPTIONS as OF_A_JOB
from cvr_data.pairs.strategies.neighbors import Config, mining_caption_vectors

BAND = Band(k=Config.k, low=Config.low, high=Config.high)
LIKENESS = 0.9
"""Cosine of a copy and its original."""


def vectors(file: Path, start: int, end: int) -> np.ndarray:
    """Return the vectors of these numbers, the same in every process."""
    real_ND = np.load(file, mmap_mode="r")
    copy, row = np.divmod(np.arange(start, end), len(real_ND))
    found_ND = np.array(real_ND[row])
    noise_ND = np.random.default_rng(start).standard_normal(found_ND.shape).astype(np.float32)
    noise_ND *= (np.sqrt(1 / LIKENESS**2 - 1) / np.sqrt(found_ND.shape[1])) * (copy > 0)[:, None]
    found_ND += noise_ND
    return found_ND / np.linalg.norm(found_ND, axis=1, keepdims=True)


def rows(about: tuple[Path, int], block: pa.Table) -> pa.Table:
    """Return some numbered vectors."""
    file, size = about
    [start] = block.column("start").to_pylist()
    numbers = range(start, min(start + OF_A_JOB, size))
    return pa.table(
        {
            "name": [f"{number:09d}" for number in numbers],
            VECTOR: mapped_rows_column(vectors(file, numbers.start, numbers.stop)),
        }
    )


def search(file: Path, size: int, inverted: InvertedFile | None, out: Path) -> None:
    """Write the neighbours of so many vectors."""
    with StageRun(out, stage="measured", version=1, config={}, inputs={}, overwrite=False) as run:
        blocks = run.made("starts", lambda: (pa.table({"start": [start]}) for start in range(0, size, OF_A_JOB)))
        made = blocks.then(Step(name="vectors", run=rows, config=(file, size), makes_rows=True, is_counted=False))
        known, total = mapped(made, "name")
        found = run.write(mine_neighbours(run, known, total, BAND, inverted))
        print(f"{found.manifest['rows']} neighbours", file=sys.stderr)


def recall(options: argparse.Namespace) -> None:
    """Print the share of the exact neighbours that is found, by how many cells are looked into."""
    size, queries = options.recall, Rows(0, vectors(options.vectors, 0, min(options.queries, options.recall)))
    starts = range(0, size, KEYS)
    shards = [Rows(start, vectors(options.vectors, start, min(start + KEYS, size))) for start in starts]
    started = time.process_time()
    exact = keys_of(mined_neighbours_in_shards(queries, shards, BAND), size)
    exact_s = time.process_time() - started
    print(f"{size} vectors, {len(queries.vectors_ND)} queries: exact {len(exact)} neighbours, {exact_s:.1f} s CPU")
    all_ND = np.concatenate([shard.vectors_ND for shard in shards])
    started = time.process_time()
    inverted = InvertedFile(max(options.probes))
    trained = inverted_file.mining_cell_centroids(inverted, all_ND[inverted.sample(size)], size)
    centroids_CD = mapped_rows_array(trained.column("centroid"))
    trained_s, started = time.process_time() - started, time.process_time()
    cells = inverted_file.mining_cells(inverted, all_ND, centroids_CD).column("cells")
    assigned_s = time.process_time() - started
    print(f"{len(centroids_CD)} cells: trained in {trained_s:.1f} s, assigned in {assigned_s:.1f} s CPU")
    for probes in options.probes:
        started = time.process_time()
        some = pa.chunked_array([mapped_rows_column(mapped_rows_array(cells)[:, :probes])])
        found = keys_of(mined_neighbours_in_cells(queries, shards, BAND, centroids_CD, some), size)
        share = np.isin(exact, found).mean()
        print(f"{probes:4} probes: recall {share:.4f}, {time.process_time() - started:7.1f} s CPU", flush=True)


def keys_of(found: Neighbours, size: int) -> np.ndarray:
    return found.query * size + found.neighbour


def measured(options: argparse.Namespace, on: str, folder: Path) -> None:
    """Search a size in a process of its own and print a line."""
    command = [sys.executable, __file__, "--vectors", options.vectors, "--size", options.size, "--on", on]
    command += ["--probes", options.probes[0], "--out", folder / on, *(["--exact"] if options.exact else [])]
    run = Watched([str(word) for word in command])
    others = [peak for process, peak in run.peak.items() if process != run.root]
    how = "exact" if options.exact else f"{options.probes[0]} probes"
    print(
        f"{options.size} vectors, {how}, {on}: {sum(run.cpu_s.values()):.0f} s CPU, {run.seconds:.0f} s"
        f"  command {run.peak[run.root] / MIB:.0f} MiB  others {max(others, default=0) / MIB:.0f} MiB"
        f"  wrote {sum(run.written.values()) / MIB:.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True, help="written if it is not there")
    parser.add_argument("--real", type=int, default=20_000, help="captions that are encoded for it")
    parser.add_argument("--recall", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=8192)
    parser.add_argument("--probes", type=int, nargs="+", default=[Config.probes])
    parser.add_argument("--size", type=int)
    parser.add_argument("--on", nargs="+", default=["here"], choices=list(ENGINES))
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.out:  # the process that is measured
        with use_engine(ENGINES[options.on[0]]):
            inverted = None if options.exact else InvertedFile(options.probes[0])
            search(options.vectors, options.size, inverted, options.out)
        return
    print_machine()
    if not options.vectors.exists():
        texts = real_captions(CAPTIONS).slice(0, options.real).to_pylist()
        np.save(options.vectors, mining_caption_vectors(Config(), texts, None))
    if options.size is None:
        recall(options)
        return
    for on in options.on:
        with tempfile.TemporaryDirectory() as folder:
            measured(options, on, Path(folder))


if __name__ == "__main__":
    main()
