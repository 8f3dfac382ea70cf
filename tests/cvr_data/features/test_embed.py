"""embed and embeddings: what was encoded comes back by id, whatever was unreadable, interrupted or asked for."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.testing import assert_close

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.errors import CvrError
from cvr_data.features import decoded_videos, embed_source
from cvr_data.features.embed import Selection, embed
from cvr_data.features.embed_source import texts_to_embed
from cvr_data.features.encoders import ENCODERS, hash
from cvr_data.features.store import EMBEDDINGS, FeatureStore
from cvr_data.media.video import Video, write_mp4
from cvr_data.tables import VIDEOS
from tests.attack.damage import sealed
from tests.dataset_folders import write_artifact

CONFIG = hash.Config(dim=8)


def write_videos(folder: Path, rows) -> Path:
    """A videos artifact of (video_id, captions, path) rows."""
    table = pa.Table.from_pylist(
        [{"video_id": name, "captions": captions, "path": path, "source": "test"} for name, captions, path in rows],
        schema=VIDEOS,
    )
    return write_artifact(folder, "import-test", table)


@pytest.fixture
def videos(tmp_path):
    """Four videos of one to seven frames, one that the hash encoder draws from its id, one broken, one absent."""
    media = tmp_path / "videos" / "media"
    media.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for count in (1, 2, 4, 7):
        write_mp4(media / f"v{count}.mp4", draw.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8))
    (media / "broken.mp4").write_bytes(b"not a video")
    rows = [(f"v{count}", [f"a dog runs {count}", "a cat"], f"media/v{count}.mp4") for count in (1, 2, 4, 7)]
    rows += [("broken", ["a red cup"], "media/broken.mp4"), ("absent", ["a cat"], "media/absent.mp4")]
    rows += [("pathless", ["snow falls"], None)]
    folder = write_videos(tmp_path / "rows", rows)
    shutil.copytree(folder, tmp_path / "videos", dirs_exist_ok=True)
    return tmp_path / "videos"


@pytest.fixture
def embeddings(videos, tmp_path):
    embed(videos, "hash", CONFIG, tmp_path / "embeddings")
    return tmp_path / "embeddings"


def test_each_video_comes_back_as_the_encoder_gives_it(videos, embeddings):
    store, encoder = FeatureStore.open(embeddings), hash.load(CONFIG)
    assert store.video_ids == ["v1", "v2", "v4", "v7", "pathless"]
    features = store.frames(["v7", "v1"])
    expected = encoder.encode_videos([Video("v7", videos / "media/v7.mp4"), Video("v1", videos / "media/v1.mp4")])
    assert_close(features.frames_BTD, expected.frames_BTD, atol=1e-3, rtol=0)
    assert features.mask_BT.tolist() == [[True] * 4, [True, False, False, False]]
    assert_close(store.pooled(["v7", "v1"]), expected.pooled_BD(), atol=2e-3, rtol=0)
    assert_close(store.pooled(["v2"]).norm(dim=1), torch.ones(1))


def test_each_text_comes_back_as_the_encoder_gives_it(embeddings):
    store = FeatureStore.open(embeddings)
    texts = ["snow falls", "a cat", "a dog runs 4", "a cat"]
    features, expected = store.texts(texts), hash.load(CONFIG).encode_texts(texts)
    assert_close(features.tokens_BLD, expected.tokens_BLD, atol=1e-3, rtol=0)
    assert torch.equal(features.mask_BL, expected.mask_BL)
    assert_close(features.pooled_BD, expected.pooled_BD, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["pooled-00000", "part-00000"])
def test_an_array_of_fewer_rows_than_its_table_names_is_one_line(embeddings, name):
    array = np.load(embeddings / f"{name}.npy")
    np.save(embeddings / f"{name}.npy", array[:-1])
    sealed(embeddings)
    store = FeatureStore.open(embeddings)
    with pytest.raises(CvrError, match=rf"{name}\.npy has {len(array) - 1} rows, its table names row {len(array)};"):
        (store.pooled if name.startswith("pooled") else store.frames)(store.video_ids)


def test_equal_captions_are_stored_once(embeddings):
    assert open_artifact(embeddings).manifest["texts"] == 7
    assert open_artifact(embeddings).read().column("item_id").to_pylist().count("v1") == 1


def test_unreadable_videos_are_rows_with_a_reason(embeddings):
    artifact = open_artifact(embeddings)
    assert artifact.manifest["dropped"] == {"unreadable_video": 2}
    details = {row["video_id"]: row["detail"] for row in artifact.dropped().to_pylist()}
    assert "no such file" in details["absent"]
    assert "cannot be decoded" in details["broken"]
    assert artifact.manifest["videos"] == 5


def test_no_readable_video_at_all_stops_with_the_first_reason(tmp_path):
    folder = write_videos(tmp_path / "videos", [("a", ["a dog"], "gone.mp4")])
    with pytest.raises(CvrError, match=r"None of the 1 videos .* no such file"):
        embed(folder, "hash", CONFIG, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_failed_run_asks_again_for_files_that_were_missing_and_for_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(embed_source, "VIDEOS_PER_PART", 1)
    rows = [(name, ["a dog"], f"{name}.mp4") for name in ("came", "gone")]
    folder, out = write_videos(tmp_path / "videos", rows), tmp_path / "out"
    with pytest.raises(CvrError, match=r"None of the 2 videos"):
        embed(folder, "hash", CONFIG, out)
    stamps = [path.stat().st_mtime_ns for path in sorted(out.glob("part-*.parquet"))]
    write_mp4(folder / "came.mp4", np.zeros((2, 16, 16, 3), np.uint8))
    made = embed(folder, "hash", CONFIG, out)
    assert (made.manifest["videos"], made.manifest["dropped"]) == (1, {"unreadable_video": 1})
    again = [path.stat().st_mtime_ns for path in sorted(out.glob("part-*.parquet"))]
    assert [before == after for before, after in zip(stamps, again, strict=True)] == [False, True, True]
    assert FeatureStore.open(out).video_ids == ["came"]


def test_the_number_of_decoding_threads_does_not_matter(videos, embeddings, tmp_path, monkeypatch):
    monkeypatch.setattr(decoded_videos, "DECODERS", 7)
    embed(videos, "hash", CONFIG, tmp_path / "threads")
    for path in embeddings.glob("*.npy"):
        assert (tmp_path / "threads" / path.name).read_bytes() == path.read_bytes()


def test_verify_sees_a_changed_array(embeddings):
    assert verify(embeddings) == []
    with (embeddings / "part-00000.npy").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    assert verify(embeddings) == ["part-00000.npy has changed since it was written"]


def test_an_unknown_id_is_named(embeddings):
    store = FeatureStore.open(embeddings)
    with pytest.raises(CvrError, match="has no features of the videos v9, broken"):
        store.frames(["v1", "v9", "broken"])
    with pytest.raises(CvrError, match="has no features of 'a zebra'"):
        store.texts(["a cat", "a zebra"])
    assert store.has_texts(["a zebra", "a cat"]).tolist() == [False, True]


def test_a_missing_array_is_one_line(embeddings):
    (embeddings / "part-00000.npy").unlink()
    with pytest.raises(CvrError, match=r"part-00000.npy is missing"):
        FeatureStore.open(embeddings).frames(["v1"])


def test_a_column_of_any_table_is_embedded(tmp_path):
    texts = ["make it red", None, "make it blue", "make it red"]
    write_artifact(
        tmp_path / "texts", "generate-modifications", pa.table({"modification": texts, "seed": [1, 2, 3, 4]})
    )
    artifact = embed(tmp_path / "texts", "hash", CONFIG, tmp_path / "out", selection=Selection(column="modification"))
    store = FeatureStore(artifact, None)
    assert artifact.manifest["texts"] == 2
    assert store.has_texts(["make it blue"]).all()
    assert store.video_ids == []
    with pytest.raises(CvrError, match=r"no column 'modificaton'. Did you mean: modification"):
        embed(tmp_path / "texts", "hash", CONFIG, tmp_path / "other", selection=Selection(column="modificaton"))
    with pytest.raises(CvrError, match="column 'seed' holds int64, not text"):
        embed(tmp_path / "texts", "hash", CONFIG, tmp_path / "other", selection=Selection(column="seed"))


def test_texts_of_lists_are_taken_apart():
    table = pa.table({"captions": [["b", "a"], [], None, ["a", None]], "description": [None, "c", "b", "c"]})
    assert texts_to_embed(table, ["captions", "description"], "here") == ["a", "b", "c"]


def test_repeated_video_ids_are_named(tmp_path):
    folder = write_videos(tmp_path / "videos", [("a", ["x"], "a.mp4"), ("a", ["y"], "b.mp4"), ("b", ["z"], "c.mp4")])
    with pytest.raises(CvrError, match="video_id is not unique: a"):
        embed(folder, "hash", CONFIG, tmp_path / "out")


def test_another_artifact_in_the_folder_is_refused(videos, embeddings):
    with pytest.raises(CvrError, match="options"):
        embed(videos, "hash", hash.Config(dim=9), embeddings)


def test_two_spaces_without_heads_name_the_command(tmp_path):
    with ArtifactWriter(tmp_path / "two", stage="embed", config={"encoder": "embedded", "options": {}}) as writer:
        writer.write_part(0, EMBEDDINGS.empty_table())
        writer.finish(dim=3, text_dim=2)
    with pytest.raises(CvrError, match=r"learn one \(cvr fit-heads .*two --videos"):
        FeatureStore.open(tmp_path / "two")


def test_the_command_says_what_it_did_and_what_it_could_not(cvr, one_line_error, videos, tmp_path):
    outcome = cvr.done("embed", videos, "--encoder", "hash", "-o", "dim=8", "-O", tmp_path / "out")
    assert "5 videos, 7 texts" in outcome.out
    assert "dropped 2: unreadable_video" in outcome.out
    assert "Did you mean: captions" in one_line_error("embed", videos, "--column", "caption", "-O", tmp_path / "x")
    assert "Did you mean: hash" in one_line_error("embed", videos, "--encoder", "hsh", "-O", tmp_path / "x")
    assert "does not exist" in one_line_error("embed", tmp_path / "nowhere", "-O", tmp_path / "x")
    assert "--column" in one_line_error("embed", tmp_path / "out", "-O", tmp_path / "x")


def test_an_encoder_that_reads_no_files_is_one_line(embeddings, videos, tmp_path):
    with pytest.raises(CvrError, match="stored reads no video files; choose another --encoder"):
        embed(videos, "stored", ENCODERS.config("stored", {"embeddings": str(embeddings)}), tmp_path / "again")
