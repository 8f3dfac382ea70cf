"""compare: p stands beside the interval, and the verdict goes by p adjusted for all metrics and slices."""

import json

import pytest

from cvr_bench.report.tables import report_comparison_table
from cvr_bench.results.compare import compare_results, compared_results_json
from cvr_bench.results.result import read_result
from cvr_bench.scoring.intervals import metric_p_text


@pytest.fixture
def two(cvr, world, tmp_path):
    words = ["--data", world.triplets, "--out", tmp_path]
    cvr.done("bench", "--model", "sum", "--model", "constant", *words)
    return read_result(tmp_path / "sum-tiny"), read_result(tmp_path / "constant-tiny")


def test_p_does_not_depend_on_the_order_and_is_1_for_a_result_and_itself(two):
    there, back = compare_results(*two).whole, compare_results(*two[::-1]).whole
    assert there.p_values == back.p_values
    assert set(compare_results(two[0], two[0]).whole.p_values.values()) == {1.0}


def test_p_is_printed_in_the_table_its_slices_and_json(two):
    comparison = compare_results(*two, by="backend")
    text = report_comparison_table(comparison)
    row = next(line for line in text.splitlines() if line.startswith("p  "))
    assert metric_p_text(comparison.whole.p_values["R@5"]) in row
    assert "adjusted p of R@1" in text
    found = json.loads(json.dumps(compared_results_json(comparison)))
    assert found["difference"]["R@5"]["p"] == comparison.whole.p_values["R@5"]
    assert "p" in found["slices"]["rules"]["difference"]["mean"]


def test_the_verdict_goes_by_p_adjusted_for_all_metrics_and_slices(two):
    comparison = compare_results(*two, by="backend")
    parts = [comparison.whole, *comparison.slices.values()]
    lowest = min(p for part in parts for p in part.p_values.values())
    count = sum(len(part.p_values) for part in parts)
    adjusted = {name: p for part in parts for name, p in part.adjusted.items()}
    assert min(p for part in parts for p in part.adjusted.values()) == pytest.approx(min(1.0, count * lowest))
    for part in parts:
        for name in adjusted:
            assert part.adjusted[name] >= part.p_values[name]
            assert (
                part.is_clear(name)
                == (part.adjusted[name] < 0.05)
                == (" is better than " in part.verdict(name, "a", "b"))
            )
