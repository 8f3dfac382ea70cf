"""huggingface: a DatasetDict with Video columns that is read without a video decoder."""

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.errors import CvrError
from cvr_data.formats.huggingface import Config, huggingface_format_dataset, read, write
from cvr_data.media.video import write_mp4
from tests.triplet_tables import triplet, triplets

TABLE = triplets(
    triplet("a", "make it blue", "b", split="train", frame_scores=[0.5, 0.25]),
    triplet("c", "make it red", "a", split="test", my_score=0.5),
)


@pytest.fixture
def videos(tmp_path):
    """One readable video, a; b has no file and c no row."""
    path = tmp_path / "a.mp4"
    write_mp4(path, np.zeros((3, 16, 16, 3), np.uint8))
    return pa.table({"video_id": ["a", "b"], "path": [str(path), None]})


def test_reading_gives_what_was_written(tmp_path, videos):
    write(Config(), TABLE, tmp_path / "out", videos)
    assert read(Config(), tmp_path / "out").to_pylist() == TABLE.to_pylist()


def test_rows_hold_the_path_of_each_video_that_is_there(tmp_path, videos):
    splits = huggingface_format_dataset(Config(), TABLE, videos)
    assert splits["train"][0]["reference_video"] == {"path": str(tmp_path / "a.mp4"), "bytes": None}
    assert splits["train"][0]["target_video"] is None
    assert splits["test"][0]["target_video"]["path"] == str(tmp_path / "a.mp4")


def test_videos_travel_with_the_folder(tmp_path, videos):
    from datasets import load_from_disk

    write(Config(), TABLE, tmp_path / "out", videos)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").unlink()
    row = load_from_disk(str(tmp_path / "out"))["train"][0]
    assert row["reference_video"] == {"path": "a.mp4", "bytes": content}
    assert row["target_video"] is None


def test_media_that_are_missing_or_show_no_picture_are_told_and_left_out(tmp_path, videos, capsys):
    (tmp_path / "c.mp4").write_bytes(b"not a video")
    videos = pa.concat_tables(
        [videos, pa.table({"video_id": ["c", "x"], "path": [str(tmp_path / "c.mp4"), "/no.mp4"]})]
    )
    row = huggingface_format_dataset(Config(), TABLE, videos)["test"][0]
    assert row["reference_video"] is None and row["target_video"] is not None
    assert capsys.readouterr().err.splitlines() == [
        "huggingface: 1 videos have no file, so their rows hold none: b.",
        "huggingface: 1 videos have a file that shows no picture, so their rows hold none: c.",
    ]


def test_videos_can_be_left_out(tmp_path, videos):
    from datasets import load_from_disk

    write(Config(embed=False), TABLE, tmp_path / "out", videos)
    assert load_from_disk(str(tmp_path / "out"))["train"][0]["reference_video"] is None


def test_the_columns_are_videos_for_datasets(videos):
    from datasets import Video

    features = huggingface_format_dataset(Config(), TABLE, videos)["train"].features
    assert features["reference_video"] == Video(decode=False)
    assert huggingface_format_dataset(Config(decode=True), TABLE, videos)["train"].features["target_video"] == Video()


def test_a_folder_without_a_saved_dataset_is_named(tmp_path):
    with pytest.raises(CvrError, match="holds no saved DatasetDict"):
        read(Config(), tmp_path)
