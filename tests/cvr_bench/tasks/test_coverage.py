"""coverage: a task within the videos that have features, and what that leaves out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_bench.tasks.coverage import missing_from_task, task_recall_bounds, task_within_features
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video


def item(name):
    return Item(name, Video(name))


def toy(**changes):
    fields = {
        "name": "toy",
        "queries": [Query("q1", item("test00"), "x"), Query("q2", item("lost1"), "y"), Query("q3", None, "z")],
        "gallery": [item(name) for name in ("test00", "test01", "test02", "lost1", "lost2")],
        "targets": {"q1": frozenset({"test01", "lost2"}), "q2": frozenset({"test01"}), "q3": frozenset({"lost2"})},
        "slices": {"kind": {"q1": "static", "q2": "action"}},
        "left_out": {"before": 1},
        **changes,
    }
    return Task(**fields)


@pytest.fixture(scope="module")
def store(world):
    return FeatureStore.open(world.embeddings, space="raw")


def test_what_has_no_features_is_left_out_and_counted(store):
    task = task_within_features(toy(), store)
    assert [query.query_id for query in task.queries] == ["q1"]
    assert [found.item_id for found in task.gallery] == ["test00", "test01", "test02"]
    assert task.targets == {"q1": {"test01"}}
    assert task.slices == {"kind": {"q1": "static"}}
    assert task.left_out == {
        "before": 1,
        "gallery videos without features": 2,
        "targets without features": 1,
        "queries about videos without features": 2,
    }


def test_candidates_follow_the_gallery(store):
    ranked = frozenset({"test00", "test01", "lost2"})
    task = task_within_features(toy(candidates=dict.fromkeys(("q1", "q2", "q3"), ranked)), store)
    assert task.candidates == {"q1": {"test00", "test01"}}


def test_texts_need_no_stored_features(store):
    texts = [Item("t1", text="a dog"), Item("t2", text="a cat")]
    turned = toy(
        queries=[Query("q1", item("test00"), None)],
        gallery=texts,
        targets={"q1": frozenset({"t1"})},
        slices={},
        protocol=Protocol(reference="keep"),
    )
    assert task_within_features(turned, store).gallery == texts


def test_features_of_other_videos_are_refused(store):
    with pytest.raises(CvrError, match="has features of no query of toy"):
        task_within_features(
            toy(queries=[Query("q2", item("lost1"), "y")], targets={"q2": frozenset({"lost2"})}, slices={}), store
        )


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 9), min_size=1, max_size=8), st.booleans())
def test_bounds_hold_whatever_the_missing_videos_would_score(seed, known, listed):
    draw = np.random.default_rng(seed)
    names = [f"v{number}" for number in range(10)]
    scores_QG = draw.integers(0, 5, (6, 10))
    targets = {f"q{row}": frozenset(draw.choice(names, draw.integers(1, 4), replace=False)) for row in range(6)}
    candidates = {name: ids | set(draw.choice(names, 4)) for name, ids in targets.items()} if listed else None
    whole = Task(
        name="whole",
        queries=[Query(name, None, "x") for name in targets],
        gallery=[item(name) for name in names],
        targets=targets,
        candidates=candidates,
        protocol=Protocol(reference="keep"),
    )
    there = {names[number] for number in known}
    scored = [query for query in whole.queries if targets[query.query_id] & there]

    def rank(row, pool):
        ranked = (candidates[f"q{row}"] if candidates else set(names)) & pool
        found = {name: scores_QG[row, names.index(name)] for name in ranked}
        best = max(score for name, score in found.items() if name in targets[f"q{row}"])
        return 1 + sum(score >= best for name, score in found.items() if name not in targets[f"q{row}"])

    lost = missing_from_task(whole, scored, there)
    ids = [query.query_id for query in scored]
    ranks = np.array([rank(int(name[1:]), there) for name in ids])
    unranked = np.array([lost.unranked.get(name, 0) for name in ids])
    partial = np.array([name in lost.partial for name in ids], dtype=bool)
    for k in (1, 2, 5):
        truth = 100 * float(np.mean([rank(row, set(names)) <= k for row in range(6)]))
        low, high = task_recall_bounds(ranks, unranked, partial, lost.queries, k)
        assert low - 1e-9 <= truth <= high + 1e-9


def test_nothing_missing_leaves_no_room(store):
    task = toy(
        queries=[Query("q1", item("test00"), "x")], gallery=[item("test00"), item("test01")],
        targets={"q1": frozenset({"test01"})}, slices={},
    )  # fmt: skip
    assert not task_within_features(task, store).missing
    assert task_recall_bounds(np.array([1, 7]), np.zeros(2, int), np.zeros(2, bool), 0, 5) == (50.0, 50.0)
    assert dataclasses.replace(task).missing.queries == 0
