"""What stages take at sizes that matter: rows a second, memory of every process, bytes written, on each engine.

    python speed/captions.py videos-1m --captions 1000000     # a videos table of any size
    python speed/stages.py videos-1m                          # one-word in memory, here, and in two processes
    python speed/stages.py videos-1m --on here ray            # also on a Ray that is started here
    python speed/stages.py videos-1m --on here --stages one-word one-phrase mine-pairs texts triplets

one-word and one-phrase (of any phrases) are mine-pairs with its default filters but text-similarity, which encodes, and
invisible-change, which tags, and without the types of changes, which tag too. `memory` calls the same functions once,
on whole tables: so the runner adds what `here` takes more. mine-pairs is the command with tags; texts (by rules) and
triplets go on from its pairs.

A process of its own runs each, and its tree is looked at ten times a second: the peak of the memory of the one that
hands out jobs, and the largest of the others. Seconds of CPU are those of all; on a busy machine compare these.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import print_machine

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import use_engine
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.pairs import mine_pairs
from cvr_data.pairs.columns import pair_column_step
from cvr_data.pairs.mine_pairs import DEFAULT_FILTERS, Filter, Strategy, parse_mining_filter, strategy_of
from cvr_data.pairs.search.pairs import pairs_with_video_columns

ENGINES = {"here": Engine(), "two": Engine("local", 2), "ray": Engine("ray", 2)}
MINED = {"one-word": (), "one-phrase": ("phrases=any",)}
WITH_NETWORKS = ("text-similarity", "invisible-change")
"""Default filters that encode or tag the captions of pairs: 640 and 1,500 captions/s."""
LOOK_S = 0.1
MIB = 2**20


def chosen(stage: str) -> tuple[Strategy, list[Filter]]:
    """Return the strategy of a stage, and the default filters that ask no network."""
    named = [parse_mining_filter(name) for name in DEFAULT_FILTERS if name not in WITH_NETWORKS]
    return strategy_of(stage, MINED[stage]), named


def mined(stage: str, videos: Path, out: Path) -> int:
    """Write the pairs without the types of their changes, and return how many there are."""
    strategy, filters = chosen(stage)
    read = mine_pairs._Read(False, str(videos))
    with StageRun(out, stage="measured", version=1, config={}, inputs={"videos": videos}, overwrite=False) as run:
        pairs = strategy.module.mined(strategy.config, mine_pairs._videos_to_mine(run, videos, read))
        pairs = mine_pairs._filtered_pairs(pairs, strategy, filters, mine_pairs._Columns(None, None))
        return run.write(pairs, sort_by=("reference_id", "target_id", "pair_id")).manifest["rows"]


def mined_in_memory(stage: str, videos: Path, out: Path) -> int:
    """Write the same pairs by one call of each function."""
    strategy, filters = chosen(stage)
    table = mine_pairs._read_by_pair_filters(mine_pairs._Read(False, str(videos)), open_artifact(videos).read())
    pairs, dropped = stage_rows_by_drop_reason(
        pairs_with_video_columns(strategy.module.run(strategy.config, table), table.drop_columns(["captions"]))
    )
    lost = [dropped]
    for each in filters:
        if (need := mine_pairs._need_of_pair_filter(each)) is not None:
            column = pair_column_step(need, None, None)
            pairs = column.run(column.config, pairs)
        pairs, dropped = stage_rows_by_drop_reason(each.module.run(each.config, pairs))
        lost.append(dropped)
    out.mkdir()
    pq.write_table(pairs, out / "pairs.parquet")
    pq.write_table(pa.concat_tables(lost, promote_options="permissive"), out / "dropped.parquet")
    return pairs.num_rows


def command_of(stage: str, on: str, source: Path, out: Path) -> list[str]:
    """Return the command that runs a stage: of `cvr`, or this file again."""
    if stage in MINED:
        return [sys.executable, __file__, str(source), "--stages", stage, "--on", on, "--out", str(out)]
    engine = {"here": [], "two": ["--workers", "2"], "ray": ["--engine", "ray", "--workers", "2"]}[on]
    filters = [word for each in chosen("one-word")[1] for word in ("--filter", each.name)]
    words = {
        "mine-pairs": ["mine-pairs", source, *filters, *engine],
        "texts": ["generate-modifications", source, "--style", "short", "--llm", "rules"],
        "triplets": ["build-triplets", source],
    }[stage]
    return [str(Path(sys.executable).with_name("cvr")), *map(str, words), "-O", str(out)]


class Watched:
    """Runs a command and looks at its processes until it ends."""

    def __init__(self, command: list[str]):
        started = time.perf_counter()
        self.peak: dict[int, int] = {}
        self.cpu_s: dict[int, float] = {}
        self.written: dict[int, int] = {}
        process = psutil.Popen(command, stdout=subprocess.DEVNULL)
        self.root = process.pid
        over = threading.Event()
        looking = threading.Thread(target=self._look, args=(process, over))
        looking.start()
        code = process.wait()
        self.seconds = time.perf_counter() - started
        over.set()
        looking.join()
        if code:
            raise SystemExit(f"{' '.join(command)} ended with {code}.")

    def _look(self, process: psutil.Process, over: threading.Event) -> None:
        while not over.wait(LOOK_S):
            with suppress(psutil.Error):
                for each in (process, *process.children(recursive=True)):
                    with suppress(psutil.Error):
                        self._look_at(each)

    def _look_at(self, process: psutil.Process) -> None:
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
            self.peak[process.pid] = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
        times = process.cpu_times()
        self.cpu_s[process.pid] = times.user + times.system
        self.written[process.pid] = process.io_counters().write_chars


def measured(stage: str, on: str, source: Path, out: Path) -> None:
    """Print a line of the table."""
    run = Watched(command_of(stage, on, source, out))
    others = [peak for process, peak in run.peak.items() if process != run.root]
    rows_in = open_artifact(source).manifest["rows"]
    cpu_s = sum(run.cpu_s.values())
    print(
        f"{stage:<11} {on:<7} {rows_in:>11,} rows  {rows_in / cpu_s:>9,.0f} a CPU second  {cpu_s:7.1f} s CPU"
        f"  {run.seconds:7.1f} s  command {run.peak[run.root] / MIB:6.0f} MiB"
        f"  others {max(others, default=0) / MIB:6.0f} MiB  wrote {sum(run.written.values()) / MIB:6.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument(
        "--stages", nargs="+", default=["one-word"], choices=[*MINED, "mine-pairs", "texts", "triplets"]
    )
    parser.add_argument("--on", nargs="+", default=["memory", "here", "two"], choices=["memory", *ENGINES])
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.out:  # the process that is measured
        if options.on == ["memory"]:
            mined_in_memory(options.stages[0], options.videos, options.out)
            return
        with use_engine(ENGINES[options.on[0]]):
            mined(options.stages[0], options.videos, options.out)
        return
    print_machine()
    with tempfile.TemporaryDirectory(dir=options.videos.resolve().parent) as folder:
        for on in options.on:
            source = options.videos
            for stage in options.stages:
                if on == "memory" and stage not in MINED:
                    continue
                out = Path(folder) / f"{stage}-{on}"
                measured(stage, on, source, out)
                if stage in MINED:
                    shutil.rmtree(out)
                else:
                    source = out


if __name__ == "__main__":
    main()
