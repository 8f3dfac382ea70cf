"""exported: the scores of MTEB's result JSON are those of trec_eval."""

import json

import numpy as np
import pytest
import pytrec_eval

from cvr_bench.results.exported import MTEB_KS, result_as_mteb
from cvr_bench.results.result import read_result, write_result
from cvr_bench.results.score_matrix import save_result_scores
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.composed import task_video_item
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Query, Task
from cvr_data.core.artifact_writer import ArtifactWriter
from tests.cvr_bench.scoring.test_beside import drawn_task, retriever
from tests.scored_by import ScoredBy

MEASURES = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P", "hit_rate": "success"}


@pytest.fixture
def result(tmp_path):
    task = drawn_task(protocol=Protocol(reference="keep"))
    about = {"model": "drawn", "data": {"path": "p", "split": "test"}, "training": None,
             "cost": {"seconds": {"load": 9.0, "encode": 1.0, "score": 0.5}}}  # fmt: skip
    with ArtifactWriter(tmp_path / "result", stage="bench") as writer:
        write_result(writer, task, evaluate(retriever(), task), 0, about)
    return read_result(tmp_path / "result")


def test_the_scores_are_those_of_trec_eval(result):
    task, model = drawn_task(), retriever()
    model.index(task.gallery)
    rows = zip(task.queries, model.score(task.queries).tolist(), strict=True)
    names = [item.item_id for item in task.gallery]
    run = {query.query_id: dict(zip(names, scores, strict=True)) for query, scores in rows}
    qrels = {name: dict(task.grades[name]) for name in task.targets}
    asked = {f"{name}.{','.join(map(str, MTEB_KS))}" for name in MEASURES.values()}
    found = pytrec_eval.RelevanceEvaluator(qrels, asked).evaluate(run)
    (entry,) = result_as_mteb(result, revision="abc")["scores"]["test"]
    for name, measure in MEASURES.items():
        for k in MTEB_KS:
            expected = np.mean([one[f"{measure}_{k}"] for one in found.values()])
            assert entry[f"{name}_at_{k}"] == pytest.approx(expected, rel=1e-6), f"{name}_at_{k}"
    assert entry["main_score"] == entry["ndcg_at_10"]


def test_the_file_is_as_mteb_reads_it(result, cvr, one_line_error, tmp_path):
    words = ("export-result", result.path, "--format", "mteb", "--revision", "abc", "-O", tmp_path / "made.json")
    cvr.done(*words, "--main-score", "hit_rate_at_5")
    made = json.loads((tmp_path / "made.json").read_text())
    assert (made["dataset_revision"], made["task_name"], made["evaluation_time"]) == ("abc", "drawn", 1.5)
    (entry,) = made["scores"]["test"]
    assert entry["main_score"] == entry["hit_rate_at_5"] and entry["hf_subset"] == "default"
    assert "no 'recal_at_5'. Did you mean: recall_at_5" in one_line_error(*words, "--main-score", "recal_at_5")


def test_mtebs_rules_rank_the_reference_and_break_ties_by_id(result, tmp_path, cvr, one_line_error):
    """Worked out by hand: of a, b, c, d the reference b scores best, and c and d score alike."""
    items = [task_video_item(name) for name in "dbca"]
    query = Query("q", items[1], "make it blue")
    scored = {"b": 0.9, "c": 0.5, "d": 0.5, "a": 0.1}
    for target, ties_against, by_id in (("c", 2, 3), ("d", 2, 2)):
        task = Task(name="ties", queries=[query], gallery=items, targets={"q": frozenset(target)}, protocol=Protocol())
        model = ScoredBy(lambda _, name: scored[name])
        about = {"model": "fixed", "data": {"path": "p", "split": "test"}, "training": None,
                 "features": {"options": {"sampler": "mteb@2", "frames": 64}}}  # fmt: skip
        with ArtifactWriter(tmp_path / target, stage="bench") as writer:
            save_result_scores(writer, model, task, [], None)
            write_result(writer, task, evaluate(model, task), 0, about)
        found = read_result(tmp_path / target)
        for rules, rank in (("own", ties_against), ("mteb", by_id)):
            (entry,) = result_as_mteb(found, revision="abc", rules=rules)["scores"]["test"]
            assert entry["mrr_at_10"] == pytest.approx(1 / rank), (target, rules)
            assert entry["cvr"]["sampler"] == "mteb@2"
        assert entry["cvr"]["ties"] == "by id, last first" and entry["cvr"]["reference"] == "keep"
    words = ("export-result", tmp_path / "c", "--format", "mteb", "-O", tmp_path / "made.json")
    cvr.done(*words, "--rules", "mteb")
    words = ("export-result", result.path, "--format", "mteb", "--rules", "mteb", "-O", tmp_path / "none.json")
    assert "holds no score matrix; make it again with cvr bench --save-scores" in one_line_error(*words)
