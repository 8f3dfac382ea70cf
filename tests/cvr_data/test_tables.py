"""tables: ids that are content hashes, and the check at every border."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.tables import PAIRS, VIDEOS, content_id, pair_id, query_id, triplet_id

VIDEO = {"video_id": ["a", "b"], "captions": [["one"], ["two"]], "source": ["s", "s"]}


def test_an_id_is_sixteen_hex_of_the_json_list():
    expected = hashlib.sha256(b'["a","b","x y","x z"]').hexdigest()[:16]
    assert pair_id("a", "b", "x y", "x z") == expected


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_two_ids_are_equal_only_for_equal_parts(one, other):
    assert (content_id(*one) == content_id(*other)) == (one == other)


def test_the_order_of_reference_and_target_matters():
    assert triplet_id("a", "make it red", "b") != triplet_id("b", "make it red", "a")
    assert query_id("a", "make it red") != query_id("b", "make it red")


def test_absent_optional_columns_are_null_and_others_follow():
    table = check_columns(pa.table({**VIDEO, "mine": [1, 2]}), VIDEOS, "here")
    assert table.column_names == [*VIDEOS.names, "mine"]
    assert table.column("path").null_count == 2
    assert table.schema.field("video_id").type == pa.string()


def test_a_missing_column_is_named_with_the_nearest_one():
    table = pa.table({"video_id": ["a"], "caption": [["x"]], "source": ["s"]})
    with pytest.raises(CvrError, match=r"here: column 'captions' is missing\. Did you mean: caption\?"):
        check_columns(table, VIDEOS, "here")


def test_rows_without_a_required_value_are_named():
    table = pa.table({**VIDEO, "video_id": [None, "b"]})
    with pytest.raises(CvrError, match=r"here: column 'video_id' has no value in rows 0\."):
        check_columns(table, VIDEOS, "here")


def test_a_column_that_cannot_be_cast_says_what_it_should_be():
    table = pa.table({**VIDEO, "duration_s": ["long", "short"]})
    with pytest.raises(CvrError, match=r"here: column 'duration_s' should be double, got string"):
        check_columns(table, VIDEOS, "here")


def test_an_empty_table_with_the_right_columns_is_a_good_table():
    assert check_columns(PAIRS.empty_table(), PAIRS, "here").num_rows == 0
