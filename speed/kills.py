"""Kill stages with SIGKILL at random moments, run them again, and compare every byte with a run that was left alone.

    python speed/kills.py --kills 40                              # of each stage, in this process's stead
    python speed/kills.py --kills 20 --on here two ray            # also with two workers, and on a Ray of two nodes
    python speed/kills.py --kills 12 --stages mine-pairs --seed 7

A stage is started, killed, and started again on what it left, until it was killed so many times or a run came to its
end, from where it begins in a new folder. With workers, every second kill hits a worker, and the command goes on by
itself. What counts is a kill that hit a running process. At the end the folder has the same files with the same bytes,
nothing else, and `cvr verify` finds no fault; manifests are compared by rows, funnel and files, as they have times.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import psutil

import cli
from cvr_data.language.tagging import tagged
from tests.small_jobs import SMALL

PAIRS_OPTIONS = ("--filter", "min-words", "--filter", "caption-cap:most=3", "--filter", "caption-pair-cap")
WORLD_OPTIONS = ("-o", "train=20", "-o", "val=4", "-o", "test=30", "-o", "render=false")
NEAR = ("--strategy", "neighbors", "-o", "text_encoder=hash", "-o", "low=-1", "-o", "k=4")
GIVEN = ("--strategy", "given", "-o", "path=given.jsonl")
STAGES = {
    "import": ("import", "table", "clips.jsonl", "-o", "id=clip", "-o", "caption=text", "-O", "videos"),
    "import-world": ("import", "synthetic", *WORLD_OPTIONS, "-O", "world"),
    "embed": ("embed", "videos", "--encoder", "hash", "-O", "embeddings"),
    "split": ("split", "videos", "--embeddings", "embeddings", "-o", "test=0.5", "-O", "videos-split"),
    "mine-pairs": ("mine-pairs", "videos-split", *PAIRS_OPTIONS, "-O", "pairs"),
    "one-phrase": ("mine-pairs", "videos", "--strategy", "one-phrase", *PAIRS_OPTIONS, "-O", "pairs-phrase"),
    "given": ("mine-pairs", "videos", *GIVEN, *PAIRS_OPTIONS, "-O", "given"),
    "neighbors": ("mine-pairs", "videos", *NEAR, *PAIRS_OPTIONS, "-O", "neighbors"),
    "faiss": (
        "mine-pairs", "videos", *NEAR, "-o", "exact_up_to=0", "-o", "probes=3", *PAIRS_OPTIONS, "-O", "faiss"
    ),
    "concept": ("mine-pairs", "videos", "--strategy", "concept", "-o", "targets=5", *PAIRS_OPTIONS, "-O", "concept"),
    "world-pairs": ("mine-pairs", "world", *PAIRS_OPTIONS, "-O", "pairs-world"),
    "generate-modifications": (
        "generate-modifications", "pairs", "--style", "short", "--llm", "rules", "-O", "modifications"
    ),
    "score-modifications": ("score-modifications", "modifications", "--min-gain", "0.02", "-O", "modifications-scored"),
    "truth-modifications": ("truth-modifications", "pairs-world", "-O", "modifications-true"),
    "describe-videos": ("describe-videos", "world", "--llm", "echo", "--replace", "-O", "videos-described"),
    "build-triplets": ("build-triplets", "modifications", "-O", "triplets"),
    "frame-scores": ("frame-scores", "triplets", "--embeddings", "embeddings", "-O", "triplets-scored"),
    "mine-distractors": ("mine-distractors", "triplets", "videos", "-O", "distractors"),
}  # fmt: skip
"""In an order in which each finds what it reads."""
WORDS = (["a", "one"], ["red", "blue", "old"], ["dog", "cat", "man"], ["runs", "sits"], ["on the beach", "in a park"])
OUTLIVES_S = 30.0
AT_WORK = ("spawn_main", "ray::cvr")
"""What the command lines of workers have."""


def run(words: tuple[str, ...], folder: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Start a command in a folder, in a process of its own that has all modules, and return its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:  # whatever comes, this process ends here, and does not unwind what the one that started it has
        os.setsid()
        os.chdir(folder)
        vars(sys.modules["__main__"]).pop("__file__", None)  # or every worker would import all of this
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        prepare()
        code = cli.run(list(words))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait_for(process: int, folder: Path) -> None:
    """Wait until a run ends, and stop here if it did not end well."""
    _, status = os.waitpid(process, 0)
    if status:
        raise SystemExit(f"{folder}: ended with {status}: {(folder / 'log.txt').read_text()[-2000:]}")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file, of a manifest what no clock decides."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(found["manifest.json"])
    found["manifest.json"] = repr(
        [manifest.get(name) for name in ("key", "rows", "dropped", "funnel", "files")]
    ).encode()
    return found


def is_running(process: int) -> bool:
    """Whether it neither ended nor was killed."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def hit(process: int, at_workers: bool) -> str | None:
    """Kill the process or one of its workers; return which, None if there was none."""
    if not is_running(process):
        return None
    if at_workers:
        with suppress(psutil.Error):
            found = [psutil.Process(process)] if not RAY else [psutil.Process(RAY[0])]
            workers = [each for one in found for each in one.children(recursive=True) if is_worker(each)]
            if workers:
                random.choice(workers).kill()
                return "worker"
        return None
    os.kill(process, signal.SIGKILL)
    return "command"


def check_alone(command: int) -> None:
    """Stop here if a worker outlives its command by more than a while."""
    workers = [each for each in psutil.process_iter() if is_of(each, command)]
    left = psutil.wait_procs(workers, timeout=OUTLIVES_S)[1]
    if left:
        raise SystemExit(f"Processes {[each.pid for each in left]} outlived the command that was killed.")


def is_of(process: psutil.Process, command: int) -> bool:
    """Whether it runs and was started by this command, which has a session of its own."""
    with suppress(psutil.Error, ProcessLookupError):
        return os.getsid(process.pid) == command and process.status() != psutil.STATUS_ZOMBIE
    return False


RAY: list[int] = []
"""The process that has the nodes of Ray, while there is one."""


def is_worker(process: psutil.Process) -> bool:
    """Whether it does jobs."""
    with suppress(psutil.Error):
        return any(word in " ".join(process.cmdline()) for word in AT_WORK)
    return False


class Kills:
    """Kills one stage on one engine again and again."""

    def __init__(self, name: str, on: str, engine: tuple[str, ...], world: Path):
        self.name, self.on, self.world = name, on, world
        self.words = (*STAGES[name], *engine)
        self.out = STAGES[name][-1]
        self.hits = {"command": 0, "worker": 0}
        self.folders = 0

    def whole(self) -> float:
        """Run the stage once without a kill, and return its seconds."""
        started = time.perf_counter()
        folder = self._folder()
        wait_for(run(self.words, folder), folder)
        self.expected = bytes_of(folder / self.out)
        return time.perf_counter() - started

    def kill(self, wanted: int, seconds: float) -> None:
        """Kill runs until so many kills hit, and compare what is made after them."""
        while sum(self.hits.values()) < wanted:
            folder = self._folder()
            while True:
                process = run(self.words, folder)
                time.sleep(random.uniform(0, seconds))
                struck = hit(process, at_workers=self.on != "here" and random.random() < 0.5)
                if struck is not None:
                    self.hits[struck] += 1
                if struck == "command":
                    os.waitpid(process, 0)
                    check_alone(process)
                    if sum(self.hits.values()) < wanted:
                        continue
                    process = run(self.words, folder)
                wait_for(process, folder)
                break
            self._compare(folder)

    def _compare(self, folder: Path) -> None:
        found = bytes_of(folder / self.out)
        wrong = sorted(name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name))
        if wrong:
            raise SystemExit(f"{self.name} on {self.on}: {folder} differs in {', '.join(wrong[:9])}.")
        wait_for(run(("verify", self.out), folder), folder)

    def _folder(self) -> Path:
        """Return a new folder in which the stages before this one have written."""
        self.folders += 1
        folder = self.world.parent / f"{self.name}-{self.on}-{self.folders:03d}"
        folder.mkdir()
        for path in self.world.iterdir():
            if path.name not in (self.out, "log.txt"):
                (folder / path.name).symlink_to(path)
        return folder


def needed(names: list[str]) -> list[str]:
    """Return these stages and those whose folders they read, in the order of `STAGES`."""
    wanted = set(names)
    for name, words in reversed(STAGES.items()):
        if any(words[-1] in STAGES[other][:-1] for other in wanted):
            wanted.add(name)
    return [name for name in STAGES if name in wanted]


def write_clips(world: Path) -> None:
    """Write captions that have each other for pairs, and a file of pairs."""
    captions = [" ".join(words) for words in product(*WORDS)]
    clips = [{"clip": f"c{number:03d}", "text": text} for number, text in enumerate(captions * 3)]
    pairs = [{"reference_id": f"c{n:03d}", "target_id": f"c{7 * n % 230:03d}"} for n in range(len(clips))]
    for name, rows in (("clips.jsonl", clips), ("given.jsonl", pairs)):
        (world / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def takes_engine(name: str) -> bool:
    """Whether the command of a stage can run its jobs elsewhere."""
    found = cli.group.get_command(click.Context(cli.group), STAGES[name][0])
    return found is not None and any("--engine" in option.opts for option in found.params)


@contextmanager
def engine_of(on: str) -> Iterator[tuple[str, ...]]:
    """Give the options of an engine, with a Ray of two nodes while it lasts."""
    if on != "ray":
        yield {"here": (), "two": ("--workers", "2")}[on]
        return
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        serve_ray(writing)
    with os.fdopen(reading) as told:
        address = told.readline().strip()
    RAY.append(process)
    try:
        yield ("--engine", "ray", "--ray-address", address, "--workers", "3")
    finally:
        RAY.clear()
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)


def serve_ray(writing: int) -> None:
    """Start two nodes, tell their address, and stop them when told."""
    from ray.cluster_utils import Cluster

    def stop(*_: object) -> None:
        cluster.shutdown()
        os._exit(0)

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    signal.signal(signal.SIGTERM, stop)
    os.write(writing, f"{cluster.address}\n".encode())
    while True:
        signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=12, help="of each stage on each engine")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--on", nargs="+", default=["here"], choices=["here", "two", "ray"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    for module, name, value in SMALL:
        setattr(module, name, value)
    list(tagged(["a dog runs"]))  # the tagger is loaded once, for all that start from here
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        world.mkdir()
        write_clips(world)
        for name in needed(options.stages):
            wait_for(run(STAGES[name], world), world)
        for on in options.on:
            with engine_of(on) as engine:
                for name in options.stages:
                    if on != "here" and not takes_engine(name):
                        continue
                    kills = Kills(name, on, engine, world)
                    kills.kill(options.kills, kills.whole())
                    total += sum(kills.hits.values())
                    print(
                        f"{name:<22} {on:<5} {kills.hits['command']:4} kills of the command, "
                        f"{kills.hits['worker']:4} of workers, {kills.folders - 1:4} runs: the same bytes",
                        flush=True,
                    )
    print(f"{total} of {total} kills lost nothing")


if __name__ == "__main__":
    main()
