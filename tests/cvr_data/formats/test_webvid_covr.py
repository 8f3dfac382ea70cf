"""webvid-covr: the published columns, any subset of them, and what a broken file says."""

import ast
import csv
from pathlib import Path

import pandas
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.errors import CvrError
from cvr_data.formats.webvid_covr import COLUMNS, Config, read, webvid_covr_csv, write
from cvr_data.tables import triplet_id
from tests.triplet_tables import triplet, triplets

ALL_NINE = {"txt1", "txt2", "sim_txt", "pth1", "pth2", "edit", "scores", "sim_vid", "person-prob"}

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
similarities = st.none() | st.floats(-1, 1, width=16)
rows = st.lists(
    st.builds(
        triplet,
        words,
        words,
        words,
        reference_caption=words,
        target_caption=words,
        text_similarity=similarities,
        visual_similarity=similarities,
        frame_scores=st.none() | st.lists(st.integers(-9999, 9999).map(lambda n: n / 10_000), min_size=1, max_size=4),
        changes=st.none(),
        backend=st.none(),
        model=st.none(),
    ),
    min_size=1,
    max_size=4,
)


def write_text(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@settings(max_examples=60, deadline=None)
@given(rows)
def test_reading_gives_what_was_written(tmp_path_factory, rows):
    table = triplets(*rows)
    folder = tmp_path_factory.mktemp("csv")
    [path] = write(Config(), table, folder)
    assert path.name == "webvid_covr_train.csv"
    assert read(Config(), path).select(table.column_names).to_pylist() == table.to_pylist()


def test_the_nine_columns_are_written_as_the_reference_loader_expects(tmp_path):
    table = triplets(triplet("1/2", "make it blue", "1/3", split="test", frame_scores=[0.25, 0.5]))
    [path] = write(Config(), table, tmp_path)
    frame = pandas.read_csv(path, dtype={"pth1": str, "pth2": str})
    assert set(frame.columns) == ALL_NINE
    assert ast.literal_eval(frame["scores"][0]) == [0.25, 0.5]
    assert frame["pth2"][0] == "1/3"


def test_one_file_per_split_that_has_rows(tmp_path):
    table = triplets(triplet("a", "x", "b", split="val"), triplet("c", "x", "d", split="test"))
    paths = write(Config(), table, tmp_path)
    assert [path.name for path in paths] == ["webvid_covr_val.csv", "webvid_covr_test.csv"]
    assert read(Config(), tmp_path).column("split").to_pylist() == ["test", "val"]


def test_a_subset_of_columns_is_written_and_read(tmp_path):
    columns = ("pth1", "pth2", "edit")
    [path] = write(Config(columns=columns), triplets(("a", "make it blue", "b")), tmp_path)
    assert path.read_text().splitlines() == ["pth1,pth2,edit", "a,b,make it blue"]
    [row] = read(Config(), path).to_pylist()
    assert row["triplet_id"] == triplet_id("a", "make it blue", "b")
    assert row["reference_caption"] is None


def test_an_index_column_and_unknown_columns_are_ignored(tmp_path):
    path = write_text(tmp_path / "x_test.csv", ",pth2,note,edit,pth1,person-prob\n0,b,hm,make it blue,a,0.5\n")
    [row] = read(Config(), path).to_pylist()
    assert (row["reference_id"], row["target_id"], row["split"], row["person_prob"]) == ("a", "b", "test", 0.5)


def test_rows_that_share_a_query_have_one_query_id(tmp_path):
    path = write_text(tmp_path / "x.csv", "pth1,pth2,edit\na,b,make it blue\na,c,make it blue\n")
    ids = read(Config(), path).column("query_id").to_pylist()
    assert ids[0] == ids[1]


def test_empty_scores_are_no_scores(tmp_path):
    path = write_text(tmp_path / "x.csv", "pth1,pth2,edit,scores\na,b,make it blue,[]\n")
    assert read(Config(), path).column("frame_scores").to_pylist() == [None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"pth1,edit\na,x\n", "column 'pth2' is missing"),
        (b"pth1,pth2,edit\na,b,c\na,b\n", r"rows 1 \(counted from 0\): 2 values where the header has 3"),
        (b"pth1,pth2,edit\na,,x\n", "column 'pth2' is empty in rows 0"),
        (b"pth1,pth2,edit\na,b,\xff\xfe\n", "row 0 .*'edit': not UTF-8"),
        (b"pth1,pth2,edit,sim_txt\na,b,x,high\n", "row 0 .*'sim_txt': cannot read 'high'"),
        (b'pth1,pth2,edit,scores\na,b,x,"[1, what]"\n', "row 0 .*'scores': cannot read"),
        (b'pth1,pth2,edit,scores\na,b,x,"0.5"\n', "row 0 .*'scores': cannot read"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(CvrError, match=message) as raised:
        read(Config(), path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_config_needs_the_three_columns():
    with pytest.raises(ValueError, match="missing: edit"):
        Config(columns=("pth1", "pth2"))
    with pytest.raises(ValueError, match="Did you mean: edit"):
        Config(columns=("pth1", "pth2", "edt"))


def test_no_row_gives_a_header_only():
    assert webvid_covr_csv(triplets(("a", "x", "b")).slice(0, 0)) == (",".join(COLUMNS) + "\n").encode()


@pytest.mark.data
def test_the_published_file_comes_back_cell_by_cell(real_data, tmp_path):
    source = real_data / "webvid_covr" / "webvid8m-covr_test.half.csv"
    table = read(Config(split="test"), source)
    with source.open(encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    assert table.num_rows == len(published) == 1278
    [path] = write(Config(columns=tuple(published[0])), table, tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert written == published


def test_extra_columns_of_the_table_are_not_written(tmp_path):
    table = triplets(("a", "x", "b")).append_column("my_score", pa.array([1.0]))
    assert b"my_score" not in webvid_covr_csv(table)


def test_the_sample_in_annotations_comes_back_byte_by_byte(tmp_path):
    sample = Path(__file__).resolve().parents[3] / "annotations" / "formats" / "webvid_covr_test.csv"
    table = read(Config(), sample)
    assert table.num_rows == 5
    assert table["frame_scores"].to_pylist()[3] is None
    [path] = write(Config(), table, tmp_path)
    assert path.read_text(encoding="utf-8") == sample.read_text(encoding="utf-8")
