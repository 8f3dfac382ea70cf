"""results, compare, result_table: what is written is what was ranked, and unlike results are not put side by side."""

import dataclasses
import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest

from cvr_bench.report.tables import report_comparison_table, report_results_table, report_slices_table
from cvr_bench.results.compare import compare_results, compared_results_json
from cvr_bench.results.problems import problems_of_result
from cvr_bench.results.result import read_result, write_result
from cvr_bench.scoring.evaluate import Ranks
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Missing, Query, Task
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import verify
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video
from tests.dataset_folders import write_artifact

SIZE = 40


def item(number):
    return Item(f"v{number:02d}", Video(f"v{number:02d}"))


def toy_task(queries=range(20), size=SIZE, **protocol):
    ids = [f"q{number:02d}" for number in queries]
    return Task(
        name="toy",
        queries=[Query(name, item(int(name[1:])), "x") for name in ids],
        gallery=[item(number) for number in range(size)],
        targets={name: frozenset({f"v{int(name[1:]) // 2 + 20:02d}"}) for name in ids},
        protocol=Protocol(**protocol),
        slices={"backend": {name: "llm" if int(name[1:]) % 2 else "rules" for name in ids}, "kind": {}},
        left_out={"gallery videos without features": 3} if size < SIZE else {},
    )


def made_up_ranks(task, ranks):
    ids = [query.query_id for query in task.queries]
    return Ranks(
        query_ids=ids,
        rank=np.array(ranks),
        ties=np.array([1] + [0] * (len(ids) - 1)),
        allowed=np.full(len(ids), len(task.gallery) - 1),
        target_ids=[sorted(task.targets[name]) for name in ids],
        target_ranks=[[rank] for rank in ranks],
        top=[["v01", "v02"]] * len(ids),
        top_scores=[[0.5, 0.25]] * len(ids),
    )


def save(folder, name, task, ranks):
    writer = ArtifactWriter(folder / name, stage="bench", config={"model": name, "ranks": list(ranks)})
    about = {"model": name, "data": {"path": "toy", "embeddings": "e", "split": "test"}, "training": None}
    with writer:
        write_result(writer, task, made_up_ranks(task, ranks), 0, about)
    return read_result(folder / name)


@pytest.fixture
def good(tmp_path):
    return save(tmp_path, "good", toy_task(), [1, 1, 1, 3] * 5)


@pytest.fixture
def poor(tmp_path):
    return save(tmp_path, "poor", toy_task(), [1, 9, 30, 12] * 5)


def test_a_result_holds_what_was_ranked(good):
    assert verify(good.path) == []
    assert good.record["metrics"]["R@1"]["value"] == 75.0
    assert good.record["metrics"]["R@5"]["value"] == 100.0
    assert good.record["metrics"]["mean"]["value"] == pytest.approx((75 + 300) / 4)
    assert (good.record["MdR"], good.record["MnR"]) == (1.0, 1.5)
    assert good.record["ties"]["queries"] == 1
    assert good.record["chance"]["R@1"] == pytest.approx(100 / 39)
    assert good.record["clusters"] == 10
    assert good.ranks.column("top")[0].as_py() == ["v01", "v02"]
    assert good.slice_names == ["backend", "kind"]
    assert json.loads((good.path / "protocol.json").read_text())["key"] == good.protocol.key


def test_slices_are_summed_up_apart(good):
    backends = good.record["slices"]["backend"]
    assert {name: part["queries"] for name, part in backends.items()} == {"rules": 10, "llm": 10}
    assert backends["rules"]["metrics"]["R@1"]["value"] == 100.0
    assert backends["llm"]["metrics"]["R@1"]["value"] == 50.0
    assert good.record["slices"]["kind"] == {}


def test_the_table_names_models_intervals_chance_and_gallery(good, poor):
    table = report_results_table([good, poor])
    assert "toy (test): 20 queries, gallery of 40 videos, references left out, ties count against" in table
    lines = {line.split()[0]: line for line in table.splitlines()}
    low, high = good.interval("R@1").low, good.interval("R@1").high
    assert f"75.00 [{low:.2f}, {high:.2f}]" in lines["good"]
    assert lines["(chance)"].split()[1] == "2.56"
    assert "R@1 by backend  llm (10)" in report_slices_table([good, poor])
    assert "by kind" not in report_slices_table([good, poor])


def test_the_better_of_two_is_named(good, poor):
    comparison = compare_results(good, poor, by="backend")
    assert comparison.whole.intervals["R@1"].value == pytest.approx(50.0)
    text = report_comparison_table(comparison)
    assert "good is better than poor: p " in text
    assert "of the R@1 difference, adjusted for all that are shown, is below 0.05" in text
    assert "20 queries, 10 different targets" in text
    assert set(comparison.slices) == {"llm", "rules"}
    backwards = compare_results(poor, good)
    assert backwards.whole.intervals["R@1"].value == pytest.approx(-50.0)
    assert "good is better than poor" in report_comparison_table(backwards)
    values = compared_results_json(comparison)
    assert values["difference"]["R@1"]["interval"] == [
        comparison.whole.intervals["R@1"].low,
        comparison.whole.intervals["R@1"].high,
    ]


def test_a_result_is_no_better_than_itself(good):
    assert "no clear difference" in report_comparison_table(compare_results(good, good))


def test_two_protocols_are_not_put_side_by_side(good, tmp_path):
    kept = save(tmp_path, "kept", toy_task(reference="keep"), [1] * 20)
    with pytest.raises(CvrError, match="they differ in reference: exclude, not keep"):
        compare_results(good, kept)


def test_two_galleries_are_not_put_side_by_side(good, tmp_path):
    smaller = save(tmp_path, "smaller", toy_task(size=SIZE - 1), [1] * 20)
    with pytest.raises(CvrError, match="they differ in gallery: 40, not 39"):
        compare_results(good, smaller)
    task = toy_task()
    other = Task(**{**vars(task), "gallery": [*task.gallery[:-1], item(99)]})
    with pytest.raises(CvrError, match="as many videos, but not the same ones"):
        compare_results(good, save(tmp_path, "other", other, [1] * 20))


def test_only_shared_queries_are_compared_and_the_rest_is_counted(good, tmp_path):
    fewer = save(tmp_path, "fewer", toy_task(queries=range(10, 25)), [1] * 15)
    comparison = compare_results(good, fewer)
    assert (comparison.whole.queries, comparison.only_first, comparison.only_second) == (10, 10, 5)
    assert "10 queries only in good; 5 queries only in fewer" in report_comparison_table(comparison)
    with pytest.raises(CvrError, match="no query in common"):
        compare_results(good, save(tmp_path, "none", toy_task(queries=range(20, 30)), [1] * 10))


def test_other_targets_of_the_same_query_are_refused(good, tmp_path):
    task = toy_task()
    moved = Task(**{**vars(task), "targets": {**task.targets, "q03": frozenset({"v39"})}})
    with pytest.raises(CvrError, match=r"differ in targets of 1 of 20 queries, such as q03 \(v21, not v39\)"):
        compare_results(good, save(tmp_path, "moved", moved, [1] * 20))


def test_an_unknown_slice_is_answered_with_those_there(good, poor):
    with pytest.raises(CvrError, match=r"no slice 'backends'\. Did you mean: backend"):
        compare_results(good, poor, by="backends")


def test_a_slice_cannot_take_the_place_of_a_column(tmp_path):
    task = toy_task()
    clash = Task(**{**vars(task), "slices": {"rank": {}}})
    with pytest.raises(ValueError, match="cannot be called 'rank'"):
        save(tmp_path, "clash", clash, [1] * 20)


def test_a_damaged_result_is_one_line(good, tmp_path):
    (good.path / "protocol.json").unlink()
    with pytest.raises(CvrError, match=r"protocol\.json is missing; make it again"):
        read_result(good.path)
    write_artifact(tmp_path / "pairs", "mine-pairs", pa.table({"x": [1]}))
    with pytest.raises(CvrError, match="was made by 'mine-pairs', where 'bench' is needed"):
        read_result(tmp_path / "pairs")


def test_numbers_that_do_not_follow_from_the_ranks_are_found(good, cvr, one_line_error):
    assert "good" in cvr("verify", good.path).out
    record = json.loads((good.path / "result.json").read_text())
    record["metrics"]["R@1"]["value"] += 1
    record["slices"]["backend"]["llm"]["MdR"] += 1
    manifest = json.loads((good.path / "manifest.json").read_text())
    content = json.dumps(record).encode()
    (good.path / "result.json").write_bytes(content)
    manifest["files"]["result.json"] = hashlib.sha256(content).hexdigest()
    manifest["bytes"]["result.json"] = len(content)
    (good.path / "manifest.json").write_text(json.dumps(manifest))
    assert verify(good.path) == []  # the checksums were forged as well
    assert "Damaged" in one_line_error("verify", good.path)
    told = cvr("verify", good.path).out
    assert "metrics.R@1.value is" in told
    assert "slices.backend.llm.MdR is" in told


def test_what_could_not_be_scored_widens_the_recalls(tmp_path):
    missing = Missing(queries=20, unranked={"q00": 1, "q01": 0}, targets={"q03": 1})
    task = dataclasses.replace(toy_task(), missing=missing)
    result = save(tmp_path, "partly", task, [1, 1, 1, 3] * 5)
    # 15 of 20 are first, one of them could be second; 20 more could hit or miss, and q03 could be first
    assert result.record["coverage"]["bounds"]["R@1"] == [100 * 14 / 40, 100 * (15 + 1 + 20) / 40]
    assert problems_of_result(result) == []
    assert "35.00 to 90.00" in report_results_table([result])
