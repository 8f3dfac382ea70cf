"""fit-heads: frames and captions meet in one space, repeatably, on the train split alone; and heads are lent."""

import numpy as np
import pytest
from torch.testing import assert_close

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.features.fit_heads import Config, copy_heads, fit_heads, heads_contrastive_loss
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "white": (240, 240, 240),
           "black": (10, 10, 10), "yellow": (230, 220, 20), "pink": (240, 120, 180), "grey": (99, 99, 99)}  # fmt: skip
CONFIG = Config(dim=16, epochs=60, batch_size=16, dropout=0.1)
SHADES = 6


def write_corpus(root, shades=SHADES):
    """Clips of every colour in some shades, the last shade of each in the val split; captions name the colour."""
    draw = np.random.default_rng(0)
    rows = []
    (root / "media").mkdir(parents=True)
    for name, colour in COLOURS.items():
        for shade in range(shades):
            path = root / "media" / f"{name}{shade}.mp4"
            level = np.clip(np.array(colour) + draw.integers(-12, 13, 3), 0, 255)
            write_mp4(path, np.full((2, 32, 32, 3), level, np.uint8))
            split = "val" if shade == shades - 1 else "train"
            rows.append({"video_id": path.stem, "captions": [f"a {name} wall"], "source": "test", "path": str(path),
                         "split": split})  # fmt: skip
    write_artifact(root / "videos", "import-test", rows, VIDEOS)
    return root / "videos", embed(root / "videos", "hash", hash.Config(dim=32, frames=2), root / "embeddings").path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def test_captions_find_videos_that_were_not_fitted(corpus, cvr, tmp_path):
    videos, embeddings = corpus
    outcome = cvr.done(
        "fit-heads", embeddings, "--videos", videos, "-o", "dim=16", "-o", "epochs=60", "-o", "batch-size=16"
    )
    assert "fitted on 40 train videos" in outcome.out
    report = open_artifact(embeddings / "heads").manifest["report"]
    assert (report["split"], report["queries"], report["gallery"]) == ("val", 8, 8)
    assert report["R@1"] >= 75  # chance is 12.5
    assert verify(embeddings / "heads") == []
    store = FeatureStore.open(embeddings)
    assert store.dim == store.text_dim == 16
    assert_close(store.texts(["a red wall"]).pooled_BD.norm(dim=-1).item(), 1.0)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    folders = [write_corpus(tmp_path / name, shades=3) for name in ("one", "two")]
    weights = [fit_heads(emb, videos, CONFIG).path / "heads.safetensors" for videos, emb in folders]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_small_corpus_borrows_the_heads_of_a_large_one(corpus, tmp_path, cvr):
    videos, embeddings = corpus
    fit_heads(embeddings, videos, CONFIG, overwrite=True)
    _, small = write_corpus(tmp_path, shades=1)
    cvr.done("fit-heads", small, "--from", embeddings)
    texts = ["a red wall", "a blue wall"]
    assert_close(FeatureStore.open(small).texts(texts).pooled_BD, FeatureStore.open(embeddings).texts(texts).pooled_BD)
    assert copy_heads(small, embeddings).manifest["inputs"]["heads"]["key"] == open_artifact(embeddings / "heads").key


def test_heads_of_other_widths_are_not_borrowed(corpus, tmp_path, one_line_error):
    videos, embeddings = corpus
    fit_heads(embeddings, videos, CONFIG, overwrite=True)
    other = embed(videos, "hash", hash.Config(dim=8, frames=2), tmp_path / "narrow").path
    assert "reads frames and tokens of widths (32, 32)" in one_line_error("fit-heads", other, "--from", embeddings)
    assert "--videos and -o belong to fitting" in one_line_error(
        "fit-heads", other, "--from", embeddings, "-o", "dim=4"
    )


def test_a_shared_caption_is_no_negative():
    import torch

    logits_BB = torch.tensor([[2.0, 9.0], [9.0, 2.0]])
    nothing, all_but_diagonal = torch.zeros(2, 2, dtype=torch.bool), ~torch.eye(2, dtype=torch.bool)
    assert heads_contrastive_loss(logits_BB, all_but_diagonal).item() == 0
    assert heads_contrastive_loss(logits_BB, nothing).item() == pytest.approx(7.0009, abs=1e-3)
