"""Give every command bad input of every kind, and count how it ends.

    python -m tests.attack                        # all
    python -m tests.attack --sample 4              # so many of each family
    python -m tests.attack --family sqlite --show # every line that was said
    python -m tests.attack --match "parts .*texts"

Bad input ends in one line and exit code 2, changes nothing, and leaves nothing half-written: the exit code is 1 if one
case ended otherwise.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", NO_COLOR="1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click

from cvr_data.language.tagging import tagged
from tests.attack.cases import all_cases, command_lines, sampled
from tests.attack.running import Case, End, attempt, import_all, table
from tests.attack.world import REFUSED, make_world


def attempt_all(cases: Sequence[Case], world: Path, place: Path, jobs: int, log: TextIO | None = None) -> list[End]:
    """Run cases in so many processes, and return how each ended."""
    reading, writing = os.pipe()
    for number in range(jobs):
        if not os.fork():
            os.close(reading)
            _work(cases, range(number, len(cases), jobs), world, place / str(number), writing)
    os.close(writing)
    ends: dict[int, End] = {}
    with os.fdopen(reading) as lines:
        for line in lines:
            number, end, said = json.loads(line)
            ends[number] = End(cases[number], end, said)
            if log is not None:
                log.write(json.dumps([end, _name(cases[number]), said]) + "\n")
                log.flush()
    return [ends[number] for number in range(len(cases))]


def _work(cases: Sequence[Case], numbers: range, world: Path, place: Path, writing: int) -> None:
    place.mkdir()
    for number in numbers:
        end = attempt(cases[number], world, place)
        os.write(writing, json.dumps([number, end.end, end.said[-1000:]]).encode() + b"\n")  # whole, as it is short
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="so many of each family, and no more")
    parser.add_argument("--seed", type=int, default=0, help="of those")
    parser.add_argument("--family")
    parser.add_argument("--match", default="", help="regular expression of family, damage and command")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what was said of every case")
    parser.add_argument("--world", type=Path, help="made by an earlier run; made there if it is not there")
    parser.add_argument("--log", type=Path, help="write how each ended there, as it ends")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CVR_CACHE"] = str(Path(folder) / "cache")
        os.environ["CVR_DATA"] = str(Path(folder) / "data")
        world = options.world or Path(folder) / "world"
        if not world.exists():
            world.mkdir()
            make_quietly(world)
        import_all()
        list(tagged(["a dog runs"]))  # the tagger is loaded once, for all that start from here
        plain = [Case("undamaged", "", words, may_work=True) for words in command_lines(world)]
        cases = all_cases(world)
        cases = sampled(cases, options.sample, options.seed) if options.sample else [*plain, *cases]
        cases = [
            case for case in cases if options.family in (None, case.family) and re.search(options.match, _name(case))
        ]
        log = options.log.open("w") if options.log else None
        ends = attempt_all(cases, world, Path(folder), options.jobs, log)
    bad = [end for end in ends if end.is_bad or _is_odd(end)]
    for end in ends if options.show else bad:
        click.echo(f"{end.end}: {_name(end.case)}\n    {end.said[-400:]}")
    click.echo(table(ends))
    click.echo(f"{len(bad)} of {len(ends)} ended as no command may")
    sys.exit(bool(bad))


def make_quietly(world: Path) -> None:
    """Make the world, and keep what its commands print to itself."""
    here, log = Path.cwd(), os.dup(1)
    os.chdir(world)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        make_world(world)
    finally:
        sys.stdout.flush()
        os.dup2(log, 1)
        os.chdir(here)


def _is_odd(end: End) -> bool:
    """Whether a command fails though nothing is damaged: then no damage of its files says anything."""
    return end.case.family == "undamaged" and end.end != "works" and end.case.words[0] not in REFUSED


def _name(case: Case) -> str:
    return f"{case.family}: {case.name!r} in: cvr {' '.join(word[:60] for word in case.words)}"


if __name__ == "__main__":
    main()
