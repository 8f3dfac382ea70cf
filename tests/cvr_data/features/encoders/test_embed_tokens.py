"""embed --all-tokens: every token of each frame is stored as the encoder gives it."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.testing import assert_close

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video, write_mp4
from cvr_data.tables import VIDEOS


def write_videos(folder):
    """Two captioned train clips, of three frames and of one."""
    draw, told = np.random.default_rng(0), {"captions": ["a dog"], "source": "test", "split": "train"}
    with ArtifactWriter(folder, stage="import-test") as writer:
        for name, count in (("a", 3), ("b", 1)):
            write_mp4(folder / f"{name}.mp4", draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8))
        rows = [{"video_id": name, "path": f"{name}.mp4", **told} for name in "ab"]
        writer.write_part(0, pa.Table.from_pylist(rows, schema=VIDEOS))
        writer.finish()


def test_every_token_of_a_frame_is_stored(cvr, clip_folder, tmp_path):
    write_videos(tmp_path / "videos")
    model = f"model={clip_folder}"
    options = ("--encoder", "clip", "-o", model, "--dtype", "float32", "--all-tokens", "-O", tmp_path / "out")
    cvr.done("embed", tmp_path / "videos", *options)
    tokens_BTPD, mask_BT = FeatureStore.open(tmp_path / "out", "raw").frame_tokens(["a", "b"])
    encoder = ENCODERS.get("clip").load(ENCODERS.config("clip", [model, "dtype=float32"]))
    expected_NPD = encoder.encode_frame_tokens(encoder.read_video(Video("a", tmp_path / "videos" / "a.mp4")))
    assert mask_BT.tolist() == [[True] * 3, [True, False, False]]
    assert_close(tokens_BTPD[0], expected_NPD, atol=1e-2, rtol=1e-2)
    assert not torch.any(tokens_BTPD[1, 1:])


@pytest.mark.engine
def test_quarters_of_frames_go_through_the_heads_of_frames(cvr, tmp_path):
    write_videos(tmp_path / "videos")
    cvr.done("embed", tmp_path / "videos", "-o", "size=64", "--all-tokens", "-O", tmp_path / "out")
    raw_BTPD, mask_BT = FeatureStore.open(tmp_path / "out", "raw").frame_tokens(["a", "b"])
    assert raw_BTPD.shape == (2, 3, 4, 1280)
    cvr.done("fit-heads", tmp_path / "out", "--videos", tmp_path / "videos", "-o", "dim=8", "-o", "epochs=1")
    store = FeatureStore.open(tmp_path / "out")
    found_BTPD, found_BT = store.frame_tokens(["a", "b"])
    assert found_BT.tolist() == mask_BT.tolist() == [[True] * 3, [True, False, False]]
    head = store.heads.frame_head
    for row, frame, place in ((0, 0, 3), (0, 2, 1), (1, 0, 2)):
        assert_close(found_BTPD[row, frame, place], head(raw_BTPD[row, frame, place]))
    assert not torch.any(found_BTPD[1, 1:])
