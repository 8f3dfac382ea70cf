"""reads: frames and tokens are what the features have; of imported ones nobody claims a sampler."""

import json

import numpy as np


def reads(folder):
    return json.loads((folder / "result.json").read_text())["reads"]


def test_imported_features_have_the_frames_they_have(cvr, world, tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(12):
        np.save(
            tmp_path / "frames" / f"test{number:02d}.npy",
            np.random.default_rng(number).random((1 + number, 16), np.float32),
        )
    words = ("--layout", "npy", "--texts", world.embeddings, "--encoder", "hash", "--encoder-option", "dim=16")
    cvr.done("import-embeddings", tmp_path / "frames", *words, "-O", tmp_path / "emb")
    own = ("--data", world.triplets, "--no-audit", "--out", tmp_path)
    cvr.done("bench", "-m", "sum", *own, "-e", tmp_path / "emb", "--name", "imported")
    cvr.done("bench", "-m", "sum", *own)
    found, embedded = reads(tmp_path / "imported-tiny"), reads(tmp_path / "sum-tiny")
    assert (found["frames"], found["sampler"]) == ("1 to 12", "as imported")
    assert (embedded["frames"], embedded["sampler"]) != ("1 to 12", "as imported")
    assert found["tokens"] == embedded["tokens"]
    told = cvr("compare", tmp_path / "imported-tiny", tmp_path / "sum-tiny").out
    assert f"they read other frames: 1 to 12, {embedded['frames']}" in told


def test_a_result_on_the_split_that_chose_its_checkpoint_is_another_task(cvr, world, tmp_path, one_line_error):
    small = ("-o", "projection=4", "-o", "hidden=4", "-t", "epochs=1", "-t", "batch_size=8")
    own = ("--data", world.triplets, "--no-audit", "--split", "val", "--out", tmp_path)
    cvr.done("bench", "-m", "combiner", *small, *own)
    cvr.done("bench", "-m", "sum", *own)
    line = one_line_error("compare", tmp_path / "combiner-tiny", tmp_path / "sum-tiny")
    assert "they differ in checkpoint_chosen: on what is scored, not elsewhere" in line
