"""webvid: durations, where its downloader puts files, and the nine published rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.media.video import write_mp4
from cvr_data.videos.corpora.webvid import webvid_duration_s

HEADER = "videoid,contentUrl,duration,page_dir,name\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PT00H00M17S", 17), ("PT01H02M03S", 3723), ("PT5S", 5), ("PT", None), ("17", None), ("", None)],
)
def test_durations_are_read_as_seconds(text, expected):
    assert webvid_duration_s(text) == expected


def test_without_media_there_are_captions_and_addresses(cvr, tmp_path):
    (tmp_path / "w.csv").write_text(HEADER + '1,http://x/1.mp4,PT00H00M17S,01_02,"Horse, grazing"\n')
    cvr.done("import", "webvid", tmp_path / "w.csv", "-O", tmp_path / "videos")
    row = open_artifact(tmp_path / "videos").read().to_pylist()[0]
    assert (row["video_id"], row["captions"], row["duration_s"]) == ("1", ["Horse, grazing"], 17.0)
    assert (row["url"], row["path"]) == ("http://x/1.mp4", None)


def test_media_lie_at_page_dir_and_id(cvr, tmp_path):
    (tmp_path / "w.csv").write_text(HEADER + "1,u,PT00H00M01S,01_02,a dog\n2,u,PT00H00M01S,01_02,a cat\n")
    (tmp_path / "media" / "01_02").mkdir(parents=True)
    write_mp4(tmp_path / "media" / "01_02" / "1.mp4", np.zeros((4, 32, 32, 3), np.uint8))
    media = f"media={tmp_path / 'media'}"
    cvr.done("import", "webvid", tmp_path / "w.csv", "-o", media, "-O", tmp_path / "videos")
    artifact = open_artifact(tmp_path / "videos")
    first, second = artifact.read().to_pylist()
    assert Path(first["path"]).name == "1.mp4"
    assert second["path"] is None
    assert artifact.manifest["dropped"] == {}


def test_a_folder_is_read_as_all_its_partitions(cvr, tmp_path):
    (tmp_path / "parts" / "deep").mkdir(parents=True)
    (tmp_path / "parts" / "0.csv").write_text(HEADER + "1,u,PT00H00M01S,p,a dog\n")
    row = {"videoid": 2, "contentUrl": "u", "duration": "PT5S", "page_dir": "p", "name": "a cat"}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "parts" / "deep" / "1.parquet")
    cvr.done("import", "webvid", tmp_path / "parts", "-O", tmp_path / "videos")
    assert open_artifact(tmp_path / "videos").read(["video_id"]).column(0).to_pylist() == ["1", "2"]


def test_a_missing_column_is_named(one_line_error, tmp_path):
    (tmp_path / "w.csv").write_text("videoid,contentUrl,duration,page_dir,caption\n1,u,PT1S,p,a dog\n")
    assert "column 'name' is missing" in one_line_error(
        "import", "webvid", tmp_path / "w.csv", "-O", tmp_path / "videos"
    )


@pytest.mark.data
def test_the_nine_published_rows_are_read(cvr, real_data, tmp_path):
    source = real_data / "webvid" / "results_2M_val.9rows.csv"
    cvr.done("import", "webvid", source, "-O", tmp_path / "videos")
    rows = open_artifact(tmp_path / "videos").read().to_pylist()
    assert len(rows) == 9
    assert rows[1]["captions"] == ["Horse grazing - seperated on green screen"]
    assert rows[1]["duration_s"] == 24.0


@pytest.mark.data
def test_real_clips_of_many_containers_are_readable(cvr, real_data, tmp_path):
    out = tmp_path / "videos"
    cvr.done("import", "folder", real_data / "clips", "-o", "captions=clips.csv", "-O", out)
    artifact = open_artifact(out)
    assert {Path(name).suffix for name in artifact.read(["video_id"]).column(0).to_pylist()} >= {
        ".mp4",
        ".gif",
        ".webm",
    }
    assert set(artifact.manifest["dropped"]) <= {"missing_file"}
