"""import_features: texts of another folder, a killed import, and no h5py; and embed's and frame-scores' refusals."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cvr_data.core.artifacts import open_artifact
from cvr_data.features import import_features
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import bytes_of, write_artifact

OPTIONS = ("--encoder", "hash", "-o", "dim=8")


def write_videos(folder, rows):
    filled = [{"video_id": name, "captions": [f"a {name}"], "path": path, "source": "test"} for name, path in rows]
    return write_artifact(folder, "import-test", filled, VIDEOS)


@pytest.fixture
def features(tmp_path):
    """Five .npy files of two frames."""
    (tmp_path / "features").mkdir()
    for number in range(5):
        np.save(tmp_path / "features" / f"v{number}.npy", np.full((2, 8), number + 1, np.float32))
    return tmp_path / "features"


def test_texts_of_another_folder_come_with_imported_videos(cvr, one_line_error, features, tmp_path):
    videos = write_videos(tmp_path / "videos", [("dog", None)])
    cvr.done("embed", videos, *OPTIONS, "-O", tmp_path / "texts")
    options = ("--layout", "npy", "--texts", tmp_path / "texts")
    outcome = cvr("import-embeddings", features, *options, "-O", tmp_path / "out")
    assert "5 videos, 1 texts, 8 wide, texts 8" in outcome.out, outcome
    stores = [FeatureStore.open(tmp_path / name, "raw") for name in ("out", "texts")]
    found, expected = (store.texts(["a dog"]).pooled_BD for store in stores)
    assert_close(found, expected)
    assert stores[0].video_ids == [f"v{number}" for number in range(5)]
    torch.save({"texts": ["a cat"], "feats": torch.ones(1, 8)}, features / "txt2_own.pth")
    torch.save(torch.ones(2, 8), features / "v9.pth")
    options = ("--layout", "pth", "--texts", tmp_path / "texts", "-O", tmp_path / "both")
    assert "leave --texts out" in one_line_error("import-embeddings", features, *options)
    ignored = one_line_error("import-embeddings", features, "--layout", "pth", "--encoder-option", "dim=3")
    assert "--encoder-option belongs to --encoder" in ignored


def test_a_killed_import_is_resumed_to_the_same_bytes(cvr, features, tmp_path, monkeypatch):
    monkeypatch.setattr(import_features, "VIDEOS_PER_PART", 2)
    cvr.done("import-embeddings", features, "--layout", "npy", "-O", tmp_path / "whole")
    again = tmp_path / "again"
    shutil.copytree(tmp_path / "whole", again)
    (again / "manifest.json").rename(again / "running.json")
    for name in ("part-00001.parquet", "part-00002.npy"):
        (again / name).unlink()
    cvr.done("import-embeddings", features, "--layout", "npy", "-O", again)
    assert bytes_of(again) == bytes_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_on_two_devices_resumes_what_a_killed_one_left(cvr, tmp_path):
    videos = write_videos(tmp_path / "videos", [("dog", None), ("cat", None)])
    cvr.done("embed", videos, *OPTIONS, "-O", tmp_path / "one")
    left = tmp_path / ".two-shard-0-of-2"
    share = ("--num-shards", "2", "--shard-id", "0")
    cvr.done("embed", videos, *OPTIONS, *share, "-O", left)
    (left / "manifest.json").rename(left / "running.json")
    cvr.done("embed", videos, *OPTIONS, "--device", "cpu:0,cpu:1", "-O", tmp_path / "two")
    assert bytes_of(tmp_path / "two") == bytes_of(tmp_path / "one")
    assert not left.exists()


def test_covrs_gallery_of_images_is_one_frame_each(cvr, tmp_path):
    (tmp_path / "blip2-embs-large").mkdir()
    embs = torch.arange(24.0).view(2, 3, 4)
    torch.save({"ids": [5, 7], "embs": embs}, tmp_path / "blip2-embs-large" / "all_embs.pt")
    options = ("--layout", "pth", "-O", tmp_path / "out")
    assert "2 videos" in cvr("import-embeddings", tmp_path / "blip2-embs-large", *options).out
    assert_close(FeatureStore.open(tmp_path / "out", "raw").frame_tokens(["7"])[0][0], embs[1:])


@pytest.mark.slow
def test_without_h5py_the_command_to_install_it_is_named(features):
    code = "import sys; sys.modules['h5py'] = None; import cli; sys.exit(cli.run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "import-embeddings", str(features), "--layout", "h5"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2, run.stderr
    assert run.stderr.strip() == 'cvr: The layout h5 needs h5py: pip install "cvr[h5]".'


def test_a_video_without_a_path_is_dropped_as_no_media(cvr, tmp_path):
    folder = write_videos(tmp_path / "videos", [("there", "there.mp4"), ("pathless", None)])
    draw = np.random.default_rng(0)
    write_mp4(folder / "there.mp4", draw.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
    options = ("--encoder", "efficientnet-lite0", "-o", "size=32", "-o", "frames=1", "-O", tmp_path / "out")
    assert "1 videos" in cvr("embed", folder, *options).out
    artifact = open_artifact(tmp_path / "out")
    assert artifact.manifest["dropped"] == {"no_media": 1}
    assert artifact.dropped().to_pylist()[0]["video_id"] == "pathless"


def test_frame_scores_refuse_what_is_no_triplets_or_no_embeddings(cvr, one_line_error, tmp_path):
    videos = write_videos(tmp_path / "videos", [("dog", None)])
    cvr.done("embed", videos, *OPTIONS, "-O", tmp_path / "embeddings")
    out = ("-O", tmp_path / "out")
    message = one_line_error("frame-scores", videos, "--embeddings", tmp_path / "embeddings", *out)
    assert str(videos) in message
    assert "column 'triplet_id' is missing" in message
    message = one_line_error("frame-scores", tmp_path / "none", "--embeddings", tmp_path / "embeddings", *out)
    assert "does not exist" in message
    assert not (tmp_path / "out" / "manifest.json").exists()
