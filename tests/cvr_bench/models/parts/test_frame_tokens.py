"""Tokens of frames on their way from a folder to a model: through every wrapper, altered where frames would be."""

import pytest
import torch
from torch.testing import assert_close

from cvr_bench.audit.altered import Alteration, AlteredFeatures, audit_middle_frame_alone, blank_videos
from cvr_bench.data.remembering import RememberingEncoder
from cvr_bench.models.parts.frame_weights import FrameWeights, frame_weighted_items, frame_weighted_mean
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import video_token_features
from cvr_data.media.video import Video

VIDEOS = [Video("a"), Video("b")]


@pytest.fixture
def tokens(tmp_path, cvr):
    """Video -> (T, 5, 4), stored as CoVR's `--save_all_tokens` files."""
    (tmp_path / "files").mkdir()
    drawn = {name: torch.randn(count, 5, 4).half().float() for name, count in (("a", 3), ("b", 2))}
    for name, rows in drawn.items():
        torch.save(rows, tmp_path / "files" / f"{name}.pth")
    cvr.done("import-embeddings", tmp_path / "files", "--layout", "pth", "-O", tmp_path / "emb")
    return drawn


@pytest.fixture
def encoder(tokens, tmp_path):
    stored = ENCODERS.get("stored")
    config = stored.Config(embeddings=tmp_path / "emb", space="raw")
    return AlteredFeatures(FrameWeights(RememberingEncoder(stored.load(config))))


def test_stored_tokens_come_through_all_wrappers(encoder, tokens, tmp_path):
    for folder in (None, tmp_path / "emb"):
        found = video_token_features(encoder, VIDEOS, folder)
        assert found.mask_BT.tolist() == [[True] * 3, [True, True, False]]
        assert_close(found.frames_BTD[0], tokens["a"])
        assert_close(found.frames_BTD[1, :2], tokens["b"])


def test_audits_alter_tokens_as_they_do_frames(encoder, tokens):
    with encoder.altered_by(Alteration(videos=blank_videos)):
        assert not video_token_features(encoder, VIDEOS).frames_BTD.any()
    with encoder.altered_by(Alteration(videos=audit_middle_frame_alone)):
        assert_close(
            video_token_features(encoder, VIDEOS).frames_BTD[:, 0], torch.stack([tokens["a"][1], tokens["b"][1]])
        )


def test_annotated_scores_pool_tokens_of_targets(encoder, tokens):
    task = Task(
        name="one",
        queries=[Query("q", Item("b", Video("b")), "x")],
        gallery=[Item("a", Video("a"))],
        targets={"q": frozenset({"a"})},
    )
    (item,) = frame_weighted_items(task)
    weights = torch.softmax(torch.tensor([0.2, 0.5, 0.1]) / 0.1, dim=0)
    with encoder.encoder.weighted({"q": [0.2, 0.5, 0.1]}):
        found = video_token_features(encoder, [item.video])
    assert_close(found.frames_BTD[0, 0], sum(w * frame for w, frame in zip(weights, tokens["a"], strict=True)))
    assert_close(frame_weighted_mean(tokens["a"], ())[0], tokens["a"].mean(dim=0))


def test_an_encoder_without_tokens_is_one_line(encoder):
    plain = ENCODERS.get("hash").load(ENCODERS.get("hash").TINY)
    for each in (plain, AlteredFeatures(FrameWeights(RememberingEncoder(plain)))):
        with pytest.raises(CvrError, match="'hash' gives no tokens of frames; make features with: cvr embed --all-to"):
            video_token_features(each, VIDEOS)
