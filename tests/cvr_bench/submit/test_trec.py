"""trec: a run gives the result that its scores gave, qrels their grades, and every odd line is one line of refusal."""

import json
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from cvr_bench.results.compare import compare_results
from cvr_bench.results.result import read_result
from cvr_data.tables import query_id

pytestmark = pytest.mark.slow


@pytest.fixture
def scored(cvr, in_world):
    """A copy of the tiny world as the current folder, with a result whose scores were saved and its run and qrels."""
    cvr.done("bench", "-m", "sum", "--save-scores", "--no-audit")
    cvr.done("export-result", "results/sum-tiny", "--format", "trec", "--out", "trec")
    return read_result(Path("results/sum-tiny"))


def numbers(path):
    return json.loads((path / "result.json").read_text())["metrics"]


def test_a_run_that_is_written_and_read_gives_the_same_ranks(cvr, scored):
    cvr.done("score", "trec/run.trec", "--data", "annotations/tiny", "--name", "other", "--out", "again")
    again = read_result(Path("again"))
    assert again.name == "other" and again.task_key == scored.task_key
    for column in ("query_id", "rank", "ties", "allowed", "target_ranks"):
        assert again.ranks.column(column).to_pylist() == scored.ranks.column(column).to_pylist(), column
    assert set(again.ranks.column("reference_rank").to_pylist()) == {None}  # the run does not list references
    assert compare_results(again, scored).whole.intervals["mean"].value == 0
    cvr.done("verify", "again")


def test_files_for_trec_eval_are_read_by_trec_eval(scored):
    run, qrels = (Path("trec") / name for name in ("run.trec", "qrels.trec"))
    with run.open() as lines, qrels.open() as judged:
        measured = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(judged), {"ndcg_cut_10", "success_5"})
        found = measured.evaluate(pytrec_eval.parse_run(lines))
    assert len(found) == scored.ranks.num_rows
    assert 100 * np.mean([one["success_5"] for one in found.values()]) == pytest.approx(scored.interval("R@5").value)
    mean = 100 * np.mean([one["ndcg_cut_10"] for one in found.values()])
    assert mean == pytest.approx(scored.beside["metrics"]["nDCG@10"]["value"])


def test_qrels_give_targets_and_grades_and_what_they_leave_out_is_counted(cvr, scored):
    name = query_id("test00", "make it red")
    Path("qrels").write_text(f"{name} 0 test05 2\n{name} 0 test01 1\n{name} 0 test02 0\n")
    outcome = cvr.done("score", "trec/run.trec", "--data", "annotations/tiny", "--qrels", "qrels", "-O", "graded")
    graded = read_result(Path("graded"))
    assert "17 queries without a relevant item in the qrels" in outcome.out
    row = graded.ranks.to_pylist()[0]
    assert dict(zip(row["target_ids"], row["target_grades"], strict=True)) == {"test05": 2, "test01": 1}


def test_what_a_run_does_not_list_comes_last_and_is_told(cvr, scored):
    names = scored.ranks.column("query_id").to_pylist()
    targets = scored.ranks.column("target_ids").to_pylist()
    Path("short").write_text(f"{names[0]} Q0 {targets[0][0]} 1 3.5 mine\n")
    outcome = cvr.done("score", "short", "--data", "annotations/tiny", "-O", "short-result")
    assert f"{len(names) - 1} queries that the run does not list, which find nothing" in outcome.out
    ranks = read_result(Path("short-result")).ranks
    assert ranks.column("rank").to_pylist()[0] == 1
    assert ranks.column("rank").to_pylist()[1:] == ranks.column("allowed").to_pylist()[1:]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("q Q0 test01 1 0.5\n", "line 1: 5 fields, where 6 are needed"),
        ("nobody Q0 test01 1 0.5 x\n", "line 1: tiny has no 'nobody'"),
        ("{query} Q0 nothing 1 0.5 x\n", "line 1: tiny has no 'nothing'"),
        ("{query} Q0 test01 1 high x\n", "line 1: 'high' should be a number"),
        ("{query} Q0 test01 1 inf x\n", "line 1: 'inf' should be a number"),
        ("{query} Q0 test01 1 2 x\n\n{query} Q0 test01 2 1 x\n", "line 3: query {query} lists test01 a second time"),
    ],
)
def test_an_odd_run_is_one_line_and_leaves_nothing(content, said, one_line_error, scored):
    name = query_id("test00", "make it red")
    Path("odd").write_text(content.format(query=name))
    assert said.format(query=name) in one_line_error("score", "odd", "--data", "annotations/tiny", "-O", "new")
    assert not Path("new").exists()


def test_options_of_runs_and_of_features_do_not_mix(one_line_error, scored):
    data = ("--data", "annotations/tiny")
    assert "--keep-self belongs to folders" in one_line_error("score", "trec/run.trec", "--keep-self", *data)
    assert "trec is no run file" in one_line_error("score", "trec", "--name", "x", *data)
