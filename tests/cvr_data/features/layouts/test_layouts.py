"""Feature layouts: what is written comes back, published shapes are read, and what cannot be used has a reason."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cvr_data.core.artifacts import open_artifact
from cvr_data.features.layouts import LAYOUTS
from cvr_data.features.store import FeatureStore
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact


@pytest.fixture
def embeddings(cvr, tmp_path):
    """Three videos without media, one with a slash in its id, of the hash encoder."""
    rows = [{"video_id": name, "captions": [f"a {name}"], "source": "test"} for name in ("v1", "d/v2", "v3")]
    write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)
    options = ("--encoder", "hash", "-o", "dim=8", "-O", tmp_path / "embeddings")
    cvr.done("embed", tmp_path / "videos", *options)
    return tmp_path / "embeddings"


def frames(folder, video_id):
    return FeatureStore.open(folder, "raw").frames([video_id]).frames_BTD[0]


@pytest.mark.parametrize("layout", LAYOUTS.names())
def test_what_is_exported_comes_back(cvr, embeddings, tmp_path, layout):
    cvr.done("export-embeddings", embeddings, "--layout", layout, "-O", tmp_path / "features")
    outcome = cvr.done("import-embeddings", tmp_path / "features", "--layout", layout, "-O", tmp_path / "back")
    assert "3 videos, 0 texts, 8 wide" in outcome.out
    for video_id in ("v1", "d/v2", "v3"):
        expected, found = frames(embeddings, video_id), frames(tmp_path / "back", video_id)
        assert len(found) == 8 if layout == "npy" else len(found) == len(expected)
        assert_close(found[0], expected[0])


def test_texts_travel_as_covrs_dictionary(cvr, one_line_error, embeddings, tmp_path):
    videos = ("--texts", tmp_path / "videos")
    cvr.done("export-embeddings", embeddings, "--layout", "pth", *videos, "-O", tmp_path / "f")
    saved = torch.load(tmp_path / "f" / "txt2_texts.pth", weights_only=True)
    assert saved["texts"] == ["a d/v2", "a v1", "a v3"]
    assert saved["feats"].shape == (3, 8)
    assert (
        "3 texts, 8 wide, texts 8"
        in cvr("import-embeddings", tmp_path / "f", "--layout", "pth", "-O", tmp_path / "back").out
    )
    found, expected = (FeatureStore.open(path).texts(["a v1"]).pooled_BD for path in (tmp_path / "back", embeddings))
    assert_close(found, expected, atol=1e-3, rtol=0)
    assert "keeps no texts" in one_line_error(
        "export-embeddings", embeddings, "--layout", "npy", *videos, "-O", tmp_path / "x"
    )


@pytest.mark.parametrize("spelling", ["embeddings", "embbedings"])
def test_finecvrs_folder_is_found_in_both_spellings(cvr, tmp_path, spelling):
    folder = tmp_path / "FineCVR" / spelling / "RN50x4_8_640"
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", np.ones((8, 640), np.float32))
    np.save(folder / "b.npy", np.ones((7, 640), np.float32))
    options = ("--layout", "npy", "-o", "frames=8", "-O", tmp_path / "out")
    cvr.done("import-embeddings", tmp_path / "FineCVR", *options)
    assert open_artifact(tmp_path / "out").manifest["dropped"] == {"unreadable_features": 1}
    assert frames(tmp_path / "out", "a").shape == (8, 640)


def test_what_cannot_be_used_is_a_row_with_a_reason(cvr, tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    torch.save(torch.ones(3, 4), folder / "a.pth")
    torch.save(torch.ones(4), folder / "b.pth")
    torch.save(torch.ones(3, 5), folder / "c.pth")
    torch.save({"no": "tensor"}, folder / "d.pth")
    torch.save(torch.full((2, 4), torch.nan), folder / "e.pth")
    (folder / "f.pth").write_bytes(b"damaged")
    (tmp_path / "ids.csv").write_text("video_id\n" + "".join(f"{name}\n" for name in "abcdefg"))
    options = ("--layout", "pth", "--only", tmp_path / "ids.csv", "-O", tmp_path / "out")
    outcome = cvr("import-embeddings", folder, *options)
    assert "2 videos" in outcome.out, outcome
    dropped = {row["video_id"]: row["drop_reason"] for row in open_artifact(tmp_path / "out").dropped().to_pylist()}
    assert dropped == {
        "c": "wrong_shape", "d": "unreadable_features", "e": "not_finite", "f": "unreadable_features",
        "g": "no_features",
    }  # fmt: skip


def test_blip2s_query_tokens_are_kept_beside_their_mean(cvr, tmp_path):
    (tmp_path / "features").mkdir()
    tokens_TPD = torch.arange(24.0).view(2, 3, 4)
    torch.save(tokens_TPD, tmp_path / "features" / "a.pth")
    cvr.done("import-embeddings", tmp_path / "features", "--layout", "pth", "-O", tmp_path / "out")
    store = FeatureStore.open(tmp_path / "out", "raw")
    assert_close(store.frame_tokens(["a"])[0][0], tokens_TPD)
    assert_close(frames(tmp_path / "out", "a"), tokens_TPD.mean(dim=1))


def test_rows_of_frames_are_put_in_order_and_expanded(cvr, tmp_path):
    components, mean = np.array([[1, 0], [0, 1], [1, 1]], np.float16), np.array([0, 0, 5], np.float32)
    np.savez(
        tmp_path / "f.npz", keys=np.array([[7, 1], [3, 0], [7, 0]]), feat=np.array([[1, 2], [3, 4], [5, 6]], np.int8),
        scale=np.array([1, 0.5], np.float32), pca_components=components, pca_mean=mean,
    )  # fmt: skip
    options = ("--layout", "npz", "-o", "prefix=video", "-O", tmp_path / "out")
    assert "2 videos" in cvr("import-embeddings", tmp_path / "f.npz", *options).out
    assert frames(tmp_path / "out", "video7").tolist() == [[5, 3, 13], [1, 1, 7]]


def test_a_wrong_source_is_one_line(one_line_error, tmp_path):
    (tmp_path / "x.h5").write_bytes(b"no")
    out = ("-O", tmp_path / "out")
    assert "cannot be read (" in one_line_error("import-embeddings", tmp_path / "x.h5", "--layout", "h5", *out)
    assert "does not exist" in one_line_error("import-embeddings", tmp_path / "y", "--layout", "pth", *out)
    assert "one .npz file" in one_line_error("import-embeddings", tmp_path, "--layout", "npz", *out)
    assert "finds no features" in one_line_error("import-embeddings", tmp_path, "--layout", "pth", *out)


def test_an_archive_that_was_cut_is_one_line_and_closed(cvr, one_line_error, embeddings, tmp_path):
    cvr.done("export-embeddings", embeddings, "--layout", "npz", "-O", tmp_path / "features")
    path = tmp_path / "features" / "features.npz"
    path.write_bytes(path.read_bytes()[:200])
    words = ("import-embeddings", path, "--layout", "npz", "-O", tmp_path / "out")
    assert "cannot be read as an .npz file of plain arrays" in one_line_error(*words)
    gc.collect()  # what is left open warns here, and a warning is an error
    assert not [file for file in Path("/proc/self/fd").iterdir() if os.path.realpath(file) == str(path)]


@pytest.mark.data
def test_real_features_of_msrvtt_are_read(cvr, real_data, tmp_path):
    (tmp_path / "ids.csv").write_text("video_id\nvideo1\nvideo2\nvideo9999\n")
    source = real_data / "msrvtt_features"
    options = ("-o", "prefix=video", "--only", tmp_path / "ids.csv", "-O", tmp_path / "out")
    cvr.done("import-embeddings", source, "--layout", "npz", *options)
    manifest = open_artifact(tmp_path / "out").manifest
    assert manifest["dim"] == 1280
    assert manifest["dropped"]["no_features"] >= 1
