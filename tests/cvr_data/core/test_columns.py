"""with_column: the column stands where the one of its name stood, and has the type that is asked for."""

import pyarrow as pa

from cvr_data.core.columns import with_column

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
