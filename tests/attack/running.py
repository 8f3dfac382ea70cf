"""Runs a command on bad input, in a process that has all modules already, and says how it ended."""

import gc
import importlib
import os
import pkgutil
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cli

LIMIT_S = 60
MEMORY = 12 << 30
"""Bytes of address space: what asks for more is refused, and that is no way to end in one line either."""
ENDS = ("one line", "works", "accepted", "several lines", "traceback", "hang", "altered", "undone")
"""How a command may end; `accepted` is what works and must not, `altered` one line after it changed or left a file."""
PROGRESS = re.compile(r"\d+ s so far$")
"""What a slow machine is told of meanwhile."""
BAD = ENDS[2:]


@dataclass(frozen=True)
class Case:
    """A command, and what is done to the world before it runs there."""

    family: str
    name: str
    words: tuple[str, ...]
    damage: Callable[[Path], None] = lambda _: None
    may_work: bool = False
    """The input is odd, and whoever makes sense of it may."""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class End:
    """How a case ended, and what was said."""

    case: Case
    end: str
    said: str

    @property
    def is_bad(self) -> bool:
        """Whether it is none of the ways in which a command may end on this input."""
        return self.end in BAD


def import_all() -> None:
    """Import what commands import, so that processes forked from this one need not."""
    for name in ("cvr_data", "cvr_bench"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    for name in ("pandas", "h5py", "scipy.stats", "safetensors.torch"):
        importlib.import_module(name)
    gc.freeze()  # what a collection touches would have to be copied for each process


def attempt(case: Case, world: Path, place: Path) -> End:
    """Run a case on a copy of the world that lies in `place` for so long."""
    folder = place / "w"
    _restore(folder, world)
    try:
        case.damage(folder)
    except Exception as error:
        return End(case, "undone", repr(error))
    before = _states(folder)
    code = _wait(_fork(case, folder, place / "said"), LIMIT_S)
    said = (place / "said").read_text(errors="replace").replace(str(folder), ".")
    end = end_of(code, said)
    end = "accepted" if end == "works" and not case.may_work else end
    if end == "one line" and (changed := _changed(before, _states(folder))):
        end, said = "altered", f"{said.rstrip()} [{changed}]"
    return End(case, end, said.strip())


def _restore(folder: Path, world: Path) -> None:
    """Make a folder a copy of the world again: what differs goes, and what is missing comes."""
    known, found = _states(world), _states(folder) if folder.exists() else {}
    for name in sorted(found, key=lambda name: name.count(os.sep), reverse=True):
        if found[name] != known.get(name):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            del found[name]
    folder.mkdir(exist_ok=True)
    for name in sorted(known.keys() - found.keys(), key=lambda name: name.count(os.sep)):
        source, target = world / name, folder / name
        if source.is_dir() and not source.is_symlink():
            target.mkdir(exist_ok=True)
        elif source.is_symlink():
            target.symlink_to(source.readlink())
        elif not target.exists():
            _linked(str(source), str(target))


def _linked(source: str, target: str) -> None:
    """Copy what commands write into; a link does for what they replace."""
    (shutil.copy2 if source.endswith((".sqlite", "-wal", "-shm")) else os.link)(source, target)


def _fork(case: Case, folder: Path, log: Path) -> int:
    if process := os.fork():
        return process
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.environ.update(case.environment)
        said, nothing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDWR)
        for number, descriptor in enumerate((nothing, nothing, said)):
            os.dup2(descriptor, number)
        sys.argv = ["cvr", *case.words]
        warnings.simplefilter("default")
        code = cli.run(list(case.words))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(process: int, seconds: float) -> int | None:
    """Wait for a process and return its exit code; None if it takes longer and had to be killed."""
    ends = time.monotonic() + seconds
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > ends:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return None
        time.sleep(0.003)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def end_of(code: int | None, said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip() and not PROGRESS.search(line)]
    if code is None:
        return "hang"
    if code == 0:
        return "works"
    if code != 2 or "Traceback" in said:
        return "traceback"  # also what our last resort caught, and a signal
    return "one line" if len(lines) == 1 and lines[0].startswith("cvr: ") else "several lines"


def _states(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for root, folders, files in os.walk(folder):
        for name in [*files, *folders]:
            path = Path(root, name)
            state = path.lstat()
            is_file = name in files
            found[os.path.relpath(path, folder)] = (state.st_mtime_ns, state.st_size) if is_file else (0, 0)
    return found


def _changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> str:
    """What a command that was refused changed, removed or did not clear away."""
    said = [f"changed {name}" for name, state in before.items() if after.get(name, state) != state]
    said += [f"removed {name}" for name in before if name not in after]
    new = sorted(after.keys() - before.keys())
    files = [name for name in new if after[name] != (0, 0)]
    begun = [name.removesuffix("running.json") for name in files if name.endswith("running.json")]
    said += [f"left {name}" for name in files if name.endswith(".tmp")]
    said += [f"left {folder} unfinished" for folder in begun if sum(name.startswith(folder) for name in files) == 1]
    return ", ".join(said)


def table(ends: Sequence[End]) -> str:
    """Return how many of each family ended how."""
    lines = [f"{'family':<16}{'tried':>7}" + "".join(f"{end:>15}" for end in ENDS)]
    families = list(dict.fromkeys(each.case.family for each in ends))
    for family in [*families, "all"]:
        some = [each for each in ends if family in (each.case.family, "all")]
        counts = "".join(f"{sum(each.end == end for each in some):>15}" for end in ENDS)
        lines.append(f"{family:<16}{len(some):>7}{counts}")
    return "\n".join(lines)
