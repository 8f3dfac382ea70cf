"""Every encoder: a video or text has the same features alone as among others, in the widths that it says."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import FrameEncoder
from cvr_data.media.video import Video, write_mp4
from tests.dataset_folders import write_artifact

TEXTS = ["a red dog", "the cat and the dog", "red"]
FOLDERS = {"blip", "blip2", "clip", "siglip"}
"""Their fixtures make a tiny checkpoint."""
MTEB = "tests.cvr_data.features.encoders.test_sentence_transformers:TwoMeans"
EMBEDDER = "tests.native_embedders:LastGrey"
CLOSE = {"atol": 2e-3, "rtol": 1e-3}


@pytest.fixture
def videos(tmp_path):
    """Three clips of other lengths and colours."""
    draw = np.random.default_rng(0)
    found = []
    for count in (3, 5, 1):
        found.append(Video(f"v{count}", tmp_path / f"v{count}.mp4"))
        write_mp4(found[-1].path, draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8))
    return found


def options_of(name, request):
    """What an encoder needs beside its defaults: tiny weights where its own are fetched."""
    given = request.getfixturevalue
    if name in FOLDERS:
        return {"model": str(given(f"{name}_folder"))}
    if name == "clip-openai":
        return {"model": str(given("openai_file")), "tokenizer": str(given("merges"))}
    if name == "sentence-transformers":
        return {"model": str(given("sentence_folder"))}
    if name == "embedder":
        return {"model": EMBEDDER}
    if name == "mteb":
        return {"model": MTEB, "size": "16"}
    return {"embeddings": str(stored_features(given("videos"), given("tmp_path")))} if name == "stored" else {}


def stored_features(videos, folder):
    """An artifact of `cvr embed` with the features of the clips and texts."""
    from cvr_data.features.embed import embed
    from cvr_data.tables import VIDEOS

    rows = [
        {"video_id": video.video_id, "captions": [text], "source": "test", "path": str(video.path)}
        for video, text in zip(videos, TEXTS, strict=True)
    ]
    write_artifact(folder / "videos", "import-test", rows, VIDEOS)
    return embed(folder / "videos", "hash", ENCODERS.config("hash"), folder / "embeddings").path


@pytest.fixture(params=ENCODERS.names())
def encoder(request):
    name = request.param
    loaded = ENCODERS.get(name).load(ENCODERS.config(name, options_of(name, request)))
    assert loaded.name == name or name == "stored"
    assert loaded.runs_on
    return loaded


@pytest.mark.engine
def test_a_video_and_a_text_have_the_features_alone_that_they_have_among_others(encoder, videos):
    assert encoder.dim or encoder.text_dim
    if encoder.text_dim:
        whole = encoder.encode_texts(TEXTS)
        assert whole.tokens_BLD.shape[::2] == (3, encoder.text_dim) and whole.mask_BL.any(dim=1).all()
        assert_close(whole.pooled_BD.norm(dim=1), torch.ones(3), atol=1e-3, rtol=0)
        for row, text in enumerate(TEXTS):
            assert_close(encoder.encode_texts([text]).pooled_BD[0], whole.pooled_BD[row], **CLOSE)
    if encoder.dim:
        whole = encoder.encode_videos(videos)
        assert whole.frames_BTD.shape[::2] == (3, encoder.dim)
        for row, video in enumerate(videos):
            alone = encoder.encode_videos([video])
            assert_close(alone.frames_BTD[0], whole.frames_BTD[row][whole.mask_BT[row]], **CLOSE)
            if isinstance(encoder, FrameEncoder):
                assert_close(encoder.encode_frames(encoder.read_video(video)), alone.frames_BTD[0], **CLOSE)
