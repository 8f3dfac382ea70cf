"""seen-addition: what comes or goes is asked of the frames of both videos, and of nothing else."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.similarities import SEEN_AS, embedding_phrase_differences
from cvr_data.filters import FILTERS
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow
PLAIN, WITH_DOG = "a man sings a song on a stage", "a man sings a song on a stage with a dog"
CAPTIONS = {"v0": PLAIN, "v1": WITH_DOG, "v2": WITH_DOG, "v3": "a woman sings a song on a stage", "v4": WITH_DOG}
CONCEPT = ("--strategy", "concept", "-o", "additions=seen", "-o", "min_rarity=0")
SHOWN = {"v0": "rain", "v1": "dog", "v2": "rain", "v3": "cat"}
"""What the frames fit best; v4 has none."""


@pytest.fixture
def embeddings(cvr, tmp_path):
    """Frames that are as the text of what they show."""
    encoder = ENCODERS.get("hash").load(ENCODERS.config("hash"))
    (tmp_path / "features").mkdir()
    for name, thing in SHOWN.items():
        feature_1D = encoder.encode_texts([SEEN_AS.format(thing)]).pooled_BD.numpy()
        np.save(tmp_path / "features" / f"{name}.npy", np.repeat(feature_1D, 2, axis=0))
    cvr.done("import-embeddings", tmp_path / "features", "--layout", "npy", "--encoder", "hash",
             "-O", tmp_path / "embeddings")  # fmt: skip
    return tmp_path / "embeddings"


@pytest.fixture
def videos(tmp_path):
    rows = [{"video_id": key, "captions": [text], "source": "test", "split": "train"} for key, text in CAPTIONS.items()]
    return write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)


@pytest.mark.engine
def test_an_addition_is_kept_that_the_frames_of_the_one_video_show_and_not_those_of_the_other(
    cvr, videos, embeddings, tmp_path
):
    words = ("mine-pairs", videos, "--embeddings", embeddings, "-O", tmp_path / "pairs", *CONCEPT)
    cvr.done(
        *words,
        "-f",
        "seen-addition:margin=0.1",
        "-f",
        "-straddling",
        "-f",
        "+text-similarity:encoder=hash,low=-1,high=1",
    )
    kept, dropped = (open_artifact(tmp_path / "pairs").read(), open_artifact(tmp_path / "pairs").dropped())
    found = {(row["reference_id"], row["target_id"]): row["seen_changes"] for row in kept.to_pylist()}
    assert {pair for pair in found if "v3" not in pair} == {("v0", "v1"), ("v1", "v0")}
    assert found["v0", "v1"] == pytest.approx(found["v1", "v0"]) and found["v0", "v1"][0] > 0.1
    assert found["v0", "v3"] == [None]
    lost = {(row["reference_id"], row["target_id"]) for row in dropped.to_pylist() if row["drop_reason"] == "not_seen"}
    assert lost == {("v0", "v2"), ("v2", "v0"), ("v0", "v4"), ("v4", "v0")}
    told = cvr("why-not", "v0", "v2", "--in", tmp_path / "pairs").out
    assert "dropped by seen-addition (not_seen): dog: " in told and "is below" in told


def test_a_phrase_of_no_pair_or_a_video_without_frames_has_no_difference(embeddings):
    phrases = pa.array(["dog", None, "dog", "cat"])
    having, lacking = pa.array(["v1", "v1", "v1", "v0"]), pa.array(["v0", "v0", "v4", "v3"])
    found = embedding_phrase_differences(phrases, having, lacking, embeddings)
    assert np.isnan(found).tolist() == [False, True, True, False]
    assert found[0] == -embedding_phrase_differences(phrases, lacking, having, embeddings)[0] > 0 > found[3]
    assert np.isnan(embedding_phrase_differences(pa.nulls(1, pa.string()), having[:1], lacking[:1], embeddings)).all()


def test_frames_are_asked_for_where_they_are_needed(one_line_error, videos, tmp_path, monkeypatch):
    words = ("mine-pairs", videos, "-O", tmp_path / "pairs", "--strategy", "concept")
    assert "seen-addition looks at features of frames; pass --embeddings" in one_line_error(
        *words, "-f", "+seen-addition"
    )
    assert "give --filter +seen-addition, too" in one_line_error(*words, "-o", "additions=seen")
    assert not (tmp_path / "pairs").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "asked.py").write_text(Path(FILTERS.get("seen-addition").__file__).read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "mine.asked looks at features of frames" in one_line_error(*words, "-f", "+mine.asked")
