"""parquet: nothing is lost, and a broken file is named."""

import pyarrow as pa
import pytest

from cvr_data.core.errors import CvrError
from cvr_data.formats.parquet import Config, read, write
from tests.triplet_tables import triplet, triplets

TABLE = triplets(
    triplet("a", "make it blue", "b", split="train", frame_scores=[0.5, 0.25], text_similarity=0.75, clip_score=0.5),
    triplet("c", 'say "hi",\nthen go', "d", split="test"),
)


def test_reading_gives_what_was_written(tmp_path):
    paths = write(Config(), TABLE, tmp_path)
    assert [path.name for path in paths] == ["triplets-train.parquet", "triplets-test.parquet"]
    assert read(Config(), tmp_path).equals(TABLE)
    assert read(Config(), paths[1]).to_pylist() == TABLE.to_pylist()[1:]


def test_pandas_reads_it(tmp_path):
    import pandas

    write(Config(), TABLE, tmp_path)
    assert pandas.read_parquet(tmp_path / "triplets-test.parquet")["target_id"].tolist() == ["d"]


def test_equal_tables_give_equal_bytes(tmp_path):
    first = write(Config(), TABLE, tmp_path / "one")
    second = write(Config(), pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]), tmp_path / "two")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_broken_or_absent_file_is_named_in_one_line(tmp_path):
    (tmp_path / "triplets-test.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(CvrError, match="cannot be read as Parquet"):
        read(Config(), tmp_path)
    with pytest.raises(CvrError, match="no such file"):
        read(Config(), tmp_path / "gone.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CvrError, match=r"holds none of triplets-train\.parquet"):
        read(Config(), tmp_path / "empty")
