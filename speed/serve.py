"""The search of `cvr serve` on synthetic vectors: how long an answer takes, alone and with many at once, and recall.

    python speed/serve.py --count 1000000                # bytes first, then exact
    python speed/serve.py --count 2000000 --inverted     # and FAISS's cells, with their recall

Vectors lie around centres that lie in a few directions, as those of videos do; a query lies between two of them. The
peer is FAISS's flat index, alone and with all queries in one call, which is faster than what a server could do.
Answers of `cvr serve` go through what a page's request goes through after its vector is known: the thread that gathers
questions, the ranking, the second product. `speed/results/serve.jsonl` keeps a line per run.
"""

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from measuring import print_machine, processor, resident_bytes, timed

from cvr_bench.search.inverted import Inverted
from cvr_bench.search.nearest import Asked, Best, Nearest, Rows
from cvr_bench.search.together import Together

RESULTS = Path(__file__).parent / "results" / "serve.jsonl"
DIRECTIONS = 64
"""In which the centres lie."""
OF_EACH = 50
"""Vectors around a centre."""
PIECE = 50_000


def vectors(count: int, dim: int, seed: int = 0) -> torch.Tensor:
    """Return unit vectors around centres."""
    draw = torch.Generator().manual_seed(seed)
    plane = torch.randn(DIRECTIONS, dim, generator=draw)
    centres = F.normalize(torch.randn(max(1, count // OF_EACH), DIRECTIONS, generator=draw) @ plane, dim=-1)
    found = torch.empty(count, dim)
    for start in range(0, count, PIECE):
        size = min(PIECE, count - start)
        which = torch.randint(len(centres), (size,), generator=draw)
        noise = torch.randn(size, dim, generator=draw) / dim**0.5
        found[start : start + size] = F.normalize(centres[which] + 0.7 * noise, dim=-1)
    return found


def queries(rows: torch.Tensor, count: int) -> torch.Tensor:
    """Return composed queries: between two rows each."""
    both = torch.randint(len(rows), (count, 2), generator=torch.Generator().manual_seed(1))
    return F.normalize(rows[both].mean(1), dim=-1)


def times_of(asks: list[Callable[[], object]], at_once: int) -> dict[str, float]:
    """Return the median and the 95th percentile of the milliseconds of an answer, and processor seconds of each."""

    def one(ask: Callable[[], object]) -> float:
        return timed(ask)[0] * 1000

    began = time.process_time()
    if at_once == 1:
        took = [one(ask) for ask in asks]
    else:
        took = []
        for start in range(0, len(asks), at_once):
            gate = threading.Barrier(at_once)
            with ThreadPoolExecutor(at_once) as pool:
                took += pool.map(lambda ask, gate=gate: (gate.wait(), one(ask))[1], asks[start : start + at_once])
    cpu_ms = 1000 * (time.process_time() - began) / len(asks)
    return {"median_ms": round(float(np.median(took)), 1), "p95_ms": round(float(np.percentile(took, 95)), 1),
            "cpu_ms": round(cpu_ms, 1)}  # fmt: skip


def recall(found: list[Best], exact_QK: np.ndarray) -> float:
    return float(
        np.mean([len({*one.rows} & {*row.tolist()}) / len(row) for one, row in zip(found, exact_QK, strict=True)])
    )


def said(what: str, at_once: int, times: dict[str, float], **more: float) -> dict[str, object]:
    line = {"what": what, "at_once": at_once, **times, **more}
    print("  ".join(f"{name} {value}" for name, value in line.items()), flush=True)
    return line


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    rows = vectors(options.count, options.dim)
    made_s, nearest = timed(lambda: Nearest(Rows(rows)))
    print(
        f"{options.count} x {options.dim}: bytes made in {made_s:.1f} s, {resident_bytes() / 2**20:.0f} MiB", flush=True
    )
    asked = [Asked(query_D=query, k=options.k) for query in queries(rows, options.queries)]
    flat = faiss.IndexFlatIP(options.dim)
    flat.add(rows.numpy())
    all_QD = torch.stack([each.query_D for each in asked]).numpy()
    exact_QK = flat.search(all_QD, options.k)[1]
    lines = []
    with torch.inference_mode():
        found = [nearest.best([each])[0] for each in asked]
        share = {"recall": round(recall(found, exact_QK), 4)}
        together: Together[Asked, Best] = Together(nearest.best)
        for at_once in (1, options.at_once):
            asks = [lambda each=each: together.ask(each) for each in asked]
            lines.append(said("serve, exact", at_once, times_of(asks, at_once), **share))
            one_by_one = [lambda row=row: flat.search(all_QD[row : row + 1], options.k) for row in range(len(all_QD))]
            lines.append(said("FAISS flat, a call each", at_once, times_of(one_by_one, at_once), recall=1.0))
        seconds, _ = timed(lambda: flat.search(all_QD[: options.at_once], options.k))
        print(f"FAISS flat, {options.at_once} in one call: {1000 * seconds:.0f} ms", flush=True)
        lines.append(
            {"what": "FAISS flat, one call of all", "at_once": options.at_once, "median_ms": round(1000 * seconds, 1)}
        )
        if options.inverted:
            made_s, cells = timed(lambda: Inverted(nearest))
            print(f"cells made in {made_s:.0f} s", flush=True)
            share = {"recall": round(recall([cells.best(each) for each in asked], exact_QK), 4)}
            for at_once in (1, options.at_once):
                through: Together[Asked, Best] = Together(lambda many: [cells.best(each) for each in many])
                asks = [lambda each=each, through=through: through.ask(each) for each in asked]
                lines.append(
                    said("serve, FAISS's cells", at_once, times_of(asks, at_once), **share, made_s=round(made_s))
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--k", type=int, default=13, help="12 are shown, and one may be the clip itself")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--inverted", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    print_machine()
    about = {"count": options.count, "dim": options.dim, "k": options.k, "threads": options.threads,
             "processor": processor()[0], "flags": processor()[1], "load": round(os.getloadavg()[0], 1),
             "at": datetime.now(UTC).isoformat(timespec="minutes")}  # fmt: skip
    lines = measure(options)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps({**about, **line}) + "\n" for line in lines))


if __name__ == "__main__":
    main()
