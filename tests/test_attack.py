"""Bad input ends in one line and exit code 2, changes nothing, and leaves nothing half-written: some of every kind.

`make attack` gives all of it, some 2,120 cases.
"""

import subprocess
import sys

import pytest

from tests.attack.running import Case, End, end_of, table
from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.engine
def test_sixty_bad_inputs_of_every_kind_end_in_one_line():
    ran = subprocess.run(
        [sys.executable, "-m", "tests.attack", "--sample", "4"], capture_output=True, text=True, cwd=ROOT, timeout=600
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "\n0 of 6" in ran.stdout


@pytest.mark.parametrize(
    ("code", "said", "end"),
    [
        (2, "cvr: no.\n", "one line"), (2, "mine-pairs 0/1 parts, 0 parts/s, 11 s so far\ncvr: no.\n", "one line"),
        (2, "a warning\ncvr: no.\n", "several lines"), (2, "no.\n", "several lines"), (0, "", "works"),
        (70, "cvr: unexpected error, ...\n", "traceback"), (1, "", "traceback"), (-11, "", "traceback"),
        (2, "Traceback (most recent call last):\ncvr: no.", "traceback"), (None, "", "hang"),
    ],
)  # fmt: skip
def test_ends_are_told_apart(code, said, end):
    assert end_of(code, said) == end


def test_each_family_is_counted():
    ends = [End(Case("a", "", ()), "one line", ""), End(Case("b", "", ()), "hang", "")]
    lines = [line.split() for line in table(ends).splitlines()]
    assert [line[:3] for line in lines[1:]] == [["a", "1", "1"], ["b", "1", "0"], ["all", "2", "1"]]
    assert [end.is_bad for end in ends] == [False, True]
