"""mteb-vt2v: what a random order is expected to score, against all orders there are; a benchmark ready for mteb."""

from itertools import permutations
from math import log2

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.errors import CvrError
from cvr_data.formats import mteb_vt2v
from cvr_data.formats._mteb_statistics import mteb_format_random_scores
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
    scores = mteb_format_random_scores(RELEVANT, len(DOCUMENTS))
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


def test_a_task_of_several_is_read_from_the_files_that_the_card_names(tmp_path):
    """The configs of MomentSeeker-CVR, as mteb's task of that name loads them."""
    tables = {
        "chunks": {"id": ["c1", "c2", "c3"], "video": [None] * 3},
        "asked": {"id": ["q1"], "text": ["what comes next"], "video": [{"bytes": b"x", "path": "c1.mp4"}]},
        "answers": {"query-id": ["q1", "q1", "q1"], "corpus-id": ["c2", "c3", "c1"], "score": [1, 1, 0]},
    }
    (tmp_path / "data").mkdir()
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / "data" / f"{name}-0.parquet")
    card = "".join(
        f"- config_name: {config}\n  data_files:\n  - split: test\n    path: data/{name}-*.parquet\n"
        for config, name in (("corpus", "chunks"), ("tv2v-queries", "asked"), ("tv2v-qrels", "answers"))
    )
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{card}---\n\n# Moments\n")
    found = mteb_vt2v.read(mteb_vt2v.Config(task="tv2v"), tmp_path)
    rows = [(row["reference_id"], row["modification"], row["target_id"]) for row in found.to_pylist()]
    assert rows == [("c1", "what comes next", "c2"), ("c1", "what comes next", "c3")]
    assert mteb_vt2v.read_videos(mteb_vt2v.Config(), tmp_path)["video_id"].to_pylist() == ["c1", "c2", "c3"]
    with pytest.raises(CvrError, match="has the tasks tv2v; choose one with task=NAME"):
        mteb_vt2v.read(mteb_vt2v.Config(), tmp_path)
