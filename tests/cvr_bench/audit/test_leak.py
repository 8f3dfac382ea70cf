"""Leaks between train and test: against one pair at a time, and on data that leaks by construction."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_bench.audit.leak import LEAKS, Config, Items, find_leak_pairs, find_leaks, leak_side
from cvr_data.core.columns import check_columns
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS

THRESHOLD = 0.9
COLUMNS = ("test", "train", "reasons", "matches")


@st.composite
def sides(draw):
    """Test and train items with few distinct codes and vectors, so that pairs of every reason turn up."""
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    vectors[3] = 0.0  # features that are not there

    def side(prefix):
        count = draw(st.integers(1, 7))
        groups = draw(st.lists(st.sampled_from(["", "g", "h"]), min_size=count, max_size=count))
        rows = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
        return Items([f"{prefix}{row}" for row in range(count)], {"group": groups}, vectors[rows])

    return side("test"), side("train")


@given(sides(), st.integers(1, 4))
def test_matches_are_those_of_one_pair_at_a_time(both, block):
    test, train = both
    expected = {}
    for row, name in enumerate(test.names):
        for column, other in enumerate(train.names):
            reasons = []
            if test.codes["group"][row] and test.codes["group"][row] == train.codes["group"][column]:
                reasons.append("group")
            if float(test.vectors_ND[row] @ train.vectors_ND[column]) >= THRESHOLD:
                reasons.append("similar")
            if reasons:
                expected[name, other] = reasons
    found = find_leak_pairs(test, train, THRESHOLD, listed=100, block=block)
    rows = found.table("video").to_pylist()
    assert {(row["test"], row["train"]): row["reasons"] for row in rows} == expected
    assert found.counts_M.sum() == len(rows) == len(expected)
    for name, count in found.counts():
        assert {row["matches"] for row in rows if row["test"] == name} <= {count}


def test_only_the_most_similar_pairs_are_listed_and_all_are_counted():
    angles = np.linspace(0, 0.2, 30)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    train = Items([f"t{row:02d}" for row in range(30)], {}, vectors)
    found = find_leak_pairs(Items(["q"], {}, vectors[:1]), train, THRESHOLD, listed=3, block=8)
    assert [row["train"] for row in found.table("video").to_pylist()] == ["t00", "t01", "t02"]
    assert found.counted()["pairs"] == found.table("video").to_pylist()[0]["matches"] == 30


def test_the_order_of_items_and_the_block_do_not_matter():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    train = Items([f"t{row:02d}" for row in range(40)], {"group": [str(row % 5) for row in range(40)]}, vectors)
    test = Items(["a", "b"], {"group": ["1", "2"]}, vectors[:2])
    tables = [find_leak_pairs(test, train, 0.5, listed=4, block=block).table("video") for block in (1, 7, 100)]
    assert tables[0].equals(tables[1])
    assert tables[1].equals(tables[2])


def triplets(*rows):
    names = ("query_id", "reference_id", "target_id", "modification", "target_caption", "target_group_id")
    filled = [{**dict(zip(names, row, strict=True)), "triplet_id": str(row), "style": "", "split": ""} for row in rows]
    return leak_side(check_columns(pa.Table.from_pylist(filled), TRIPLETS, "triplets"))


def no_vectors(texts):
    return np.zeros((len(texts), 2), dtype=np.float32)


@pytest.fixture
def store(world):
    return FeatureStore.open(world.embeddings, space="raw")


def test_a_shared_video_makes_data_leak_and_says_which_queries_are_about_it(store):
    train = triplets(("q1", "train00", "train01", "make it red", "a dog", None))
    test = triplets(
        ("q2", "test00", "train01", "make it blue", "a cat", None),
        ("q3", "test01", "test02", "make it green", "a bird", None),
    )
    leaks = find_leaks(Config(), train, test, store, {"caption": no_vectors, "modification": no_vectors})
    assert leaks.summary["leaking"]
    assert leaks.summary["queries"] == {"all": 2, "about_leaked_videos": 1}
    assert leaks.table.schema == LEAKS
    rows = leaks.table.to_pylist()
    assert [(row["test"], row["train"]) for row in rows] == [("train01", "train01")]
    assert rows[0]["reasons"][0] == "same"
    assert rows[0]["similarity"] == pytest.approx(1.0, abs=1e-4)


def test_a_shared_group_leaks_and_shared_texts_alone_do_not(store):
    train = triplets(("q1", "train00", "train01", "Make it red!", "a dog", "g"))
    test = triplets(("q2", "test00", "test01", "make it red", "A dog.", "g"))
    vectors_of = {"caption": no_vectors, "modification": no_vectors}
    leaks = find_leaks(Config(), train, test, store, vectors_of)
    rows = {row["kind"]: row for row in leaks.table.to_pylist()}
    assert rows["video"]["reasons"] == ["group"]
    assert (rows["caption"]["test"], rows["caption"]["train"]) == ("A dog.", "a dog")
    assert (rows["modification"]["reasons"], rows["modification"]["similarity"]) == (["same"], None)
    other = triplets(("q2", "test00", "test01", "make it red", "A dog.", "another"))
    leaks = find_leaks(Config(), train, other, store, vectors_of)
    assert not leaks.summary["leaking"]
    assert leaks.summary["captions"]["leaked"] == leaks.summary["modifications"]["leaked"] == 1
    assert leaks.summary["videos"] == {
        "test": 2, "train": 2, "leaked": 0, "pairs": 0, "listed": 0, "without_features": 0,
        "pairs_by_reason": {"same": 0, "group": 0, "hash": 0, "similar": 0},
    }  # fmt: skip


def test_texts_of_near_equal_embeddings_are_similar(store):
    vectors = {"make it red": [1.0, 0.0], "turn it red": [0.96, 0.28], "let it snow": [0.0, 1.0]}
    train = triplets(("q1", "train00", "train01", "make it red", None, None))
    test = triplets(
        ("q2", "test00", "test01", "turn it red", None, None), ("q3", "test00", "test02", "let it snow", None, None)
    )

    def look_up(texts):
        return np.array([vectors[text] for text in texts], dtype=np.float32)

    leaks = find_leaks(Config(), train, test, store, {"caption": no_vectors, "modification": look_up})
    rows = leaks.table.to_pylist()
    assert [(row["kind"], row["test"], row["train"], row["reasons"]) for row in rows] == [
        ("modification", "turn it red", "make it red", ["similar"])
    ]
    assert leaks.summary["captions"]["test"] == 0


def test_a_threshold_is_a_cosine():
    with pytest.raises(ValueError, match=r"threshold must be above 0 and at most 1, got 1.5"):
        Config(threshold=1.5)
