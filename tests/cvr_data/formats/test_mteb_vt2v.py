"""mteb-vt2v: what a random order is expected to score, against all orders there are; a benchmark ready for mteb."""

from itertools import permutations
from math import log2

import numpy as np
import pytest

from cvr_data.formats import mteb_vt2v
from cvr_data.formats._mteb_statistics import mteb_random_scores
from tests.triplet_tables import triplet, triplets

RELEVANT = {"q1": ["a"], "q2": ["a", "c", "e"]}
DOCUMENTS = "abcde"


@pytest.mark.parametrize("k", [1, 3, 5, 10])
def test_a_random_order_scores_the_mean_of_all_orders(k):
    found = {"ndcg": [], "recall": [], "precision": [], "hit_rate": []}
    for targets in RELEVANT.values():
        best = sum(1 / log2(rank + 1) for rank in range(1, min(k, len(targets)) + 1))
        for order in permutations(DOCUMENTS):
            ranks = [rank for rank, name in enumerate(order[:k], start=1) if name in targets]
            found["ndcg"].append(sum(1 / log2(rank + 1) for rank in ranks) / best)
            found["recall"].append(len(ranks) / len(targets))
            found["precision"].append(len(ranks) / k)
            found["hit_rate"].append(float(bool(ranks)))
    scores = mteb_random_scores(RELEVANT, len(DOCUMENTS))
    for name, values in found.items():
        assert scores[f"{name}_at_{k}"] == pytest.approx(np.mean(values), rel=1e-9), name


def test_the_folder_has_a_benchmark_and_its_random_baseline(tmp_path):
    rows = triplets(triplet("a", "make it blue", "b", split="test"), triplet("b", "make it red", "a", split="test"))
    mteb_vt2v.write(mteb_vt2v.Config(repo="lab/blue-balls", media=False), rows, tmp_path)
    text = (tmp_path / "benchmark.py").read_text()
    compile(text, "benchmark.py", "exec")
    assert "from task import BlueBallsVT2VRetrieval" in text and 'name="CVR"' in text
    assert "class BlueBallsVT2VRetrieval(" in (tmp_path / "task.py").read_text()
    assert '"hit_rate_at_1": 0.5' in (tmp_path / "random_baseline.json").read_text()
