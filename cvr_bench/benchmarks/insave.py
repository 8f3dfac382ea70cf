"""InsAVE-80K as retrieval: which of 2,000 clips an editing instruction, pictures and sound, makes of a source clip.

A construction of MTEB over the 1,000 pairs that InstructAV2AV generates and scores by the quality of its films, so no
number of that paper is comparable. The gallery is all clips of eval.csv, the query's own among them, which stays as a
hard negative (reference=keep, as published). 128 clips repeat another one byte for byte: MTEB counts the copies of a
target as right, which needs the media; here the line on copies of a result does that, and --data with MTEB's copy has
the same targets as MTEB.

Paper: Zheng et al., 2026 (https://arxiv.org/abs/2605.18467). Licence: not established for the clips. Files: eval_data
of https://huggingface.co/datasets/suimu/InsAVE-80K at 8ba8ccaad1d8f97b08e218dae1f2b439bd3d2289, or
https://huggingface.co/datasets/myang333/InsAVE80KVT2VRetrieval at 8bf85ebf9183bde4217688c3cc1ba0e8de4b95b7.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from dataclasses import dataclass
from pathlib import Path

from cvr_bench.benchmarks._composed import Counted
from cvr_bench.benchmarks._retrieval_set import benchmark_files_or_copy, benchmark_task_of_set, is_benchmark_copy
from cvr_bench.tasks.composed import QueryRow, Reference, composed_task, task_videos
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import KS, Task
from cvr_data.core.annotation_files import check_counts
from cvr_data.core.errors import CvrError
from cvr_data.core.files import read_table
from cvr_data.media.retrieval_set import RetrievalSet

ORIGIN = "https://huggingface.co/datasets/suimu/InsAVE-80K or myang333/InsAVE80KVT2VRetrieval"
FILE = "eval_data/eval.csv"
COLUMNS = ("original_video", "target_video", "instruction")
PUBLISHED = {"queries": 1000, "clips": 2000}


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that holds eval_data/eval.csv, or MTEB's copy."""
    reference: Reference = "keep"
    """Whether the source clip is left out of its ranking; it is ranked as published."""


EXAMPLE = {"": (3, 6), "reference=exclude": (3, 6)}


def files(config: Config) -> list[Path]:
    """Return eval.csv, or the parts of MTEB's copy."""
    return benchmark_files_or_copy(config.annotations, [FILE], origin=ORIGIN)


def load(config: Config) -> Task:
    path, *_ = paths = files(config)
    if is_benchmark_copy(paths):
        task = benchmark_task_of_set(
            "insave", RetrievalSet(folder=config.annotations), config.reference, ks=KS, map_ks=(10,)
        )
    else:
        rows = _rows(path)
        protocol = Protocol(gallery="listed", reference=config.reference)
        task = composed_task("insave", rows, sorted(task_videos(rows)), protocol)
    check_counts(path, config.counts, {"queries": len(task.queries), "clips": len(task.gallery)}, PUBLISHED)
    return task


def _rows(path: Path) -> list[QueryRow]:
    """The queries; a clip is known by the stem of its file, and a query by that of its source, as MTEB has it."""
    rows: list[QueryRow] = []
    paths: dict[str, str] = {}
    for number, row in enumerate(read_table(path, COLUMNS, COLUMNS).to_pylist()):
        if empty := [name for name in COLUMNS if not row[name]]:
            raise CvrError(f"{path}: row {number} (counted from 0), column {empty[0]!r}: empty.")
        source, target = (Path(row[name]).stem for name in COLUMNS[:2])
        for stem, name in ((source, row["original_video"]), (target, row["target_video"])):
            if paths.setdefault(stem, name) != name:
                raise CvrError(f"{path}: {paths[stem]} and {name} would both be the clip {stem!r}.")
        rows.append(QueryRow(f"q-{source}", source, row["instruction"], (target,)))
    return rows
