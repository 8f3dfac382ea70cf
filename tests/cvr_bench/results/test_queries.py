"""queries: the worst, the best, and filters, with the ranks by one input alone beside them."""

import json
import shutil

import pytest

from cvr_bench.results.queries import Chosen, result_query_rows
from cvr_bench.results.result import read_result

pytestmark = pytest.mark.slow


@pytest.fixture
def result(cvr, world, tmp_path):
    words = ["bench", "-m", "sum", "-m", "text-only", "--data", world.triplets, "--out", tmp_path]
    cvr.done(*words)
    return read_result(tmp_path / "sum-tiny")


def test_the_worst_come_first_and_the_best(result):
    ranks = sorted(result.ranks.column("rank").to_pylist())
    for count, chosen in ((3, Chosen(worst=3)), (3, Chosen(best=3))):
        found = [row["rank"] for row in result_query_rows(result, chosen)]
        assert found == (ranks[::-1] if chosen.worst else ranks)[:count]


def test_filters_add_up(result):
    rows = result_query_rows(result, Chosen(where=[("backend", "echo")], text="SHOULD be", least=2, most=9))
    expected = [
        row["query_id"]
        for row in result.ranks.to_pylist()
        if row["backend"] == "echo" and "should be" in row["modification"] and 2 <= row["rank"] <= 9
    ]
    assert [row["query_id"] for row in rows] == expected != []
    one = result_query_rows(result, Chosen(where=[("reference", "test00")]))
    assert {row["reference_id"] for row in one} == {"test00"}


def test_ranks_by_text_and_by_video_alone_stand_beside(result, cvr, tmp_path):
    alone = read_result(tmp_path / "text-only-tiny").ranks.column("rank").to_pylist()
    rows = result_query_rows(result, Chosen())
    assert [row["text_rank"] for row in rows] == alone
    shown = cvr("queries", result.path, "--worst", "1")
    assert "text alone  video alone" in shown.out and "1 of 18 queries of sum" in shown.out
    row = rows[0]
    explained = cvr("explain-query", row["query_id"], "--in", result.path)
    assert f"by one input  text alone {row['text_rank']}, video alone {row['video_rank']}" in explained.out
    shutil.rmtree(result.path / "audit")
    assert "text_rank" not in result_query_rows(result, Chosen())[0]
    assert "alone" not in cvr("explain-query", row["query_id"], "--in", result.path).out


def test_json_has_every_field(result, cvr):
    (row,) = json.loads(cvr("queries", result.path, "--best", "1", "--json").out)
    assert {"query_id", "rank", "text_rank", "video_rank", "reference_rank", "kind", "target_ids"} <= set(row)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--where", "kin=action"], "no slice 'kin'. Did you mean: kind"),
        (["--where", "kind"], "should be SLICE=VALUE"),
        (["--where", ""], "should be SLICE=VALUE"),
        (["--rank", "4"], "should be FROM-TO"),
        (["--rank", "\u00b2-"], "should be FROM-TO"),
        (["--rank", f"1-{'9' * 5000}"], "should be FROM-TO"),
        (["--rank", "1-0"], "should be FROM-TO"),
        (["--rank", "10-2"], "should be FROM-TO"),
        (["--rank", "0-"], "should be FROM-TO"),
        (["--worst", "1", "--best", "1"], "two orders"),
    ],
)
def test_a_mistake_is_one_line(result, one_line_error, words, said):
    assert said in one_line_error("queries", result.path, *words)
