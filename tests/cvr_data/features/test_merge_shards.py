"""embed in shards and on several devices, and merge: the bytes of one run, or one line that says what is missing."""

import json
import shutil

import numpy as np
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.features import embed_source
from cvr_data.media.video import write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import bytes_of

OPTIONS = ("--encoder", "hash", "-o", "dim=8")


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Five videos, one of them broken, in parts of two."""
    monkeypatch.setattr(embed_source, "VIDEOS_PER_PART", 2)
    import pyarrow as pa

    draw = np.random.default_rng(0)
    rows = []
    with ArtifactWriter(tmp_path / "videos", stage="import-test") as writer:
        for number in range(5):
            write_mp4(tmp_path / "videos" / f"{number}.mp4", draw.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8))
            rows.append({"video_id": f"v{number}", "captions": [f"dog {number}"], "path": f"{number}.mp4"})
        (tmp_path / "videos" / "3.mp4").write_bytes(b"broken")
        writer.write_part(0, pa.Table.from_pylist([{**row, "source": "test"} for row in rows], schema=VIDEOS))
        writer.finish()
    return tmp_path / "videos"


def embed_shards(cvr, videos, count):
    folders = [videos.parent / f"shard{number}" for number in range(count)]
    for number, folder in enumerate(folders):
        share = ("--num-shards", str(count), "--shard-id", str(number))
        cvr.done("embed", videos, *OPTIONS, *share, "-O", folder)
    return folders


@pytest.mark.parametrize("count", [2, 3, 6])
def test_merged_shards_are_one_run_byte_for_byte(cvr, videos, tmp_path, count):
    cvr.done("embed", videos, *OPTIONS, "-O", tmp_path / "whole")
    folders = embed_shards(cvr, videos, count)
    outcome = cvr.done("merge", *reversed(folders), "-O", tmp_path / "merged")
    assert "4 videos, 5 texts" in outcome.out
    assert "dropped 1: unreadable_video" in outcome.out
    assert bytes_of(tmp_path / "merged") == bytes_of(tmp_path / "whole")
    merged, whole = (open_artifact(tmp_path / name).manifest for name in ("merged", "whole"))
    same = set(whole) - {"command", "finished", "seconds"}
    assert {name: merged[name] for name in same} == {name: whole[name] for name in same}
    assert verify(tmp_path / "merged") == []


def test_missing_and_repeated_and_foreign_shards_are_named(cvr, one_line_error, videos, tmp_path):
    first, second = embed_shards(cvr, videos, 2)
    assert "Of 2 shards, 1 are missing" in one_line_error("merge", first, "-O", tmp_path / "out")
    shutil.copytree(first, tmp_path / "copy")
    assert "are both shard 0" in one_line_error("merge", first, tmp_path / "copy", "-O", tmp_path / "out")
    other = ("--encoder", "hash", "-o", "dim=9", "--num-shards", "2", "--shard-id", "1", "-O", tmp_path / "other")
    cvr.done("embed", videos, *other)
    assert "different runs" in one_line_error("merge", first, tmp_path / "other", "-O", tmp_path / "out")
    cvr.done("embed", videos, *OPTIONS, "-O", tmp_path / "whole")
    assert "is no shard" in one_line_error("merge", tmp_path / "whole", second, "-O", tmp_path / "out")
    assert "--shard-id" in one_line_error("embed", videos, "--num-shards", "2", "--shard-id", "2")


def test_a_shard_without_a_part_is_refused(cvr, one_line_error, videos, tmp_path):
    first, second = embed_shards(cvr, videos, 2)
    (second / "part-00001.parquet").unlink()
    assert "part-00001.parquet is missing" in one_line_error("merge", first, second, "-O", tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.slow
def test_two_devices_write_what_one_does(cvr, one_line_error, videos, tmp_path, monkeypatch):
    monkeypatch.undo()  # the processes know of no small parts
    cvr.done("embed", videos, *OPTIONS, "-O", tmp_path / "one")
    cvr.done("embed", videos, *OPTIONS, "--device", "cpu:0,cpu:1", "-O", tmp_path / "two")
    assert bytes_of(tmp_path / "two") == bytes_of(tmp_path / "one")
    assert not list(tmp_path.glob(".two*"))
    assert "cuda:0" in one_line_error("embed", videos, *OPTIONS, "--device", "cpu:0,gpu", "-O", tmp_path / "x")


def test_only_the_videos_of_a_list_are_embedded(cvr, one_line_error, videos, tmp_path):
    (tmp_path / "ids.csv").write_text("video_id\nv4\nv1\n")
    outcome = cvr("embed", videos, *OPTIONS, "--only", tmp_path / "ids.csv", "-O", tmp_path / "out")
    assert "2 videos, 2 texts" in outcome.out, outcome
    (tmp_path / "ids.csv").write_text("video_id\nv4\nv9\n")
    message = one_line_error("embed", videos, *OPTIONS, "--only", tmp_path / "ids.csv", "-O", tmp_path / "x")
    assert "names 1 videos" in message
    assert "v9" in message


def test_options_of_the_encoder_have_names_of_their_own(cvr, one_line_error, videos, tmp_path):
    cvr.done("embed", videos, *OPTIONS, "--frames", "2", "-O", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["config"]["options"]["frames"] == 2
    assert "unknown option 'sampler'" in one_line_error("embed", videos, *OPTIONS, "--sampler", "middle")
    assert "gives no frame tokens" in one_line_error("embed", videos, *OPTIONS, "--all-tokens", "-O", tmp_path / "x")


def test_texts_of_a_csv_file_are_embedded(cvr, tmp_path):
    (tmp_path / "texts.csv").write_text("edit,other\nmake it red,1\nmake it blue,2\n")
    outcome = cvr("embed", tmp_path / "texts.csv", *OPTIONS, "--column", "edit", "-O", tmp_path / "out")
    assert "0 videos, 2 texts" in outcome.out, outcome
