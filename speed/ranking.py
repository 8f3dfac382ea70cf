"""Exact ranks without a sort: time, memory and statistics, beside the reference evaluators' way and the bare product.

    python speed/ranking.py                                       # all tables, some minutes on two cores
    python speed/ranking.py --sorted 2000 --sizes 4000x50000      # smaller

The first table ranks one score matrix in three ways. Each size of the second runs in a process of its own; its memory
is the peak beyond the gallery's embeddings, and the bare product is timed on some of the queries and scaled.
"""

# Shapes: Q queries, G gallery items, D embedding.

import argparse
import json
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from measuring import in_own_process, print_machine, resident_bytes, timed
from torch import Tensor

from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.intervals import Clusters, recall_confidence_interval, recall_difference_p
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.media.video import Video

SIZES = ("10000x10000", "50000x50000", "20000x1000000", "1000000x1000")
PRODUCT_CELLS = 25 * 10**8
"""Cells of the bare product that are timed; the rest is scaled."""
ROWS, COLUMNS = 1024, 50_000
"""Block of the bare product: as quick as any here, and quicker than one large product."""
REPEATS = 3


class GivenScores:
    """A score matrix that is there."""

    def __init__(self, scores_QG: Tensor):
        self.scores_QG = scores_QG

    def index(self, gallery: Sequence[Item]) -> None:
        assert len(gallery) == self.scores_QG.shape[1]

    def score(self, queries: Sequence[Query]) -> Tensor:
        first = int(queries[0].query_id)
        return self.scores_QG[first : first + len(queries)]


def masked_by_loop(scores_QG: np.ndarray, reference_ids: list[str], item_ids: list[str]) -> None:
    """Hide each query's own reference as CoVR does: a Python loop over all cells that compares ids."""
    for row in range(len(reference_ids)):
        for column in range(len(item_ids)):
            if reference_ids[row] == item_ids[column]:
                scores_QG[row][column] = -10


def by_sorting(scores_QG: np.ndarray, targets_Q: np.ndarray) -> np.ndarray:
    """Rank as CoVR does: argsort each row, then look for the target."""
    ranks = np.zeros(len(scores_QG), dtype=np.int64)
    for row, scores_G in enumerate(scores_QG):
        order_G = np.argsort(scores_G)[::-1]
        ranks[row] = np.where(order_G == targets_Q[row])[0][0] + 1
    return ranks


def by_sorting_in_chunks(scores_QG: np.ndarray, targets_Q: np.ndarray) -> np.ndarray:
    """Rank as FDCA does: argsort the distances of 32 queries at once, then compare all of them with the target."""
    ranks = []
    for scores_RG, targets_R in zip(
        torch.from_numpy(scores_QG).split(32), torch.from_numpy(targets_Q).split(32), strict=True
    ):
        order_RG = torch.argsort(1 - scores_RG, dim=-1)
        ranks.append((order_RG == targets_R[:, None]).int().argmax(dim=1) + 1)
    return torch.cat(ranks).numpy()


def make_task(queries: int, gallery: int) -> tuple[Task, np.ndarray, np.ndarray]:
    """Return a task with references to hide, and the columns of references and targets."""
    generator = np.random.default_rng(0)
    targets_Q, references_Q = generator.integers(0, gallery, (2, queries))
    references_Q = np.where(references_Q == targets_Q, (references_Q + 1) % gallery, references_Q)
    items = [Item(f"{number:08d}", Video(f"{number:08d}")) for number in range(gallery)]
    task = Task(
        name="benchmark",
        queries=[Query(str(row), items[reference], None) for row, reference in enumerate(references_Q.tolist())],
        gallery=items,
        targets={str(row): frozenset({items[target].item_id}) for row, target in enumerate(targets_Q.tolist())},
    )
    return task, references_Q, targets_Q


def against_sorting(size: int, dim: int) -> None:
    """Rank one matrix by sorting and by counting."""
    task, references_Q, targets_Q = make_task(size, size)
    queries_QD, gallery_GD = unit(size, dim, 0), unit(size, dim, 1)
    scores_QG = queries_QD @ gallery_GD.T
    masked_QG = scores_QG.numpy().copy()
    item_ids = [item.item_id for item in task.gallery]
    reference_ids = [item_ids[column] for column in references_Q]
    mask_s, _ = timed(lambda: masked_by_loop(masked_QG, reference_ids, item_ids))
    covr_s, expected = timed(lambda: by_sorting(masked_QG, targets_Q))
    fdca_s, other = timed(lambda: by_sorting_in_chunks(masked_QG, targets_Q))
    ours_s, ranks = min(
        (timed(lambda: evaluate(GivenScores(scores_QG), task)) for _ in range(REPEATS)), key=itemgetter(0)
    )
    dense_s, dense = timed(lambda: evaluate(stream(size, dim), task))
    print(f"One score matrix, {size} x {size}: from scores to ranks, references hidden")
    for name, seconds in (
        ("double loop that hides, argsort of each row", mask_s + covr_s),
        ("  argsort of each row alone", covr_s),
        ("argsort of 32 rows at once, hidden before", fdca_s),
    ):
        print(f"  {name:<46} {seconds:8.3f} s   ours {seconds / ours_s:6.1f}x as fast")
    print(f"  {'cvr_bench.scoring.evaluate, hiding and ten best included':<46} {ours_s:8.3f} s")
    equal = [int((ranks.rank == found).sum()) for found in (expected, other)]
    print(f"  equal ranks: {equal[0]} and {equal[1]} of {size}; queries with ties: {int((ranks.ties > 0).sum())}")
    print(f"  (streamed from embeddings: {dense_s:.3f} s, ties {int((dense.ties > 0).sum())})\n")


def unit(rows: int, dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(rows, dim, generator=generator), dim=1)


def stream(gallery: int, dim: int) -> DenseRetriever:
    """Embeddings that are drawn as they are asked for, so that nothing but the gallery is held."""
    return DenseRetriever(
        lambda queries: unit(len(queries), dim, int(queries[0].query_id)),
        lambda videos: unit(len(videos), dim, gallery + int(videos[0].video_id)),
    )


def measure(queries: int, gallery: int, dim: int) -> dict[str, float]:
    """Time and peak memory of one size, in this process."""
    task, _, _ = make_task(queries, gallery)
    retriever = stream(gallery, dim)
    before = resident_bytes()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    index_s, _ = timed(lambda: stream(gallery, dim).index(task.gallery))
    ours_s, ranks = timed(lambda: evaluate(retriever, task))
    beyond = resident_bytes("VmHWM") - before - 4 * gallery * dim
    rows = max(1, min(queries, PRODUCT_CELLS // gallery))
    assert retriever.gallery_GD is not None
    embed_s, queries_QD = timed(lambda: unit(rows, dim, 0))
    gallery_GD = retriever.gallery_GD
    product_s = min(timed(lambda: product(queries_QD, gallery_GD))[0] for _ in range(REPEATS))
    return {
        "product_s": product_s * queries / rows,
        "ours_s": ours_s - index_s - embed_s * queries / rows,
        "beyond_mib": beyond / 2**20,
        "ties": int((ranks.ties > 0).sum()),
    }


def product(queries_QD: Tensor, gallery_GD: Tensor) -> None:
    """The bare matrix product, block by block; nothing is kept."""
    room = torch.empty(ROWS * COLUMNS)
    for part_CD in gallery_GD.split(COLUMNS):
        for part_QD in queries_QD.split(ROWS):
            block_QC = room[: len(part_QD) * len(part_CD)].view(len(part_QD), len(part_CD))
            torch.mm(part_QD, part_CD.T, out=block_QC)


def streaming(sizes: Sequence[str], dim: int) -> None:
    print(f"Streamed from embeddings, D {dim}, each size in a process of its own; drawing embeddings is taken off")
    print(f"  {'queries x gallery':<20} {'product':>10} {'ours':>10} {'ratio':>6} {'memory beyond':>14} {'tied':>6}")
    for size in sizes:
        found = in_own_process("--dim", str(dim), "--one", size)
        ratio = found["ours_s"] / found["product_s"]
        times = f"{found['product_s']:>8.2f} s {found['ours_s']:>8.2f} s {ratio:>6.2f}"
        print(f"  {size:<20} {times} {found['beyond_mib']:>10.0f} MiB {found['ties']:>6}", flush=True)
        if size == "20000x1000000":
            print(f"  a million by a million, extrapolated: {found['ours_s'] * 50 / 60:.0f} minutes")
    print()


def statistics(queries: int = 2556) -> None:
    print(f"Statistics of {queries} queries")
    generator = np.random.default_rng(0)
    for kind, values in (
        ("hits", generator.integers(0, 2, queries) * 100.0),
        ("average precision", generator.random(queries) * 100),
    ):
        for how, shared in (("plain", 1), ("clustered by target", 3)):
            clusters = Clusters.of([[str(row // shared)] for row in range(queries)], [None] * queries)
            interval_s, _ = timed(lambda v=values, c=clusters: recall_confidence_interval(v, c))
            p_s, _ = timed(lambda v=values, c=clusters: recall_difference_p(v, v[::-1], c))
            print(f"  {kind + ', ' + how:<40} interval {interval_s:8.5f} s   p of a difference {p_s:8.5f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sorted", type=int, default=10_000, help="queries and gallery of the first table")
    parser.add_argument("--sizes", nargs="*", default=SIZES, help="QxG of the second table")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        queries, gallery = map(int, given.one.split("x"))
        print(json.dumps(measure(queries, gallery, given.dim)))
        return
    print_machine()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    against_sorting(given.sorted, given.dim)
    streaming(given.sizes, given.dim)
    statistics()


if __name__ == "__main__":
    main()
