"""check_columns and with_column: types as asked for, places as they were, and structs keep their other fields."""

import pyarrow as pa

from cvr_data.core.columns import check_columns, with_column
from cvr_data.tables import CHANGE, CHANGE_PHRASES, TRIPLETS
from tests.triplet_tables import triplet

TABLE = pa.table({"name": ["a", "b"], "score": pa.array([0.5, 1.0], pa.float32()), "split": ["train", "test"]})


def test_a_column_is_replaced_in_its_place():
    table = with_column(TABLE, "score", pa.array([2.0, 3.0]))
    assert table.column_names == TABLE.column_names
    assert table["score"].to_pylist() == [2.0, 3.0]


def test_a_new_column_comes_last():
    assert with_column(TABLE, "note", pa.array(["x", None])).column_names == ["name", "score", "split", "note"]


def test_plain_values_become_what_the_field_says():
    table = with_column(TABLE, TABLE.schema.field("score"), [None, 0.25])
    assert table.schema.equals(TABLE.schema)
    assert table["score"].to_pylist() == [None, 0.25]


def test_changes_are_read_with_phrases_and_without():
    plain = {"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}
    phrase = {"start": 2, "end": 5, "head": "ball", "number": "singular", "determiner": "a"}
    for kind, change in ((CHANGE, plain), (CHANGE_PHRASES, {**plain, "before_phrase": phrase, "after_phrase": None})):
        table = pa.Table.from_pylist([triplet("r", "make it blue", "t")])
        table = with_column(table, pa.field("changes", pa.list_(kind)), [[change]])
        checked = check_columns(table, TRIPLETS, "test")
        assert checked["changes"].to_pylist() == [[change]]
        assert checked.schema.field("changes").type == pa.list_(kind)
        assert check_columns(checked, TRIPLETS, "test").equals(checked)
