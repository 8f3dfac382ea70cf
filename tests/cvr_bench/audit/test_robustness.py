"""robustness: a model that ignores its text is told so, and what rows come to by hand."""

import pyarrow as pa
import pytest

from cvr_bench.audit.robustness import FOLDER, audit_robustness_lines, audit_robustness_record
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifacts import verify
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config
from tests.dataset_folders import write_texts


def test_mean_worst_spread_and_what_ignores_the_text_by_hand():
    rows = [
        {"query_id": "p", "kind": "paraphrase", "number": 0, "rank": 1, "own_rank": 1, "keeps_first": True},
        {"query_id": "p", "kind": "paraphrase", "number": 1, "rank": 7, "own_rank": 1, "keeps_first": False},
        {"query_id": "q", "kind": "paraphrase", "number": 0, "rank": 1, "own_rank": 9, "keeps_first": False},
        {"query_id": "q", "kind": "misspelt", "number": 0, "rank": 2, "own_rank": 9, "keeps_first": True},
        {"query_id": "q", "kind": "negated", "number": 0, "rank": 1, "own_rank": 9, "keeps_first": True},
        {"query_id": "p", "kind": "vague", "number": 0, "rank": 4, "own_rank": 1, "keeps_first": False},
    ]
    found = audit_robustness_record(pa.Table.from_pylist(rows), (1, 5), 3)
    assert (found["queries"], found["task_queries"], found["ignores_text"]) == (2, 3, 50.0)
    assert found["metrics"]["R@1"] == pytest.approx(
        {"own": 50.0, "mean": 50.0, "worst": 0.0, "spread": 100 * 2 / 3}  # p: 1 of 2, q: 1 of 2; 2 of 3 and 0 of 1
    )
    assert found["metrics"]["R@5"] == pytest.approx({"own": 50.0, "mean": 75.0, "worst": 50.0, "spread": 100 / 3})
    assert found["kinds"]["negated"]["keeps_first"] == 100.0
    assert audit_robustness_lines("sum", found)[1].endswith("negated 100 %, vague 0 %")


@pytest.mark.engine
def test_the_bench_asks_again_and_says_that_a_model_reads_no_text(tmp_path, cvr):
    texts = write_texts(tmp_path)
    embed(tmp_path / "videos", "hash", hash_encoder.Config(dim=16, frames=2), tmp_path / "emb")
    build_triplets(find_triplet_parts([texts]), tmp_path / "data", Config(), name="tiny")
    words = ("bench", "--model", "visual-only", "--data", tmp_path / "data", "--embeddings", tmp_path / "emb",
             "--no-audit", "--robustness", "-O", tmp_path / "results")  # fmt: skip
    assert "contradiction 100 %, negated 100 %, no_op 100 %, vague 100 %" in cvr.done(*words).out
    folder = tmp_path / "results" / "visual-only-data" / FOLDER
    assert verify(folder) == []
    rows = read_parquet(folder / "robustness.parquet").to_pylist()
    assert all(row["rank"] == row["own_rank"] and row["keeps_first"] for row in rows)
    assert read_json(folder / "robustness.json", dict)["ignores_text"] == 100.0
    cvr.done(*words)  # what stands there is read
