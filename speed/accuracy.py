"""How well each model retrieves on the synthetic world, over several seeds, and what each idea of FDCA is worth.

    cvr quickstart                                              # makes the folder `quickstart` with data and features
    python speed/accuracy.py quickstart -O results/accuracy
    python speed/accuracy.py quickstart -O results/accuracy --only fdca combiner --seeds 1

Each row is trained once per seed (weights, order and dropout), its checkpoint chosen on val. Recalls are means over
seeds, `spread` is the largest minus the smallest mean of a seed, and the last column compares with `fdca`: a 95 %
interval of the difference of per-query recalls, averaged over seeds. A finished run is
read again. BSE-CoVR and ECDE read the reference's caption as its description, which the other models do not see.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvr_bench.results.result import Result, read_result
from cvr_bench.scoring.intervals import clusters_of, difference_interval
from cvr_bench.scoring.metrics import recall_values

KS = (1, 5, 10, 50)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    model: str
    options: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    is_trained: bool = True


ROWS = (
    Row("random", "random", is_trained=False),
    Row("visual-only", "visual-only", is_trained=False),
    Row("text-only", "text-only", is_trained=False),
    Row("sum", "sum", is_trained=False),
    Row("tirg", "tirg"),
    Row("combiner", "combiner"),
    Row("fdca faithful", "fdca", ("mode=faithful",), ("lr=1e-4", "optimizer=adam", "schedule=constant", "warmup=0")),
    Row("fdca", "fdca"),
    Row("fdca, no token branch", "fdca", ("token_branch=false",)),
    Row("fdca, no triplet loss", "fdca", ("triplet_weight=0",)),
    Row("fdca, no retained loss", "fdca", ("retained_weight=0",)),
    Row("covr-blip", "covr-blip"),
    Row("covr-blip faithful", "covr-blip", ("mode=faithful",)),
    Row("covr-blip, late fusion", "covr-blip", ("variant=late-fusion",)),
    Row("covr-blip, text only", "covr-blip", ("variant=text-only",)),
    Row("covr-blip, visual only", "covr-blip", ("variant=visual-only",)),
    Row("covr-blip2", "covr-blip2"),
    Row("bse-covr (description)", "bse-covr"),
    Row("ecde (description)", "ecde"),
)


def result_of(row: Row, seed: int, folder: Path, out: Path) -> Result:
    """Train and score, unless that was done."""
    place = out / f"{row.name.replace(', ', '-').replace(' ', '-')}-{seed}"
    command = [
        str(Path(sys.executable).with_name("cvr")),
        "bench",
        "--model",
        row.model,
        "--data",
        "annotations/quickstart",
        "-e",
        "embeddings",
    ]
    command += ["--seed", str(seed), "--no-audit", "-O", str(place.resolve())]
    command += [word for option in row.options for word in ("-o", option)]
    command += [word for option in row.train for word in ("-t", option)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{row.name}, seed {seed}: {done.stderr.strip().splitlines()[-1]}")
    return read_result(next(place.glob("*/result.json")).parent)


def values_of(results: list[Result]) -> np.ndarray:
    """Mean recall of each query, averaged over seeds; queries in the same order in every result."""
    first = results[0].ranks.column("query_id").to_pylist()
    assert all(result.ranks.column("query_id").to_pylist() == first for result in results)
    return np.mean([recall_values(result.ranks.column("rank").to_numpy(), KS) for result in results], axis=0)


def show(row: Row, results: list[Result], reference: list[Result] | None) -> None:
    """Print a line of the table."""
    recalls = np.array([[result.interval(f"R@{k}").value for k in KS] for result in results])
    means = recalls.mean(axis=1)
    line = f"{row.name:<24} " + " ".join(f"{value:6.2f}" for value in recalls.mean(axis=0))
    line += f"  {means.mean():6.2f} {np.ptp(means):7.2f}"
    if reference is not None and reference is not results:
        found = difference_interval(values_of(results), values_of(reference), clusters_of(results[0].ranks))
        line += f"  {found.value:+6.2f} [{found.low:+.2f}, {found.high:+.2f}]"
    seconds = np.mean([result.record["seconds"].get("train", 0.0) for result in results])
    print(line + f"  {seconds:6.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a finished `cvr quickstart`")
    parser.add_argument("--out", "-O", type=Path, default=Path("results/accuracy"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of rows; all without")
    given = parser.parse_args()
    print(
        f"{'model':<24} "
        + " ".join(f"{f'R@{k}':>6}" for k in KS)
        + "    mean  spread  minus fdca, mean        training"
    )
    rows = [row for row in ROWS if not given.only or row.name in (*given.only, "fdca")]
    found = {}
    for row in sorted(rows, key=lambda row: row.name != "fdca"):
        seeds = range(given.seeds if row.is_trained or row.model == "random" else 1)
        found[row.name] = [result_of(row, seed, given.folder, given.out) for seed in seeds]
        show(row, found[row.name], found["fdca"])


if __name__ == "__main__":
    main()
