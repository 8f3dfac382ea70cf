"""problems: a capsule whose files were changed together with their checksums is still found out."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_bench.results.problems import checked_of_result, problems_of_result
from cvr_bench.results.result import read_result
from cvr_data.core.artifacts import verify

pytestmark = pytest.mark.slow


@pytest.fixture
def result(cvr, world, tmp_path):
    words = ["bench", "-m", "sum", "--save-scores", "--no-audit", "--data", world.triplets, "--out", tmp_path]
    cvr.done(*words)
    return tmp_path / "sum-tiny"


def forge(folder, name):
    """Write checksums of a changed file into the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / name).read_bytes()
    manifest["files"][name], manifest["bytes"][name] = hashlib.sha256(content).hexdigest(), len(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert verify(folder) == []


def test_a_good_result_has_no_problem_and_says_what_was_checked(result, cvr):
    found = read_result(result)
    assert problems_of_result(found) == []
    assert checked_of_result(found) == ["numbers", "rules", "task", "ranks"]
    assert "numbers, rules, task, ranks worked out again, good" in cvr("verify", result).out


def test_scores_that_give_other_ranks_are_found(result, one_line_error):
    scores = np.load(result / "scores.npy")
    scores[0] = -scores[0]
    np.save(result / "scores.npy", scores)
    forge(result, "scores.npy")
    problems = problems_of_result(read_result(result))
    assert any(line.startswith("result.json says scores_sha256 is") for line in problems)
    assert any("ranks.parquet has another rank of 1 queries" in line for line in problems)
    assert "Damaged" in one_line_error("verify", result)


def test_other_rules_are_found(result):
    rules = json.loads((result / "protocol.json").read_text())
    rules["reference"] = "keep"
    (result / "protocol.json").write_text(json.dumps(rules))
    forge(result, "protocol.json")
    problems = problems_of_result(read_result(result))
    assert any(line.startswith("protocol.json says its key is") for line in problems)
    assert any(line.startswith("result.json says task_key is") for line in problems)


def test_another_question_is_found(result):
    table = pq.read_table(result / "ranks.parquet")
    place = table.column_names.index("modification")
    texts = ["another text", *table.column("modification").to_pylist()[1:]]
    pq.write_table(table.set_column(place, "modification", pa.array(texts)), result / "ranks.parquet")
    forge(result, "ranks.parquet")
    assert [line.split(" is ")[0] for line in problems_of_result(read_result(result))] == ["result.json says task_key"]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("candidates", ["x"], "column 'candidates' should be list<item: int64>"),
        ("targets", [[9999]], "targets of rows 0"), ("targets", [[-1]], "are no columns of"),
        ("query_id", [], "scores.npy: float32"), ("reference", [None], "has no value in rows 0"),
    ],
)  # fmt: skip
def test_a_forged_table_of_scores_is_one_line(name, values, message, result, one_line_error):
    path = result / "score-queries.parquet"
    table = pq.read_table(path)
    table = table.slice(0, table.num_rows if values else 1)
    if values:
        table = table.set_column(table.column_names.index(name), name, pa.array(values * table.num_rows))
    pq.write_table(table, path)
    forge(result, path.name)
    assert message in one_line_error("verify", result)
