"""Give every command bad input of every kind, and count how it ends.

    python -m tests.attack                        # all
    python -m tests.attack --sample 60            # some of each family
    python -m tests.attack --family sqlite --show # every line that was said
    python -m tests.attack --match "parts .*texts"

Bad input ends in one line and exit code 2, changes nothing, and leaves nothing half-written: the exit code is 1 if one
case ended otherwise.
"""

import argparse
import json
import os
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", NO_COLOR="1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cvr_data.language.tagging import tagged
from tests.attack.cases import all_cases, command_lines
from tests.attack.running import Case, End, attempt, import_all, table
from tests.attack.world import REFUSED, make_world


def sampled(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Return so many cases, as many of each family as there are."""
    shuffled = random.Random(seed).sample(list(cases), len(cases))
    place = {}
    for case in shuffled:
        place[id(case)] = sum(each.family == case.family for each in shuffled[: shuffled.index(case)])
    return sorted(shuffled, key=lambda case: place[id(case)])[:count]


def attempt_all(cases: Sequence[Case], world: Path, place: Path, jobs: int) -> list[End]:
    """Run cases in so many processes, and return how each ended."""
    readers = []
    for number in range(jobs):
        reading, writing = os.pipe()
        if not os.fork():
            os.close(reading)
            _work(cases, range(number, len(cases), jobs), world, place / str(number), writing)
        os.close(writing)
        readers.append(reading)
    ends: dict[int, End] = {}
    for reading in readers:
        with os.fdopen(reading) as lines:
            for line in lines:
                number, end, said = json.loads(line)
                ends[number] = End(cases[number], end, said)
    return [ends[number] for number in range(len(cases))]


def _work(cases: Sequence[Case], numbers: range, world: Path, place: Path, writing: int) -> None:
    place.mkdir()
    with os.fdopen(writing, "w") as out:
        for number in numbers:
            end = attempt(cases[number], world, place)
            out.write(json.dumps([number, end.end, end.said]) + "\n")
            out.flush()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--family")
    parser.add_argument("--match", default="", help="regular expression of family, damage and command")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what was said of every case")
    parser.add_argument("--world", type=Path, help="made by an earlier run; made there if it is not there")
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
        cases = [*plain, *all_cases(world)] if not options.sample else sampled(all_cases(world), options.sample, options.seed)
        cases = [case for case in cases if options.family in (None, case.family) and re.search(options.match, _name(case))]
        ends = attempt_all(cases, world, Path(folder), options.jobs)
    bad = [end for end in ends if end.is_bad or _is_odd(end)]
    for end in ends if options.show else bad:
        print(f"{end.end}: {_name(end.case)}\n    {end.said[-400:]}")
    print(table(ends))
    print(f"{len(bad)} of {len(ends)} ended as no command may")
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
