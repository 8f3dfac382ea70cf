"""Keys: what a stage reads decides what it makes, and what replaces a folder spares what is not its own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import paths_in
from cvr_data.features import embed as embed_module
from cvr_data.features.embed import Selection, embed
from cvr_data.features.encoders import ENCODERS, hash
from cvr_data.media.video import write_mp4
from cvr_data.modifications.describe_videos import Config as DescribeConfig
from cvr_data.modifications.describe_videos import describe_videos
from cvr_data.tables import VIDEOS
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.near_duplicates import Config as SplitConfig
from cvr_data.videos.split import split_video_artifact
from tests.dataset_folders import write_artifact

ROWS = [("here", "here.mp4"), ("came", "came.mp4"), ("none", None)]


def write_clip(path):
    """The same frames each time."""
    write_mp4(path, np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8))


@pytest.fixture
def videos(tmp_path):
    """Three videos: one with its file, one whose file is missing, one without."""
    rows = [{"video_id": name, "captions": [f"a {name}"], "path": path, "source": "test"} for name, path in ROWS]
    write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)
    write_clip(tmp_path / "videos" / "here.mp4")
    return tmp_path / "videos"


def described(videos, out, **options):
    config = DescribeConfig(backend="echo", replace=True)
    return describe_videos(videos, out, config, cache=out.parent / "cache.sqlite", **options)


STAGES = {
    "embed": lambda videos, out, **options: embed(videos, "hash", hash.Config(dim=4), out, **options),
    "split": lambda videos, out, **options: split_video_artifact(videos, None, SplitConfig(), out, **options),
    "describe-videos": described,
}


@pytest.mark.parametrize("stage", STAGES)
def test_media_that_arrived_since_are_told_of(stage, videos, tmp_path):
    run, out = STAGES[stage], tmp_path / "out"
    before = run(videos, out).manifest
    (videos / "here.mp4").rename(tmp_path / "elsewhere.mp4")  # who needs the room may remove what was read
    assert run(videos, out).manifest == before
    (tmp_path / "elsewhere.mp4").rename(videos / "here.mp4")
    write_clip(videos / "came.mp4")
    with pytest.raises(CvrError, match=r"out was made when 1 media of .*videos were missing, of which 1 are there now"):
        run(videos, out)
    again = run(videos, out, overwrite=True)
    assert "missing_media" in before and "missing_media" not in again.manifest
    assert run(videos, out).manifest == again.manifest
    assert again.manifest["files"] != before["files"]


def test_what_is_in_the_files_that_an_encoder_reads_is_in_the_key(videos, tmp_path):
    def key():
        config = ENCODERS.config("embedded", [f"heads={tmp_path / 'heads'}"])
        return embed_module._run(videos, "embedded", config, tmp_path / "out", Selection(), False).writer.key

    keys = []
    for seed in (0, 0, 1):
        with ArtifactWriter(tmp_path / "heads", stage="heads", config={"seed": seed}, overwrite=True) as writer:
            writer.finish()
        keys.append(key())
    assert keys[0] == keys[1] != keys[2]
    config = ENCODERS.config("stored", ["embeddings=a", "texts=b,c"])
    assert paths_in(config) == {"embeddings": Path("a"), "texts": Path("b"), "texts-2": Path("c")}
    assert paths_in(CORPORA.config("table", ["path=x.csv"])) == {}  # it says so: the file is an input of its own


def test_a_table_that_was_edited_makes_another_artifact(cvr, one_line_error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("clips.csv").write_text("id,caption\na,a dog runs\nb,a cat runs\n")
    Path("pairs.csv").write_text("reference_id,target_id\na,b\n")
    mine = ["mine-pairs", "videos", "--strategy", "given", "-o", "path=pairs.csv", "--filter", "none", "-O", "pairs"]
    cvr.done("import", "table", "clips.csv", "-o", "id=id")
    assert cvr(*mine).code == cvr(*mine).code == 0
    Path("pairs.csv").write_text("reference_id,target_id\nb,a\n")
    assert "made with another given" in one_line_error(*mine)
    Path("clips.csv").write_text("id,caption\na,a dog runs\nb,a cat walks\n")
    assert "holds another artifact" in one_line_error("import", "table", "clips.csv", "-o", "id=id")
    assert "holds another artifact" in one_line_error("import", "table", "clips.csv", "-o", "id=id", "-o", "caption=id")


def test_files_of_others_are_neither_rows_nor_removed(videos, tmp_path):
    out = tmp_path / "out"
    first = split_video_artifact(videos, None, SplitConfig(), out)
    rows = first.read()
    foreign = {"part-00009.parquet": rows, "dropped-00009.parquet": rows}
    for name, table in foreign.items():
        pq.write_table(table, out / name)
    (out / "notes.txt").write_text("mine")
    assert open_artifact(out).read().num_rows == rows.num_rows and open_artifact(out).dropped().num_rows == 0
    again = split_video_artifact(videos, None, SplitConfig(seed=1), out, overwrite=True)
    assert sorted(again.manifest["files"]) == ["part-00000.parquet"]
    assert all(pq.read_table(out / name).equals(table) for name, table in foreign.items())
    assert (out / "notes.txt").read_text() == "mine" and verify(out) == []


@pytest.mark.parametrize("place", ["out", "out/inner"])
def test_nothing_that_is_read_is_replaced(place, videos, tmp_path):
    """The input is the folder itself, or lies in it."""
    out = tmp_path / "out"
    split_video_artifact(videos, None, SplitConfig(), out)
    source = tmp_path / place
    if source != out:
        shutil.copytree(videos, source)
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(CvrError, match="what this is made from, so it is not replaced"):
        split_video_artifact(source, None, replace(SplitConfig(), seed=1), out, overwrite=True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == files
    assert json.loads((out / "manifest.json").read_bytes())["stage"] == "split"
