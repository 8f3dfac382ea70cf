"""triplets: the join, each drop reason, caps, and what must not matter."""

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.tables import MODIFICATIONS, PAIRS, TRIPLETS, query_id, triplet_id
from cvr_data.triplets.join import ORDER, Config, SourceFolder, pairs_to_join, texts_to_join, triplet_steps
from tests.dataset_folders import mined_pair, ruled_text, table_of
from tests.stage_tables import apply_steps

CHANGES = [{"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}]


def pair(reference_id, target_id, **columns):
    captions = (f"caption of {reference_id}", f"caption of {target_id}")
    return mined_pair((reference_id, target_id), captions, **{"changes": CHANGES, "split": "train", **columns})


def text(of, modification, **columns):
    columns = {"modification_id": f"{of['pair_id']} {modification}", **columns}
    return {**ruled_text(of["pair_id"], modification), **columns}


def join(pairs, texts, **options):
    """Rows in the order in which they are written."""
    source = SourceFolder(path="test", number=0)
    read = [texts_to_join(source, table_of(texts, MODIFICATIONS)), pairs_to_join(source, table_of(pairs, PAIRS))]
    rows = apply_steps(
        triplet_steps(Config(**options), tests_kin=None), pa.concat_tables(read, promote_options="permissive")
    )
    return rows.sort_by([(name, "ascending") for name in (*ORDER, "drop_reason")])


def reasons(rows):
    return {row["modification_id"]: row["drop_reason"] for row in rows.to_pylist()}


def test_a_triplet_takes_its_columns_from_text_and_pair():
    one = pair("a", "b", split="test", reference_group_id="g1", target_group_id="g2", text_similarity=0.75, clip=0.5)
    kept, dropped = stage_rows_by_drop_reason(
        join([one], [text(one, "make it blue", backend="echo", model="m", style="dense")])
    )
    assert dropped.num_rows == 0
    [row] = check_columns(kept, TRIPLETS, "test").to_pylist()
    assert (row.pop("folder"), row.pop("is_test_source")) == (0, False)
    assert row == {
        "triplet_id": triplet_id("a", "make it blue", "b"), "query_id": query_id("a", "make it blue"),
        "reference_id": "a", "target_id": "b", "modification": "make it blue", "style": "dense", "split": "test",
        "reference_group_id": "g1", "target_group_id": "g2", "reference_caption": "caption of a",
        "target_caption": "caption of b", "changes": CHANGES, "frame_scores": None, "text_similarity": 0.75,
        "visual_similarity": None, "pair_id": one["pair_id"], "modification_id": f"{one['pair_id']} make it blue",
        "backend": "echo", "model": "m", "clip": 0.5,
    }  # fmt: skip


def test_two_targets_of_one_query_share_its_id():
    pairs = [pair("a", "b"), pair("a", "c")]
    rows = join(pairs, [text(one, "make it blue") for one in pairs])
    assert len(set(rows.column("query_id").to_pylist())) == 1
    assert len(set(rows.column("triplet_id").to_pylist())) == 2


def test_a_text_that_is_not_ok_is_dropped_with_its_first_reason():
    one = pair("a", "b")
    rows = [
        text(one, "x", modification_id="1", status="rejected", reasons=["copied", "too_long"]),
        text(one, None, modification_id="2", status="error", reasons=[]),
        text(one, "  ", modification_id="3"),
        text(one, "fine", modification_id="4"),
        text({"pair_id": "gone"}, "fine", modification_id="5"),
    ]
    expected = {"1": "copied", "2": "error", "3": "empty", "4": None, "5": "pair_not_found"}
    assert reasons(join([one], rows)) == expected


def test_a_video_with_itself_is_no_triplet():
    one = pair("a", "a")
    assert set(reasons(join([one], [text(one, "x")])).values()) == {"reference_is_target"}


def test_of_equal_triplets_of_a_folder_the_lowest_id_stays():
    one = pair("a", "b")
    texts = [text(one, "x", modification_id="2", backend="truth"), text(one, "x", modification_id="1")]
    assert reasons(join([one], texts)) == {"1": None, "2": "duplicate"}


def test_a_rejected_text_does_not_shadow_a_good_one():
    one = pair("a", "b")
    bad = text(one, "x", modification_id="1", status="rejected", reasons=["copied"])
    assert reasons(join([one], [bad, text(one, "x", modification_id="2")])) == {"1": "copied", "2": None}


@pytest.mark.parametrize(
    ("groups", "dropped"),
    [
        ({}, {"train"}),  # the train row's target is a test reference
        ({"reference_group_id": "g", "target_group_id": "h"}, set()),  # groups say that they are not alike
    ],
)
def test_of_rows_that_share_a_video_the_test_row_stays(groups, dropped):
    train, test = pair("a", "b", **groups), pair("b", "c", split="test")
    if groups:
        test.update(reference_group_id="other", target_group_id="another")
    rows = join([train, test], [text(train, "x"), text(test, "y")])
    assert {row["split"] for row in rows.to_pylist() if row["drop_reason"] == "straddles_splits"} == dropped


def test_near_duplicates_do_not_straddle_splits():
    train = pair("a", "b", target_group_id="g")
    val = pair("c", "d", split="val", reference_group_id="g")
    far = pair("e", "f")
    rows = join([train, val, far], [text(one, "x") for one in (train, val, far)])
    assert {row["reference_id"]: row["drop_reason"] for row in rows.to_pylist()} == {
        "a": "straddles_splits", "c": None, "e": None,
    }  # fmt: skip


def test_a_cap_keeps_the_visually_nearest_pairs_of_every_source():
    pairs = [pair("a", "t", visual_similarity=0.5), pair("b", "t", visual_similarity=0.9), pair("c", "t")]
    texts = [text(one, f"{backend} {one['reference_id']}", backend=backend)
             for backend in ("rules", "echo") for one in pairs]  # fmt: skip
    kept, dropped = stage_rows_by_drop_reason(join(pairs, texts, max_per_target=1))
    assert sorted(kept.column("modification").to_pylist()) == ["echo b", "rules b"]
    assert set(dropped.column("drop_reason").to_pylist()) == {"over_target_cap"}
    two, _ = stage_rows_by_drop_reason(join(pairs, texts, max_per_target=2))
    assert sorted(two.column("reference_id").to_pylist()) == ["a", "a", "b", "b"]


def test_a_text_is_capped_within_its_split():
    pairs = [pair("a", "b"), pair("c", "d"), pair("e", "f", split="test")]
    kept, _ = stage_rows_by_drop_reason(join(pairs, [text(one, "same") for one in pairs], max_per_text=1))
    assert sorted(kept.column("split").to_pylist()) == ["test", "train"]


def test_pairs_without_a_split_get_the_default_one():
    one = pair("a", "b", split=None)
    assert join([one], [text(one, "x")]).column("split").to_pylist() == ["train"]
    assert join([one], [text(one, "x")], default_split="val").column("split").to_pylist() == ["val"]


def test_an_unknown_split_is_refused():
    one = pair("a", "b", split="dev")
    with pytest.raises(CvrError, match="unknown split 'dev'"):
        join([one], [text(one, "x")])


def test_one_pair_in_two_splits_is_refused():
    with pytest.raises(CvrError, match="in split 'train' and in 'test'"):
        join([pair("a", "b"), pair("a", "b", split="test")], [text(pair("a", "b"), "x")])


def test_a_pair_in_two_artifacts_counts_once():
    one = pair("a", "b")
    assert join([one, one], [text(one, "x")]).num_rows == 1


def test_a_negative_cap_is_refused():
    with pytest.raises(ValueError, match="max_per_text must be 0"):
        Config(max_per_text=-1)


def test_nothing_gives_nothing():
    rows = join([], [])
    assert rows.num_rows == 0
    check_columns(rows, TRIPLETS, "test")


names = st.sampled_from("abcdef")
drawn_pairs = st.lists(
    st.tuples(names, names, st.floats(0, 1, width=16) | st.none()), min_size=1, max_size=12, unique_by=lambda p: p[:2]
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(drawn_pairs, st.randoms(use_true_random=False), st.integers(0, 2), st.integers(0, 2))
def test_the_order_of_rows_does_not_matter_and_caps_hold(drawn, shuffler: random.Random, per_target, per_text):
    pairs = [pair(reference, target, visual_similarity=similar) for reference, target, similar in drawn]
    texts = [text(one, f"to {one['target_id']}") for one in pairs]
    options = {"max_per_target": per_target, "max_per_text": per_text}
    expected = join(pairs, texts, **options)
    shuffler.shuffle(pairs)
    shuffler.shuffle(texts)
    assert join(pairs, texts, **options).equals(expected)
    kept = stage_rows_by_drop_reason(expected)[0].to_pylist()
    for cap, column in ((per_target, "target_id"), (per_text, "modification")):
        counts = [sum(row[column] == value for row in kept) for value in {row[column] for row in kept}]
        assert not cap or max(counts, default=0) <= cap
