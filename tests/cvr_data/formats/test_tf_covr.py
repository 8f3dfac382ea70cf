"""tf-covr: CSV and Parquet give the same triplets, whichever of the two shapes a file has."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.errors import CvrError
from cvr_data.formats.tf_covr import Config, read, write
from tests.triplet_tables import triplet, triplets

PAIRS = [
    {"query_video": "v1", "target_video": "v2", "label1": 4, "label2": 7, "modification": {"7": {"modification": "a"}}},
    {"query_video": "v2", "target_video": "v3", "label1": 7, "label2": 9, "modification": {"9": {"modification": "b"}}},
]


def parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def columns_of(table):
    return table.select(["reference_id", "target_id", "modification", "reference_label", "target_label"]).to_pylist()


def test_pairs_of_structs_are_pairs_of_texts(tmp_path):
    path = tmp_path / "train_finegd.csv"
    lines = [f'{row["query_video"]},{row["target_video"]},{row["label1"]},{row["label2"]},"{row["modification"]}"'
             for row in PAIRS]  # fmt: skip
    path.write_text("\n".join([",".join(PAIRS[0]), *lines]))
    expected = [
        {"reference_id": "v1", "target_id": "v2", "modification": "a", "reference_label": "4", "target_label": "7"},
        {"reference_id": "v2", "target_id": "v3", "modification": "b", "reference_label": "7", "target_label": "9"},
    ]
    assert columns_of(read(Config(), path)) == expected
    assert columns_of(read(Config(), parquet(tmp_path / "hub" / "data" / "train.parquet", PAIRS))) == expected
    assert read(Config(), tmp_path / "hub")["split"].to_pylist() == ["train", "train"]


def test_a_number_that_two_queries_share_keeps_them_apart(tmp_path):
    rows = [{"query_id": 7, "query_video": "v1", "target_video": target, "target_videos_ids": [target],
             "modification": "turn"} for target in ("v2", "v3")]  # fmt: skip
    assert read(Config(), parquet(tmp_path / "test.parquet", rows))["query_number"].to_pylist() == [0, 1]


def test_the_file_that_the_code_calls_video_pairs_is_read_too(tmp_path):
    path = tmp_path / "annotations" / "test_video_pairs_v2.csv"
    path.parent.mkdir()
    path.write_text("query_id,query_video,target_video,target_videos_ids,modification\n0,v1,v2,\"['v2', 'v3']\",turn\n")
    assert read(Config(), tmp_path)["target_id"].to_pylist() == ["v2", "v3"]


def test_files_are_written_as_the_released_configs_name_them(tmp_path):
    table = triplets(triplet("a", "turn", "b", split="test"), triplet("c", "turn", "d", split="val"))
    written = write(Config(), table, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "annotations/val_finegd.csv",
        "annotations/test_finegd.csv",
    ]


def test_a_list_that_is_none_is_named(tmp_path):
    rows = [{"query_video": "v1", "target_video": "v2", "target_videos_ids": [1], "modification": "turn"}]
    with pytest.raises(CvrError, match=r"row 0 .*'target_videos_ids': cannot read \[1\]"):
        read(Config(), parquet(tmp_path / "test.parquet", rows))
