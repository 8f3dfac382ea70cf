"""Jobs give the same results in this process, in a pool, and on a real Ray of two workers, one of which is killed."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cvr_data.core.engine import Engine
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine, map_jobs, use_engine
from tests.cvr_data.core.job_functions import (
    always_die,
    die_once,
    fail,
    fail_oddly,
    give_a_function,
    scaled_sum,
    sent_back,
    worker_id,
)

JOBS = [(list(range(number)),) for number in range(7)]
EXPECTED = {index: 3 * sum(job[0]) for index, job in enumerate(JOBS)}
POOL = Engine("local", workers=2)


def results(engine, function, jobs, shared=()):
    with use_engine(engine):
        return dict(map_jobs(function, jobs, shared=shared))


@pytest.mark.engine
def test_no_cluster_is_one_line():  # before the Ray of the other tests starts
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.raises(CvrError, match=r"No Ray answers at '127\.0\.0\.1:1'"):
        results(Engine("ray", workers=2, address="127.0.0.1:1"), scaled_sum, JOBS, (3,))


@pytest.fixture(params=["pool", pytest.param("ray", marks=pytest.mark.engine)])
def workers(request):
    return POOL if request.param == "pool" else request.getfixturevalue("ray_of_two")


def test_here_every_job_is_done_once():
    assert results(Engine(), scaled_sum, JOBS, (3,)) == {index: (sum_, os.getpid()) for index, sum_ in EXPECTED.items()}


def test_every_job_is_done_once_in_other_processes(workers):
    found = results(workers, scaled_sum, JOBS, (3,))
    assert {index: value for index, (value, _) in found.items()} == EXPECTED
    assert os.getpid() not in {pid for _, pid in found.values()}


def test_a_killed_worker_loses_nothing(workers, tmp_path):
    numbers = [(number,) for number in range(6)]
    assert results(workers, die_once, numbers, (str(tmp_path),)) == {n: n * n for n in range(6)}
    assert (tmp_path / "killed").exists()


COMMAND = """
import sys
sys.path.insert(0, {root!r})
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import map_jobs, use_engine
from tests.cvr_data.core.job_functions import sleep_long
if __name__ == "__main__":
    with use_engine(Engine("local", 2)):
        list(map_jobs(sleep_long, [(0,), (1,)], shared=({folder!r},)))
"""


@pytest.mark.slow
def test_workers_end_with_the_process_that_hands_out_jobs_though_it_is_killed(tmp_path):
    script = tmp_path / "command.py"
    script.write_text(COMMAND.format(root=str(Path(__file__).parents[3]), folder=str(tmp_path)))
    command = subprocess.Popen([sys.executable, str(script)])
    while command.poll() is None and len([*tmp_path.glob("pid-*")]) < 2:
        time.sleep(0.01)
    workers = [psutil.Process(int(path.name[4:])) for path in tmp_path.glob("pid-*")]
    command.kill()
    command.wait()
    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=60)[1] == []


def test_workers_that_always_die_are_one_line():
    with pytest.raises(CvrError, match="Worker processes died 3 times at one job"):
        results(POOL, always_die, [(1,), (2,)])


def test_processes_stay_from_one_pass_to_the_next_and_end_with_the_block():
    with use_engine(POOL):
        passes = [{pid for _, pid in map_jobs(worker_id, [()] * 4)} for _ in range(3)]
        with use_engine(Engine("local", 2)):  # the same engine, so the same processes
            passes.append({pid for _, pid in map_jobs(worker_id, [()] * 4)})
    assert len(set.union(*passes)) == 2
    assert not any(psutil.pid_exists(pid) for pid in passes[0])


def test_whoever_stops_reading_stops_the_jobs_and_the_next_are_done():
    with use_engine(POOL):
        _, first = next(map_jobs(worker_id, [()] * 50))
        found = dict(map_jobs(scaled_sum, JOBS, shared=(3,)))
    assert first not in {pid for _, pid in found.values()}  # it had further jobs
    assert {index: value for index, (value, _) in found.items()} == EXPECTED


def test_jobs_and_results_of_any_size_pass():
    """More than a pipe holds, both ways at once, and further jobs sent ahead."""
    jobs = [(bytes([number]) * 3_000_000,) for number in range(8)]
    assert results(POOL, sent_back, jobs) == {index: job[0] for index, job in enumerate(jobs)}


def test_errors_and_results_that_cannot_be_sent_are_told_in_words():
    with pytest.raises(RuntimeError, match="OddError: 1 and 2"):
        results(POOL, fail_oddly, [(1,)])
    with pytest.raises((AttributeError, pickle.PicklingError), match="give_a_function"):
        results(POOL, give_a_function, [()])


def test_an_error_says_where_in_the_worker_it_was_raised():
    with pytest.raises(ValueError, match="number 2 is bad") as raised:
        results(POOL, fail, [(2,)])
    assert "job_functions.py" in raised.value.__notes__[0]


@pytest.mark.parametrize("engine", [Engine(), POOL], ids=["here", "pool"])
def test_what_a_job_raises_ends_the_whole(engine):
    with pytest.raises(ValueError, match="number 2 is bad"):
        results(engine, fail, [(number,) for number in range(4)])


def test_the_innermost_engine_counts():
    assert current_engine().is_here
    with use_engine(POOL):
        with use_engine(Engine()):
            assert current_engine().is_here
        assert current_engine() is POOL
