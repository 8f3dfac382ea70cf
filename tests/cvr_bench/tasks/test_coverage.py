"""coverage: a task within the videos that have features, and what that leaves out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_bench.results.result import result_ranks_table
from cvr_bench.scoring.bounds import Lost, metric_bounds
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.measures import Measures
from cvr_bench.tasks.composed import QueryRow, composed_task
from cvr_bench.tasks.coverage import missing_from_task, task_within_features
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Mean, Query, Task, part_of_task
from cvr_data.core.errors import CvrError
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video
from tests.scored_by import ScoredBy


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
    with pytest.raises(CvrError, match="has features of no query of toy") as told:
        task_within_features(
            toy(queries=[Query("q2", item("lost1"), "y")], targets={"q2": frozenset({"lost2"})}, slices={}), store
        )
    first = ", ".join(repr(name) for name in store.video_ids[:3])
    assert f"whose first one needs 'lost1', 'lost2'; the features are of {first};" in str(told.value)


def drawn_task(draw, *, is_listed: bool) -> Task:
    """Six queries with one to three of ten targets, of two kinds, and a set of look-alikes each."""
    names = [f"v{number}" for number in range(10)]
    targets = {f"q{row}": frozenset(draw.choice(names, draw.integers(1, 4), replace=False)) for row in range(6)}
    lists = [{name: ids | set(draw.choice(names, 4)) for name, ids in targets.items()} for _ in range(2)]
    return Task(
        name="whole",
        queries=[Query(name, item(str(draw.choice([*names, "elsewhere"]))), "x") for name in targets],
        gallery=[item(name) for name in names],
        targets=targets,
        candidates=lists[0] if is_listed else None,
        ks=(1, 2, 5),
        map_ks=(2, 5),
        subset=lists[1],
        subset_ks=(1, 2),
        means={"Avg": Mean(("R@5", "R_sub@1")), "by kind": Mean(("R@2",), over="kind")},
        slices={"kind": {f"q{row}": "even" if row % 2 else "odd" for row in range(6)}},
        protocol=Protocol(reference="keep"),
    )


def drawn_scores(seed):
    """Few distinct scores, by query and item, whatever else is ranked."""
    whole = np.random.default_rng(seed).integers(0, 5, (6, 10))
    return ScoredBy(lambda query, name: whole[int(query[1:]), int(name[1:])])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 9), min_size=1, max_size=9), st.booleans())
def test_bounds_of_every_metric_hold_whatever_the_missing_videos_would_score(seed, known, is_listed):
    draw = np.random.default_rng(seed)
    whole, there = drawn_task(draw, is_listed=is_listed), {f"v{number}" for number in known}
    scored = [query for query in whole.queries if whole.targets[query.query_id] & there and draw.random() < 0.8]
    if not scored:
        return
    missing = missing_from_task(whole, scored, there)
    part = dataclasses.replace(part_of_task(whole, scored, there), missing=missing)
    tables = [result_ranks_table(task, evaluate(drawn_scores(seed), task)) for task in (part, whole)]
    measures = Measures.of_task(whole)
    bounds = metric_bounds(tables[0], measures, Lost(missing.queries, missing.slices))
    assert set(bounds) == set(measures.names()) >= {"R_sub@1", "Avg", "by kind", "mAP@5", "mean"}
    for name, (low, high) in bounds.items():
        truth = float(measures.values(tables[1], name).mean())
        assert low - 1e-9 <= truth <= high + 1e-9, name


def test_nothing_missing_leaves_no_room():
    task = drawn_task(np.random.default_rng(3), is_listed=False)
    table, measures = result_ranks_table(task, evaluate(drawn_scores(3), task)), Measures.of_task(task)
    for name, (low, high) in metric_bounds(table, measures, Lost()).items():
        assert low == pytest.approx(high) == pytest.approx(float(measures.values(table, name).mean()))


def test_a_query_that_keeps_only_its_own_reference_as_target_is_counted_out(store):
    own = Query("q4", item("test01"), "x")
    task = toy(queries=[*toy().queries, own], targets={**toy().targets, "q4": frozenset({"test01", "lost1"})})
    found = task_within_features(task, store)
    assert [query.query_id for query in found.queries] == ["q1"]
    assert found.left_out["queries whose only remaining target is their reference"] == 1
    assert found.left_out["queries about videos without features"] == 2
    assert found.missing.queries == 3


def test_rows_that_repeat_a_query_are_one_and_counted():
    row = QueryRow("q1", "a", "make it snow", ("b",))
    task = composed_task("twice", [row, row, QueryRow("q2", "b", "x", ("a",))], ["a", "b"], Protocol())
    assert [query.query_id for query in task.queries] == ["q1", "q2"]
    assert task.left_out == {"rows that repeat a query": 1}
    with pytest.raises(CvrError, match="query q1 stands more than once"):
        composed_task("other", [row, dataclasses.replace(row, modification="y")], ["a", "b"], Protocol())
