"""What stands beside the metrics: against trec_eval, enumeration, and the same task under the other rule."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import pytrec_eval
import torch

from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.results.result import result_ranks_table
from cvr_bench.scoring.beside import scores_beside_ranks
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.measures import Measures
from cvr_bench.scoring.metrics import discounted_gain, recall, recall_in_gallery
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_bench.tasks.twins import task_target_twins, task_twins_in_store
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video


def drawn_task(**more) -> Task:
    """Forty queries among thirty videos, some with several targets, whose references are ranked or not."""
    generator = np.random.default_rng(7)
    items = [Item(f"v{number:02d}", Video(f"v{number:02d}")) for number in range(30)]
    queries, targets, grades = [], {}, {}
    for number in range(40):
        own, *found = generator.choice(30, size=2 + number % 3, replace=False).tolist()
        reference = items[own] if number % 5 else Item("elsewhere", Video("elsewhere"))
        queries.append(Query(f"q{number:02d}", reference, "text"))
        targets[f"q{number:02d}"] = frozenset(items[column].item_id for column in found)
        grades[f"q{number:02d}"] = {items[column].item_id: 1 + column % 3 for column in found}
    return Task(name="drawn", queries=queries, gallery=items, targets=targets, grades=grades, **more)


def vectors(seed: int):
    def encode(names):
        return torch.stack(
            [torch.randn(6, generator=torch.Generator().manual_seed(seed + hash_of(name))) for name in names]
        )

    return encode


def hash_of(name: str) -> int:
    return int(name[1:]) if name[0] == "v" else 1000 + int(name[1:])


def retriever() -> DenseRetriever:
    encode = vectors(0)
    return DenseRetriever(
        lambda queries: encode([query.query_id for query in queries]),
        lambda videos: encode([video.video_id for video in videos]),
    )


def table_of(task: Task):
    return result_ranks_table(task, evaluate(retriever(), task))


def record_of(task: Task) -> dict:
    return scores_beside_ranks(table_of(task), Measures.of_task(task).to_json(), task.protocol.reference)


def test_gain_and_reciprocal_rank_are_those_of_trec_eval():
    task = drawn_task(protocol=Protocol(reference="keep"))
    model = retriever()
    model.index(task.gallery)
    scores = model.score(task.queries).tolist()
    run = {
        query.query_id: dict(zip([item.item_id for item in task.gallery], row, strict=True))
        for query, row in zip(task.queries, scores, strict=True)
    }
    for qrels in (task.grades, {name: dict.fromkeys(ids, 1) for name, ids in task.targets.items()}):
        judged = {name: dict(grades) for name, grades in qrels.items()}
        found = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut_10", "recip_rank"}).evaluate(run)
        metrics = record_of(replace(task, grades=qrels if qrels is task.grades else {}))["metrics"]
        for name, key in (("nDCG@10", "ndcg_cut_10"), ("MRR", "recip_rank")):
            expected = 100 * np.mean([of_query[key] for of_query in found.values()])
            assert metrics[name]["value"] == pytest.approx(expected, rel=1e-6)


def test_a_better_grade_first_gains_more():
    assert discounted_gain([1, 2], [3, 1], 10) == pytest.approx(100)
    assert discounted_gain([1, 2], [1, 3], 10) == pytest.approx(100 * (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))
    assert discounted_gain([11], [1], 10) == 0


@pytest.mark.parametrize(("size", "k"), [(1, 1), (3, 1), (3, 2), (5, 2), (9, 3)])
def test_a_recall_in_a_smaller_gallery_is_the_mean_over_all_of_its_galleries(size, k):
    ranks, allowed = np.array([1, 2, 4, 7]), np.array([7, 7, 6, 7])
    hits = []
    for rank, count in zip(ranks, allowed, strict=True):
        others = [place for place in range(1, count + 1) if place != rank]
        drawn = list(combinations(others, min(size - 1, count - 1)))
        hits.append(np.mean([sum(place < rank for place in found) < k for found in drawn]))
    assert recall_in_gallery(ranks, allowed, size, k) == pytest.approx(100 * np.mean(hits))


def test_recalls_with_the_reference_kept_and_left_out_follow_from_either_ranking():
    ranked = {rule: drawn_task(protocol=Protocol(reference=rule)) for rule in ("exclude", "keep")}
    recalls = {
        rule: {f"R@{k}": recall(table_of(task).column("rank").to_numpy(), k) for k in task.ks}
        for rule, task in ranked.items()
    }
    assert recalls["exclude"] != recalls["keep"]
    for task in ranked.values():
        found = record_of(task)["reference"]
        assert (found["left_out"], found["kept"]) == (recalls["exclude"], recalls["keep"])
        assert found["queries"] == 32


def test_copies_of_targets_are_named_and_counted(cvr, tmp_path):
    rows = {"v00": [[1.0, 0]], "v01": [[0, 1.0]], "v02": [[1.0, 0]], "v03": [[0.5, 0.5]]}
    (tmp_path / "features").mkdir()
    for name, frames in rows.items():
        np.save(tmp_path / "features" / f"{name}.npy", np.array(frames, np.float32))
    cvr.done("import-embeddings", tmp_path / "features", "--layout", "npy", "-O", tmp_path / "out")
    store = FeatureStore.open(tmp_path / "out", space="raw")
    gallery = [Item(name, Video(name)) for name in rows]
    twins = task_twins_in_store(gallery, store)
    assert twins == {"v00": frozenset({"v02"}), "v02": frozenset({"v00"})}
    queries = [Query("q1", gallery[1], "x"), Query("q2", gallery[2], "x"), Query("q3", gallery[0], "x")]
    targets = {"q1": frozenset({"v00"}), "q2": frozenset({"v00"}), "q3": frozenset({"v03"})}
    task = Task(name="twins", queries=queries, gallery=gallery, targets=targets, twins=twins)
    assert task_target_twins(task, twins) == {"q1": frozenset({"v02"})}  # the copy that q2 refers to is not ranked
    found = record_of(task)["twins"]
    assert (found["queries"], found["items"]) == (1, 1)
    assert found["R@1"]["counting"] >= found["R@1"]["strict"]
    table = table_of(task)
    assert table.column("twins").to_pylist() == [["v02"], [], []]
    other = replace(task, targets={**targets, "q1": frozenset({"v00", "v02"})}, twins={})
    assert table.column("twin_rank").to_pylist() == table_of(other).column("rank").to_pylist()
