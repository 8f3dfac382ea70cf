"""compare: the p of the permutation test stands beside the interval, and is that of all exchanges of few targets."""

import itertools
import json

import numpy as np
import pytest

from cvr_bench.report.tables import report_comparison_table
from cvr_bench.results.compare import compare_results, compared_results_json
from cvr_bench.results.result import read_result


@pytest.fixture
def two(cvr, world, tmp_path):
    words = ["--data", world.triplets, "--out", tmp_path]
    assert cvr("bench", "--model", "sum", "--model", "constant", *words).code == 0
    return read_result(tmp_path / "sum-tiny"), read_result(tmp_path / "constant-tiny")


def exact_p(first, second, metric):
    """Of all exchanges of the two within the queries of a target, how many differ as much."""
    targets = [" ".join(sorted(ids)) for ids in first.ranks.column("target_ids").to_pylist()]
    values = [result.measures.values(result.ranks, metric) for result in (first, second)]
    differences = values[0] - values[1]
    sums = [differences[[name == target for name in targets]].sum() for target in sorted(set(targets))]
    found = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=len(sums))]
    return np.mean([value >= abs(sum(sums)) - 1e-9 for value in found])


@pytest.mark.parametrize("metric", ["R@5", "mean"])
def test_p_is_that_of_all_exchanges(two, metric):
    assert compare_results(*two).whole.p_values[metric] == pytest.approx(exact_p(*two, metric), abs=0.02)


def test_p_does_not_depend_on_the_order_and_is_1_for_a_result_and_itself(two):
    there, back = compare_results(*two).whole, compare_results(*two[::-1]).whole
    assert there.p_values == back.p_values
    assert set(compare_results(two[0], two[0]).whole.p_values.values()) == {1.0}


def test_p_is_printed_in_the_table_its_slices_and_json(two):
    comparison = compare_results(*two, by="backend")
    text = report_comparison_table(comparison)
    row = next(line for line in text.splitlines() if line.startswith("p (permutation)"))
    assert f"{comparison.whole.p_values['R@5']:.4f}" in row
    assert "p of R@1" in text
    found = json.loads(json.dumps(compared_results_json(comparison)))
    assert found["difference"]["R@5"]["p"] == comparison.whole.p_values["R@5"]
    assert "p" in found["slices"]["rules"]["difference"]["mean"]
