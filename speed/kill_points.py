"""Kill stages at every point at which files change, run them again, and compare every byte with a run left alone.

    python speed/kill_points.py                           # every stage, every point
    python speed/kill_points.py --stages import --step 5  # every fifth point of one

A point is a call of fsync, replace, rename, mkdir, unlink or rmdir: the process ends just before the first, in a new
folder before the second, ... until a run comes to its end. After each the same command runs again, and the folder has
the same files with the same bytes, nothing else, and `cvr verify` finds no fault. With `replace`, an artifact stands
there that the stage replaces (--overwrite): until the new one is whole, the old one is.
"""

import argparse
import os
import shutil
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click
from kills import STAGES, bytes_of, needed, run, wait_for, write_clips

from cvr_data.core.artifact_files import NEW
from cvr_data.core.artifacts import verify
from cvr_data.core.errors import CvrError
from cvr_data.language.tagging import tagged
from tests.cvr_data.core.killing import die_at
from tests.small_jobs import SMALL

REPLACED = {
    "replace": ("build-triplets", "modifications", "-o", "max_per_target=1", "--overwrite", "-O", "triplets"),
}  # fmt: skip


class Stage:
    """Kills one stage at its points."""

    def __init__(self, name: str, words: tuple[str, ...], world: Path):
        self.name, self.words, self.world, self.out = name, words, world, words[-1]
        folder = self._folder("whole")
        wait_for(run(self.words, folder), folder)
        self.expected = bytes_of(folder / self.out)
        self.is_old = 0
        """Kills after which what stood there before could be read as it was."""

    def killed_at(self, point: int) -> bool:
        """Kill a run at a point and run it again; return whether it came so far."""
        folder = self._folder(str(point))
        process = run(self.words, folder, lambda: die_at(point))
        _, status = os.waitpid(process, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return False
        if self.name in REPLACED:
            self._check_old(folder)
        wait_for(run(self.words, folder), folder)
        found = bytes_of(folder / self.out)
        if wrong := sorted(name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name)):
            raise SystemExit(f"{self.name}, killed at point {point}: {folder} differs in {', '.join(wrong[:9])}.")
        if problems := verify(folder / self.out):
            raise SystemExit(f"{self.name}, killed at point {point}: {problems}")
        shutil.rmtree(folder)
        return True

    def _check_old(self, folder: Path) -> None:
        """What stood there is whole, or the new one is, and goes into place with the next run."""
        try:
            self.is_old += not verify(folder / self.out)
        except CvrError:
            if not (folder / self.out / NEW / "manifest.json").exists():
                raise SystemExit(f"{folder}: neither the old nor the new one is there.") from None

    def _folder(self, name: str) -> Path:
        folder = self.world.parent / f"{self.name}-{name}"
        folder.mkdir()
        for path in self.world.iterdir():
            if path.name == self.out and self.name in REPLACED:
                shutil.copytree(path, folder / path.name)
            elif path.name not in (self.out, "log.txt"):
                (folder / path.name).symlink_to(path)
        return folder


def main() -> None:
    stages = {**STAGES, **REPLACED}
    if find_spec("faiss") is None:
        del stages["faiss"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", default=list(stages), choices=list(stages))
    parser.add_argument("--step", type=int, default=1, help="of the points")
    parser.add_argument("--small", action="store_true", help="cut into many parts")
    options = parser.parse_args()
    for module, name, value in SMALL if options.small else ():
        setattr(module, name, value)
    list(tagged(["a dog runs"]))
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        world.mkdir()
        write_clips(world)
        for name in needed(["build-triplets" if name in REPLACED else name for name in options.stages]):
            wait_for(run(STAGES[name], world), world)
        for name in options.stages:
            stage, points = Stage(name, stages[name], world), 0
            while stage.killed_at(1 + points * options.step):
                points += 1
            total += points
            old = f", {stage.is_old} times the old one was whole" if name in REPLACED else ""
            click.echo(f"{name:<24}{points:>5} points: the same bytes{old}")
    click.echo(f"{total} kills at {total} points lost nothing")


if __name__ == "__main__":
    main()
