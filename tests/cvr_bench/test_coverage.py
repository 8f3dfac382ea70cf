"""coverage: a task within the videos that have features, and what that leaves out."""

import pytest

from cvr_bench.coverage import within_features
from cvr_bench.protocol import Protocol
from cvr_bench.task import Item, Query, Task
from cvr_data.embeddings import FeatureStore
from cvr_data.errors import CvrError
from cvr_data.video import Video


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
    task = within_features(toy(), store)
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


def test_candidates_follow_the_gallery_and_frames_the_features(store):
    ranked = frozenset({"test00", "test01", "lost2"})
    task = within_features(toy(candidates=dict.fromkeys(("q1", "q2", "q3"), ranked)), store)
    assert task.candidates == {"q1": {"test00", "test01"}}
    assert task.protocol.frames == "2 uniform"


def test_texts_need_no_stored_features(store):
    texts = [Item("t1", text="a dog"), Item("t2", text="a cat")]
    turned = toy(
        queries=[Query("q1", item("test00"), None)],
        gallery=texts,
        targets={"q1": frozenset({"t1"})},
        slices={},
        protocol=Protocol(reference="keep"),
    )
    assert within_features(turned, store).gallery == texts


def test_features_of_other_videos_are_refused(store):
    with pytest.raises(CvrError, match="has features of no query of toy"):
        within_features(
            toy(queries=[Query("q2", item("lost1"), "y")], targets={"q2": frozenset({"lost2"})}, slices={}), store
        )
