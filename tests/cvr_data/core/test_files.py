"""files: every kind of table is read the same, whole or in slices; what is wrong with a file is said in one line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.errors import CvrError
from cvr_data.core.files import SLICE, SUFFIXES, column_names, id_text, read_columns, read_rows, read_table

ROWS = [{"id": "v1", "text": 'says "hi",\nthen goes'}, {"id": "v2", "text": "un café"}]


def write(path, rows):
    """Write the rows as the kind of table that the suffix says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix in (".jsonl", ".ndjson"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        lines = [list(rows[0]), *(row.values() for row in rows)]
        cells = [mark.join('"{}"'.format(str(cell).replace('"', '""')) for cell in line) for line in lines]
        path.write_text("\n".join(cells) + "\n", encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_table_is_read_the_same(tmp_path, suffix):
    path = write(tmp_path / f"t{suffix}", ROWS)
    assert column_names(path) == ["id", "text"]
    assert read_table(path).to_pylist() == ROWS
    assert [row.values for rows in read_rows(path, ["id", "text"]) for row in rows] == ROWS


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_known_columns_are_found_by_name_and_others_ignored(tmp_path, suffix):
    path = write(tmp_path / f"t{suffix}", ROWS)
    assert read_columns(path, ["text", "url", "id"], ["id"]) == {
        "text": [row["text"] for row in ROWS],
        "id": [row["id"] for row in ROWS],
    }
    with pytest.raises(CvrError, match=r"column 'texts' is missing\. Did you mean: text"):
        read_columns(path, ["texts"], ["texts"])


def test_every_value_of_a_csv_is_text_as_it_stands(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,n,empty\n007, 1.50 ,\n")
    assert read_table(path).to_pylist() == [{"id": "007", "n": " 1.50 ", "empty": ""}]


def test_lists_of_parquet_and_json_stay_lists(tmp_path):
    rows = [{"id": 1, "texts": ["a", "b"]}]
    for suffix in (".parquet", ".jsonl"):
        assert read_table(write(tmp_path / f"t{suffix}", rows)).to_pylist() == rows


def test_blank_lines_before_the_header_and_between_rows_are_no_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\nid,text\n\nv1,a\n\nv2,b\n")
    assert read_columns(path, ["id"], ["id"]) == {"id": ["v1", "v2"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"id,text\nv1,a\nv2\nv3,b,c\n", r"line 3: 1 value where the header has 2 and 1 more"),
        ("t.csv", b"id,text\nv1,a\nv2,caf\xe9\n", r"line 3, column 'text': not UTF-8"),
        ("t.jsonl", b'{"id": "v1"}\n[1]\n', r"line 2: not a JSON object"),
        ("t.jsonl", b"nonsense\n", "no line is a JSON object"),
        ("t.parquet", b"nonsense", "cannot be read as Parquet"),
        ("gone.csv", None, "no such file"),
    ],
)
def test_a_table_that_cannot_be_taken_whole_is_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CvrError, match=message) as raised:
        read_table(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_stream_keeps_what_it_cannot_read_with_the_reason(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"id,text\nv1,a\nv2,caf\xe9\nv3\nv4,d\n")
    rows = [row for rows in read_rows(path, ["id", "text"]) for row in rows]
    assert [(row.where, row.values.get("id"), row.drop_reason) for row in rows] == [
        ("line 2", "v1", None),
        ("line 3", "v2", "not_utf8"),
        ("line 4", None, "bad_row"),
        ("line 5", "v4", None),
    ]


def test_a_stream_comes_in_slices(tmp_path):
    path = write(tmp_path / "t.csv", [{"id": number} for number in range(SLICE + 1)])
    assert [len(rows) for rows in read_rows(path, ["id"])] == [SLICE, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"video_id;caption\na;b\n", "separated by ';', and a .csv by ','"),
        ("t.csv", b"video_id\tcaption\na\tb\n", "separated by tabs, .*or name it .tsv"),
        ("t.tsv", b"video_id,caption\na,b\n", "separated by ',', and a .tsv by tabs"),
        ("t.csv", b"video_id, caption\na, b\n", "the header has a space before caption"),
        ("t.csv", b"video_id,Caption\na,b\n", "the header has 'Caption'"),
        ("t.csv", "video_id,\u200bcaption\na,b\n".encode(), r"the header has '\\u200bcaption'"),
        ("t.csv", b"a,a dog\nb,a cat\n", "is there a header.*'a, a dog'"),
        ("t.csv", b"video_id,caption,caption\na,b,c\n", "2 columns are named 'caption'"),
        ("t.jsonl", b'[{"video_id": 1, "caption": "x"}]\n', "it is a list, where each line should be an object"),
    ],
)
def test_what_is_odd_about_a_header_is_said(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CvrError, match=message):
        list(read_rows(path, ["video_id", "caption"]))


def test_columns_of_one_name_are_no_matter_where_nobody_asks_for_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n,id,n,\n1,a,2,\n")
    assert read_columns(path, ["id"], ["id"]) == {"id": ["a"]}


def test_keys_that_the_first_object_lacks_are_columns(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "a"}\n\n{"id": "b", "text": "x"}\n{"id": "c", "id": "d"}\n')
    found = [row for rows in read_rows(path, ["id", "text"]) for row in rows]
    assert [(row.where, row.values.get("text"), row.drop_reason) for row in found] == [
        ("line 1", None, None),
        ("line 3", "x", None),
        ("line 4", None, "bad_row"),
    ]


def test_values_of_several_kinds_are_refused_whole_in_one_line(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "a"}\n{"id": 5}\n')
    with pytest.raises(CvrError, match="the values of 'id' are not of one kind"):
        read_table(path)


def test_a_whole_number_is_an_id_and_what_is_none_is_not():
    given = [0, 7, 101.0, 12345678901234567, "007", "nan", None, float("nan"), True, 1.5, {"a": 1}, ["x"], 1e300]
    assert [id_text(value) for value in given] == [
        "0", "7", "101", "12345678901234567", "007", "nan", "", None, None, None, None, None, None,
    ]  # fmt: skip
