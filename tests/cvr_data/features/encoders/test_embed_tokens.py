"""embed --all-tokens: every token of each frame is stored as the encoder gives it."""

import numpy as np
import pyarrow as pa
import torch
from torch.testing import assert_close

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video, write_mp4
from cvr_data.tables import VIDEOS


def test_every_token_of_a_frame_is_stored(cvr, clip_folder, tmp_path):
    draw = np.random.default_rng(0)
    with ArtifactWriter(tmp_path / "videos", stage="import-test") as writer:
        for name, count in (("a", 3), ("b", 1)):
            write_mp4(tmp_path / "videos" / f"{name}.mp4", draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8))
        rows = [{"video_id": name, "captions": ["a dog"], "path": f"{name}.mp4", "source": "test"} for name in "ab"]
        writer.write_part(0, pa.Table.from_pylist(rows, schema=VIDEOS))
        writer.finish()
    model = f"model={clip_folder}"
    options = ("--encoder", "clip", "-o", model, "--dtype", "float32", "--all-tokens", "-O", tmp_path / "out")
    cvr.done("embed", tmp_path / "videos", *options)
    tokens_BTPD, mask_BT = FeatureStore.open(tmp_path / "out", "raw").frame_tokens(["a", "b"])
    encoder = ENCODERS.get("clip").load(ENCODERS.config("clip", [model, "dtype=float32"]))
    expected_NPD = encoder.encode_frame_tokens(encoder.read_video(Video("a", tmp_path / "videos" / "a.mp4")))
    assert mask_BT.tolist() == [[True] * 3, [True, False, False]]
    assert_close(tokens_BTPD[0], expected_NPD, atol=1e-2, rtol=1e-2)
    assert not torch.any(tokens_BTPD[1, 1:])
