"""explain-query: one query as ranks.parquet has it, in words, as JSON, and as a page with clips that loads nothing."""

import json
import re

import pytest

from cvr_bench.report.explain_query import explain_query, query_report_html, query_report_lines
from cvr_bench.results.result import read_result
from tests.report_world import make_world, write_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    return write_results(root, make_world(root, train=2, val=2, test=24), ["fdca", "random"])


def test_what_is_told_is_what_was_ranked(results, cvr):
    for path in results:
        row = read_result(path).ranks.to_pylist()[-1]
        outcome = cvr("explain-query", row["query_id"], "--in", path, "--json")
        assert outcome.code == 0, outcome.err
        told = json.loads(outcome.out)
        assert told["rank"] == row["rank"]
        assert [item["video_id"] for item in told["top"]] == row["top"]
        assert {item["video_id"] for item in told["top"] if item["is_target"]} == set(row["top"]) & set(
            row["target_ids"]
        )
        assert [(item["video_id"], item["place"]) for item in told["targets"]] == list(
            zip(row["target_ids"], row["target_ranks"], strict=True)
        )


def test_targets_beyond_the_ten_best_are_told_with_their_rank(results):
    path, row = next(
        (path, row)
        for path in results
        for row in read_result(path).ranks.to_pylist()
        if set(row["target_ids"]) - set(row["top"])
    )
    shown = query_report_lines(explain_query(path, row["query_id"]))
    lost = [name for name in row["target_ids"] if name not in row["top"]]
    assert shown[-len(lost) - 1] == "  ..."
    assert all(re.search(rf"> +{rank} +{name}", "\n".join(shown)) for name, rank in
               zip(row["target_ids"], row["target_ranks"], strict=True) if name in lost)  # fmt: skip


def test_the_page_holds_the_clips_and_marks_the_target(results, tmp_path, cvr):
    row = next(row for row in read_result(results[0]).ranks.to_pylist() if row["rank"] <= 10)
    out = tmp_path / "query.html"
    assert cvr("explain-query", row["query_id"][:12], "--in", results[0], "-O", out).code == 0
    page = out.read_text()
    assert page == query_report_html(explain_query(results[0], row["query_id"]))
    assert page.count('class="target"') == len(row["target_ids"])
    assert page.count("data:video/mp4;base64,") >= 2
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_a_mistake_is_one_line(results, one_line_error, tmp_path):
    assert "has no query 'zzz'" in one_line_error("explain-query", "zzz", "--in", results[0])
    assert "queries of" in one_line_error("explain-query", "", "--in", results[0])
