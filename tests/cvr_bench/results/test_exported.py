"""exported: the scores of MTEB's result JSON are those of trec_eval."""

import json

import numpy as np
import pytest
import pytrec_eval

from cvr_bench.results.exported import MTEB_KS, mteb_result
from cvr_bench.results.result import read_result, write_result
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.protocol import Protocol
from cvr_data.core.artifact_writer import ArtifactWriter
from tests.cvr_bench.scoring.test_beside import drawn_task, retriever

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
    (entry,) = mteb_result(result, revision="abc")["scores"]["test"]
    for name, measure in MEASURES.items():
        for k in MTEB_KS:
            expected = np.mean([one[f"{measure}_{k}"] for one in found.values()])
            assert entry[f"{name}_at_{k}"] == pytest.approx(expected, rel=1e-6), f"{name}_at_{k}"
    assert entry["main_score"] == entry["ndcg_at_10"]


def test_the_file_is_as_mteb_reads_it(result, cvr, one_line_error, tmp_path):
    words = ("export-result", result.path, "--format", "mteb", "--revision", "abc", "-O", tmp_path / "made.json")
    assert cvr(*words, "--main-score", "hit_rate_at_5").code == 0
    made = json.loads((tmp_path / "made.json").read_text())
    assert (made["dataset_revision"], made["task_name"], made["evaluation_time"]) == ("abc", "drawn", 1.5)
    (entry,) = made["scores"]["test"]
    assert entry["main_score"] == entry["hit_rate_at_5"] and entry["hf_subset"] == "default"
    assert "no 'recal_at_5'. Did you mean: recall_at_5" in one_line_error(*words, "--main-score", "recal_at_5")
