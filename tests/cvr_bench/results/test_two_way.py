"""cvr two-way: both directions of a configuration in one row."""

import dataclasses
from pathlib import Path

import pytest

from cvr_bench.results.result import Result
from cvr_bench.results.two_way import format_two_way_results
from cvr_bench.tasks.protocol import Protocol
from cvr_data.core.errors import CvrError


def result(path, recall, *, to_text=False, training=None, model="drl", task="msrvtt-1k-A"):
    interval = {"value": recall, "low": recall, "high": recall}
    record = {
        "model": model,
        "task": {"name": f"{task} (video to text)" if to_text else task, "ks": [1, 5], "means": {}},
        "metrics": {"R@1": interval, "R@5": interval},
        "MdR": 2.0,
        "MnR": 12.84,
        "training": training,
    }
    return Result(Path(path), record, Protocol(), None)


TRAINED = {"device": "cpu", "seconds": 5400.0}


def test_a_configuration_is_a_row_called_after_its_folder():
    lines = format_two_way_results(
        [
            result("results/ti/drl-msrvtt", 44.83, training=TRAINED),
            result("results/ti/drl-msrvtt-video-to-text", 42.6, to_text=True),
            result("results/zero/clip4clip-msrvtt", 31.1, model="clip4clip"),
        ]
    ).splitlines()
    names = "T2V R@1  T2V R@5  T2V MdR  T2V MnR  V2T R@1  V2T R@5  V2T MdR  V2T MnR  devices  hours"
    assert " ".join(lines[0].split()) == " ".join(f"config {names}".split())
    assert lines[1].split() == ["ti", "44.8", "44.8", "2.0", "12.8", "42.6", "42.6", "2.0", "12.8", "1", "cpu", "1.50"]
    assert lines[2].split() == ["zero", "31.1", "31.1", "2.0", "12.8", *["-"] * 6]
    assert len({len(line) for line in lines}) == 1


def test_markdown_has_a_ruler():
    lines = format_two_way_results([result("results/drl-msrvtt", 44.0)], markdown=True).splitlines()
    assert lines[1].count("---:") == lines[0].count("|") - 2
    assert lines[2].startswith("| drl | 44.0 |")


def test_two_results_of_one_way_or_of_two_benchmarks_are_refused():
    one = result("results/drl-a", 1.0)
    with pytest.raises(CvrError, match="are both T2V of drl"):
        format_two_way_results([one, dataclasses.replace(one, path=Path("results/drl-b"))])
    with pytest.raises(CvrError, match="of one benchmark; these results are of msrvtt-1k-A, lsmdc"):
        format_two_way_results([one, result("results/drl-b", 1.0, task="lsmdc")])
