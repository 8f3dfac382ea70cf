"""published_results: every row has a source and a trust, names a benchmark and a task of ours, and is in range."""

import json

import pytest

from cvr_bench.data.benchmark import data_option_names
from cvr_bench.results.published import (
    FOLDER,
    RANKS,
    STANDINGS,
    format_published_results,
    published_result_text,
    published_results,
    published_results_for,
    published_results_names,
)
from cvr_data.core.errors import CvrError
from cvr_data.core.yaml_text import parse_yaml

TABLES = [table for name in published_results_names() for table in published_results(name)]
TASKS_OF_OURS = {
    "webvid-covr-test", "dense-webvid-covr-test", "finecvr-test", "egocvr-global", "tf-covr-test", "cirr-test1",
    "fashioniq-all", "fashioniq-dress", "fashioniq-shirt", "fashioniq-toptee", "circo-test", "msrvtt-1k-A", "msvd-test",
    "vatex-test", "lsmdc-test", "activitynet-paragraph", "didemo-test-paragraph", "covr-r-test",
    "covr-r-challenge-test", "covr-r-challenge-val",
}  # fmt: skip
"""As the readers of the benchmarks call them."""


@pytest.mark.parametrize("name", published_results_names())
def test_the_benchmark_exists_or_its_file_says_that_it_has_no_reader(name):
    has_reader = parse_yaml((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")).get("reader") != "none"
    assert (name in data_option_names()) == has_reader
    for table in published_results(name):
        assert table.task.removesuffix(" (video to text)") in TASKS_OF_OURS or not has_reader


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.task)
def test_every_row_has_a_source_and_says_how_it_is_known(table):
    assert table.rows
    for row in table.rows:
        assert row.method and row.setting and len(row.source) > 10
        assert row.standing in STANDINGS
        assert row.standing != "inferred" or row.note or "gain" in row.source


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.task)
def test_every_value_is_in_range_and_recalls_rise_with_k(table):
    for row in table.rows:
        assert row.values and set(row.values) <= set(table.metrics)
        for metric, value in row.values.items():
            assert value >= 1 if metric in RANKS else 0 <= value <= 100, (row, metric)
        for family in ("R@", "R_sub@", "avgR@"):
            recalls = [
                row.values[metric] for metric in table.metrics if metric.startswith(family) and metric in row.values
            ]
            assert recalls == sorted(recalls), row


def test_no_row_stands_twice():
    for table in TABLES:
        keys = [(row.method, row.setting, row.source, row.standing) for row in table.rows]
        assert len(keys) == len(set(keys)), table.task


def test_a_number_has_the_decimals_it_was_published_with():
    rows = {(row.method, row.standing): row for row in published_results_for("cirr-test1").rows}
    assert published_result_text(rows["ECDE", "secondary"], "R@1") == "40.1"
    assert published_result_text(rows["ECDE", "secondary"], "R@5") == "-"
    unite = next(row for row in published_results_for("webvid-covr-test").rows if row.method == "UNITE-7B")
    assert [published_result_text(unite, name) for name in ("R@1", "R@50")] == ["72.50", "99.50"]
    drl = published_results_for("msrvtt-1k-A").rows[0]
    assert [published_result_text(drl, name) for name in ("R@1", "MdR", "MnR")] == ["42.8", "2.0", "16.3"]


def test_the_table_names_the_source_of_each_row():
    lines = format_published_results(published_results_for("finecvr-test")).splitlines()
    assert lines[0] == "finecvr-test, published (2,165 in the gallery, references: exclude)"
    assert len(lines) == 2 + len(published_results_for("finecvr-test").rows)
    assert "references ranked" in lines[-1] and lines[-1].endswith("mteb/pull/5264)")


def test_a_task_of_which_nothing_is_known_has_no_table():
    assert published_results_for("tiny") is None
    with pytest.raises(CvrError, match="Did you mean: webvid-covr"):
        published_results("webvid-cvr")


def test_published_results_are_printed(cvr, one_line_error):
    assert "webvid-covr           17 rows  webvid-covr-test" in cvr("published").out
    assert "CoVR-BLIP-2" in cvr("published", "webvid-covr").out
    found = json.loads(cvr("published", "cirr", "--json").out)
    assert found[0]["rows"][0]["values"]["R@1"] == 38.48
    assert "No published results of 'cir' are known" in one_line_error("published", "cir")
