"""frame-scores: CoVR's per-frame scores from stored features, and none where a target has no features."""

import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import use_engine
from cvr_data.features import frame_scores
from cvr_data.features.encoders import hash
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS, VIDEOS
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

FILLED = {pa.string(): "x", pa.list_(pa.string()): ["x"]}


def write_triplets(folder, rows, size=100):
    filled = [
        {**{field.name: FILLED.get(field.type) for field in TRIPLETS if not field.nullable}, **row} for row in rows
    ]
    with ArtifactWriter(folder, stage="build-triplets") as writer:
        for index, start in enumerate(range(0, len(filled), size)):
            writer.write_part(index, pa.Table.from_pylist(filled[start : start + size], schema=TRIPLETS))
        writer.finish()
    return folder


def test_each_frame_of_a_stored_target_gets_the_cosine(cvr, tmp_path):
    rows = [{"video_id": "v1", "captions": ["a dog"], "source": "test"}]
    write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)
    options = ("--encoder", "hash", "-o", "dim=8", "-O", tmp_path / "embeddings")
    cvr.done("embed", tmp_path / "videos", *options)
    edits = [{"target_id": "v1", "modification": "make it red"}, {"target_id": "v2", "modification": "make it red"}]
    triplets = write_triplets(tmp_path / "triplets", edits)
    outcome = cvr.done("frame-scores", triplets, "--embeddings", tmp_path / "embeddings", "-O", tmp_path / "scored")
    assert "1 of 2 triplets have frame scores" in outcome.out
    scores = open_artifact(tmp_path / "scored").read().column("frame_scores").to_pylist()
    frames_TD = FeatureStore.open(tmp_path / "embeddings").frames(["v1"]).frames_BTD[0]
    text_D = hash.load(hash.Config(dim=8)).encode_texts(["make it red"]).pooled_BD[0]
    assert scores[0] == pytest.approx((frames_TD @ text_D).tolist(), abs=2e-3)
    assert scores[1] is None


def test_the_scores_are_the_same_for_any_cut_and_number_of_processes(tmp_path, cvr, monkeypatch):
    monkeypatch.setattr(frame_scores, "ROWS", 4)
    names = ["v1", "v2", "v3"]
    rows = [{"video_id": name, "captions": ["a dog"], "source": "test"} for name in names]
    write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS)
    cvr.done("embed", tmp_path / "videos", "--encoder", "hash", "-O", tmp_path / "embeddings")
    edits = [{"target_id": [*names, "gone"][n % 4], "modification": f"make it {n % 3}"} for n in range(11)]
    files = []
    for name, size, workers in (("one", 99, 1), ("cut", 3, 1), ("two", 3, 2)):
        triplets = write_triplets(tmp_path / name, edits, size)
        with use_engine(Engine("local", workers)):
            made = frame_scores.write_frame_scores(triplets, tmp_path / "embeddings", tmp_path / f"{name}-scored")
        assert (made.manifest["rows"], made.manifest["scored"], len(made.part_paths)) == (11, 9, 3)
        files.append(made.manifest["files"])
    assert files[0] == files[1] == files[2]
