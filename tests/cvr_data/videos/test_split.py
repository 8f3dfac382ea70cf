"""split: videos without features leave when they are not needed, and what it needs is one line."""

import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact


@pytest.fixture
def videos(tmp_path):
    rows = [
        {"video_id": f"v{number}", "captions": ["x"], "source": "test", "split": "test" if number > 7 else "train"}
        for number in range(10)
    ]
    return write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)


def test_videos_without_features_are_dropped_with_a_reason(videos, tmp_path, cvr):
    table = open_artifact(videos).read()
    write_artifact(tmp_path / "some", "import-test", table.slice(0, 6))
    embed(tmp_path / "some", "hash", hash.Config(dim=8), tmp_path / "embeddings")
    out = tmp_path / "split"
    outcome = cvr.done("split", videos, "--embeddings", tmp_path / "embeddings", "-o", "need_features=true", "-O", out)
    assert "dropped 4: no_features" in outcome.out
    split = open_artifact(out)
    assert split.read()["video_id"].to_pylist() == [f"v{number}" for number in range(6)]
    assert set(split.dropped()["drop_reason"].to_pylist()) == {"no_features"}


def test_features_that_are_needed_have_to_be_named(videos, tmp_path, one_line_error):
    line = one_line_error("split", videos, "-o", "need_features=true", "-O", tmp_path / "split")
    assert "need_features asks for --embeddings" in line
