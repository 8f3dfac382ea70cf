"""frame-scores: CoVR's per-frame scores from stored features, and none where a target has no features."""

import pyarrow as pa
import pytest

from cvr_data.core.artifacts import ArtifactWriter, open_artifact
from cvr_data.features.encoders import hash
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS, VIDEOS

FILLED = {pa.string(): "x", pa.list_(pa.string()): ["x"]}


def write_triplets(folder, rows):
    filled = [
        {**{field.name: FILLED.get(field.type) for field in TRIPLETS if not field.nullable}, **row} for row in rows
    ]
    with ArtifactWriter(folder, stage="build-triplets") as writer:
        writer.write_part(0, pa.Table.from_pylist(filled, schema=TRIPLETS))
        writer.finish()
    return folder


def test_each_frame_of_a_stored_target_gets_the_cosine(cvr, tmp_path):
    with ArtifactWriter(tmp_path / "videos", stage="import-test") as writer:
        rows = [{"video_id": "v1", "captions": ["a dog"], "source": "test"}]
        writer.write_part(0, pa.Table.from_pylist(rows, schema=VIDEOS))
        writer.finish()
    options = ("--encoder", "hash", "-o", "dim=8", "-O", tmp_path / "embeddings")
    assert cvr("embed", tmp_path / "videos", *options).code == 0
    edits = [{"target_id": "v1", "modification": "make it red"}, {"target_id": "v2", "modification": "make it red"}]
    triplets = write_triplets(tmp_path / "triplets", edits)
    outcome = cvr("frame-scores", triplets, "--embeddings", tmp_path / "embeddings", "-O", tmp_path / "scored")
    assert outcome.code == 0, outcome
    assert "1 of 2 triplets have frame scores" in outcome.out
    scores = open_artifact(tmp_path / "scored").read().column("frame_scores").to_pylist()
    frames_TD = FeatureStore.open(tmp_path / "embeddings").frames(["v1"]).frames_BTD[0]
    text_D = hash.load(hash.Config(dim=8)).encode_texts(["make it red"]).pooled_BD[0]
    assert scores[0] == pytest.approx((frames_TD @ text_D).tolist(), abs=2e-3)
    assert scores[1] is None
