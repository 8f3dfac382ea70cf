"""Audits through the command line: with every run, of a result, of triplets."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from cvr_bench.results.result import read_result
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.tables import query_id, triplet_id

pytestmark = pytest.mark.slow


def written(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_audits_come_with_every_run(cvr, in_world):
    outcome = cvr.done("bench", "--model", "sum", "--model", "text-only")
    lines = outcome.out.splitlines()
    columns = ["composition", "time"]
    heads = [next(row for row, line in enumerate(lines) if line.split()[:1] == [name]) for name in columns]
    assert [lines[row + 1].split()[0] for row in heads] == ["sum", "sum"]  # baselines are audited, and not shown
    assert "composition required @1" in lines[heads[0]]
    for name in ("sum", "text-only"):
        audit = in_world / "results" / f"{name}-tiny" / "audit"
        assert sorted(open_artifact(audit).manifest["files"]) == [
            "audit.json", "composition.parquet", "temporal.parquet"
        ]  # fmt: skip
        assert verify(audit) == verify(audit.parent) == []
    ranks = read_result(in_world / "results/sum-tiny").ranks
    table = pq.read_table(in_world / "results/sum-tiny/audit/composition.parquet")
    assert table.column("query_id").to_pylist() == ranks.column("query_id").to_pylist()
    assert table.column("composed_rank").to_pylist() == ranks.column("rank").to_pylist()
    text_only = read_result(in_world / "results/text-only-tiny").ranks
    assert table.column("text_only_masked_rank").to_pylist() == text_only.column("rank").to_pylist()


def test_a_second_run_reads_the_audit_of_the_first(cvr, in_world):
    first = cvr("bench", "--model", "sum").out
    before = written(in_world / "results")
    assert cvr("bench", "--model", "sum").out == first
    assert written(in_world / "results") == before


def test_a_run_without_an_audit_can_be_audited_later(cvr, in_world):
    assert "composition" not in cvr.done("bench", "--model", "sum", "--no-audit").out
    assert not (in_world / "results/sum-tiny/audit").exists()
    result = written(in_world / "results/sum-tiny")
    assert cvr.done("audit", "results/sum-tiny").out.splitlines()[-1] == "results/sum-tiny/audit"
    assert written(in_world / "results/sum-tiny").items() >= result.items()
    later = written(in_world / "results/sum-tiny/audit")
    shutil.rmtree(in_world / "results")
    cvr.done("bench", "--model", "sum")
    at_once = written(in_world / "results/sum-tiny/audit")
    assert {name: later[name] for name in later if name.endswith("parquet")} == {
        name: at_once[name] for name in at_once if name.endswith("parquet")
    }


def test_another_k_needs_overwrite(cvr, one_line_error, in_world):
    cvr.done("bench", "--model", "sum")
    assert "holds another artifact (k = 0, not 1)" in one_line_error("audit", "results/sum-tiny", "-k", "1")
    outcome = cvr.done("audit", "results/sum-tiny", "-k", "1", "--overwrite", "--json")
    record = json.loads(outcome.out)
    assert record["composition"]["labels"] == record["composition"]["labels_at"]["1"]
    assert sum(record["composition"]["labels"].values()) == record["queries"] == 18


def test_options_of_triplets_do_not_belong_to_a_result(cvr, one_line_error, in_world):
    cvr.done("bench", "--model", "sum")
    assert "only -k and --seed belong to it" in one_line_error("audit", "results/sum-tiny", "--model", "sum")


def test_triplets_are_audited_beside_themselves_by_scorers_of_one_input(cvr, in_world):
    before = written(in_world / "annotations/tiny")
    outcome = cvr.done("audit", "annotations/tiny")
    assert written(in_world / "annotations/tiny") == before
    files = open_artifact(in_world / "annotations/tiny-audit").manifest["files"]
    assert sorted(files) == ["audit.json", "composition.parquet", "leaks.parquet"]
    assert (
        "Leaks, train to test (tiny): none of 10 videos has a near-duplicate in train; 0 of 0 captions" in outcome.out
    )
    rows = pq.read_table(in_world / "annotations/tiny-audit/leaks.parquet").to_pylist()
    assert {(row["kind"], row["test"], row["train"]) for row in rows if "same" in row["reasons"]} == {
        ("modification", text, text)
        for word in ("red", "blue", "green", "small")
        for text in (f"make it {word}", f"it should be {word} now")
    }
    assert cvr("audit", "annotations/tiny").out == outcome.out
    found = json.loads(cvr("audit", "annotations/tiny", "--json").out)["composition"]
    table = pq.read_table(in_world / "annotations/tiny-audit/composition.parquet").to_pylist()
    assert found["pool"] == ["text-video", "text-frame", "text-caption", "reference-video", "caption-caption"]
    assert found["labels"] == {name: sum(row["label"] == name for row in table) for name in found["labels"]}
    for name, held in found["held_out"].items():
        others = [f"{other.replace('-', '_')}_rank" for other in found["pool"] if other != name]
        left = [row for row in table if min(row[other] for other in others) > found["k"]]
        assert held["left"] == len(left)
        if name in found["pool"]:
            assert held["solved"] == sum(row[f"{name.replace('-', '_')}_rank"] <= found["k"] for row in left)
    cvr.done("bench", "--model", "visual-only", "--no-audit")
    ranks = read_result(in_world / "results/visual-only-tiny").ranks.to_pylist()
    assert {row["query_id"]: row["reference_video_rank"] for row in table} == {
        row["query_id"]: row["rank"] for row in ranks
    }


def test_a_model_that_is_named_is_asked_again(cvr, in_world):
    assert "composition required @1" in cvr.done("audit", "annotations/tiny", "--model", "sum", "--split", "val").out
    files = open_artifact(in_world / "annotations/tiny-audit").manifest["files"]
    assert sorted(files) == ["audit.json", "composition.parquet", "leaks.parquet", "temporal.parquet"]


def test_a_model_that_has_to_be_trained_is_audited_by_its_result(cvr, one_line_error, in_world):
    line = one_line_error("audit", "annotations/tiny", "--model", "combiner")
    assert "combiner has to be trained: audit its result instead" in line
    assert not (in_world / "annotations/tiny-audit").exists()


def leak_a_video(in_world):
    """Let a train triplet lead to a target of test."""
    path = in_world / "annotations/tiny/part-00000.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    row = next(row for row in rows if row["split"] == "train")
    row["target_id"] = "test01"
    row["triplet_id"] = triplet_id(row["reference_id"], row["modification"], "test01")
    row["query_id"] = query_id(row["reference_id"], row["modification"])
    pq.write_table(table.from_pylist(rows, schema=table.schema), path)
    manifest = json.loads(path.with_name("manifest.json").read_text())
    manifest["bytes"][path.name] = path.stat().st_size
    path.with_name("manifest.json").write_text(json.dumps(manifest))


def test_a_result_trained_on_leaking_data_says_so(cvr, in_world):
    leak_a_video(in_world)
    train = ("-t", "epochs=1", "-t", "batch_size=16")
    outcome = cvr.done("bench", "--model", "combiner", "-o", "projection=4", "-o", "hidden=4", *train)
    about = [row for row in read_result(in_world / "results/combiner-tiny").ranks.to_pylist()
             if "test01" in (row["reference_id"], *row["target_ids"])]  # fmt: skip
    said = f"1 of 10 videos have a near-duplicate in train, and {len(about)} of 18 queries are about these"
    assert f"Leaks, train to test (combiner): {said}" in outcome.out
    result = read_result(in_world / "results/combiner-tiny")
    assert result.record["training"]["leaks"]["leaking"]
    rows = pq.read_table(result.path / "leaks.parquet").to_pylist()
    assert [(row["test"], row["train"]) for row in rows if row["kind"] == "video"] == [("test01", "test01")]
    # its weights are found again when it is audited later
    before = pq.read_table(result.path / "audit/composition.parquet")
    shutil.rmtree(result.path / "audit")
    cvr.done("audit", result.path)
    assert pq.read_table(result.path / "audit/composition.parquet").equals(before)
    shutil.rmtree(result.path / "audit")
    cvr.done("bench", "--model", "combiner", "-o", "projection=4", "-o", "hidden=4", *train)
    assert pq.read_table(result.path / "audit/composition.parquet").equals(before)
