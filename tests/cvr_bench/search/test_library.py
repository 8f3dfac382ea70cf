"""library: a file that is not stored is seen as stored videos are, tokens of frames too."""

import numpy as np
import pytest
from torch.testing import assert_close

from cvr_bench.search.library import open_search_library
from cvr_data.features.protocol import video_token_features
from cvr_data.media.video import Video, write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact


@pytest.mark.engine
def test_quarters_of_a_files_frames_are_those_that_its_stored_copy_has(cvr, tmp_path):
    draw, told = np.random.default_rng(0), {"captions": ["a dog"], "source": "test", "split": "train"}
    paths = [tmp_path / f"{name}.mp4" for name in "ab"]
    for path in paths:
        write_mp4(path, draw.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))
    rows = [{"video_id": path.stem, "path": str(path), **told} for path in paths]
    write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)
    options = ("-o", "size=64", "--dtype", "float32", "--all-tokens", "-O", tmp_path / "out")
    cvr.done("embed", tmp_path / "videos", *options)
    cvr.done("fit-heads", tmp_path / "out", "--videos", tmp_path / "videos", "-o", "dim=8", "-o", "epochs=1")
    encoder = open_search_library(tmp_path / "videos", tmp_path / "out").encoder
    stored = video_token_features(encoder, [Video("a"), Video("b")])
    for row, path in enumerate(paths):
        seen = video_token_features(encoder, [Video(str(path), path)])
        assert_close(seen.frames_BTD[0], stored.frames_BTD[row], atol=0.02, rtol=0.02)  # stored in float16
        assert seen.mask_BT.tolist() == [[True] * 3]
