"""remade: a data set that names its corpus needs no videos of its own."""

import json

import pytest

from cvr_bench.benchmarks.triplets import Config, load
from cvr_bench.data.sources import corpus_of_data, find_data_sources, remade_data_folder, remake_data
from cvr_data.core.artifacts import artifact_key, open_artifact

CORPUS = {"name": "synthetic", "options": {"train": 4, "val": 2, "test": 6, "size": 32, "workers": 1}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache in which the corpus was made with the hash encoder."""
    folder = tmp_path_factory.mktemp("cache")
    remake_data(CORPUS, folder, encoder="hash")
    return folder


@pytest.fixture
def shipped(tmp_path, cache):
    """Triplets of two test clips as a CSV file and a manifest, nothing else."""
    folder = tmp_path / "annotations" / "shipped"
    folder.mkdir(parents=True)
    videos = open_artifact(remade_data_folder(CORPUS, cache) / "videos").read().to_pylist()
    first, second = [row["video_id"] for row in videos if row["split"] == "test"][:2]
    (folder / "webvid_covr_test.csv").write_text(f"pth1,pth2,edit\n{first},{second},make it red\n")
    manifest = {"stage": "build-triplets", "version": 1, "config": {}, "inputs": {}}
    manifest |= {"key": artifact_key(manifest), "finished": "2025-01-01T00:00:00+00:00", "command": "cvr", "seconds": 1}
    manifest |= {"rows": 2, "dropped": {}, "files": {}, "versions": {}}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "corpus": CORPUS}))
    return folder


def test_the_corpus_is_made_once(cache):
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    remake_data(CORPUS, cache, encoder="hash")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()} == before


def test_another_seed_is_another_folder(tmp_path):
    other = {**CORPUS, "options": {**CORPUS["options"], "seed": 1}}
    assert remade_data_folder(CORPUS, tmp_path) != remade_data_folder(other, tmp_path)


def test_shipped_triplets_are_ranked_among_all_videos_of_their_split(shipped, cache):
    assert corpus_of_data(shipped) == CORPUS
    made = remade_data_folder(CORPUS, cache)
    sources = find_data_sources(shipped, "--data", made / "embeddings")
    assert sources.videos == (made / "videos",)
    task = load(Config(data=shipped, embeddings=sources.embeddings, videos=sources.videos))
    assert len(task.gallery) == 6
    assert [query.modification for query in task.queries] == ["make it red"]


@pytest.mark.engine
def test_without_embeddings_the_embedded_encoder_makes_them(cvr, shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    outcome = cvr.done("bench", "--model", "sum", "--data", shipped)
    assert "shipped (test): 1 queries, gallery of 6 videos" in outcome.out
