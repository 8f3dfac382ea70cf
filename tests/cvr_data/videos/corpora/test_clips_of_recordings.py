"""Clips of recordings, from the import on: two clips of one H.264 file are what two files cut there would be."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.features.store import FeatureStore
from cvr_data.formats import huggingface, mteb_vt2v
from cvr_data.media.places import read_media_clips
from cvr_data.media.video import Video, probe_medium, read_frames, write_mp4
from cvr_data.pages.cards import media_on_page
from cvr_data.pages.clips import ClipShelf
from cvr_data.publish.lay_out import Wanted, stage_publication
from cvr_data.review.media import media_to_review
from cvr_data.tables import TRIPLETS
from cvr_data.triplets.dataset import Dataset, open_videos_of_triplets
from tests.dataset_folders import write_artifact
from tests.triplet_tables import triplet

pytestmark = pytest.mark.slow

FPS = 12


def noise(frames):
    """Pictures of four by four squares, no two alike."""
    squares = np.random.default_rng(0).integers(0, 256, (frames, 4, 4, 3), dtype=np.uint8)
    return np.kron(squares, np.ones((1, 16, 16, 1), np.uint8))


@pytest.fixture
def film(tmp_path, monkeypatch):
    """A file of six seconds, in the folder where the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "media").mkdir()
    path = tmp_path / "media" / "film.mp4"
    write_mp4(path, noise(6 * FPS), FPS)
    return path


@pytest.fixture
def videos(film, cvr):
    """An artifact of two clips of the film and all of it."""
    Path("t.csv").write_text(
        "video_id,caption,file,from,to,tape\n"
        "a,a red ball,film,0.5,2,T\nb,a blue ball,film,2,00:00:04,T\nall,balls,film,,,\n"
    )
    options = [f"-o{name}" for name in ("video=file", "media=media", "start=from", "end=to", "recording=tape")]
    cvr.done("import", "table", "t.csv", *options, "-O", "videos")
    return Path("videos")


def test_a_clip_is_path_start_and_end(videos, film):
    rows = {row["video_id"]: row for row in open_artifact(videos).read().to_pylist()}
    assert {Path(row["path"]) for row in rows.values()} == {film}
    assert [(row["start_s"], row["end_s"], row["duration_s"], row["recording_id"]) for row in rows.values()] == [
        (0.5, 2.0, 1.5, "T"), (2.0, 4.0, 2.0, "T"), (None, None, 6.0, None),
    ]  # fmt: skip
    assert len({row["content_sha256"] for row in rows.values()}) == 3


def test_rows_without_usable_times_are_dropped(film, cvr):
    Path("t.csv").write_text("video_id,caption,f,s,e\na,x,film,3,2\nb,x,film,noon,2\nc,x,film,9,11\nd,x,film,5,11\n")
    options = [f"-o{name}" for name in ("video=f", "media=media", "start=s", "end=e")]
    cvr.done("import", "table", "t.csv", *options, "-O", "videos")
    found = open_artifact("videos")
    assert found.manifest["dropped"] == {"bad_times": 2, "unreadable_video": 1}
    assert found.read()["duration_s"].to_pylist() == [1.0]  # the film is over after six seconds
    details = {row["video_id"]: row["detail"] for row in found.dropped().to_pylist()}
    assert details["a"] == "line 2: a: 3.0 to 2.0 s: the end does not come after the start"
    assert details["b"] == "line 3: s 'noon' is not a number of seconds"
    assert "from 9 s to 11 s" in details["c"]


def test_a_clip_has_the_features_and_hash_of_its_frames_alone(videos, film, tmp_path):
    embed(videos, "hash", hash.Config(dim=8, frames=4), tmp_path / "features")
    store = FeatureStore.open(tmp_path / "features", space="raw")
    encoder = hash.load(hash.Config(dim=8, frames=4))
    frames = read_frames(film, 200, size=4)
    for name, first, last in (("a", 6, 24), ("b", 24, 48)):
        shown = read_media_clips(videos)[name]
        assert np.array_equal(read_frames(shown.clip, 200, size=4), frames[first:last])
        raw = encoder.encode_videos([shown]).frames_BTD[0]
        assert np.allclose(store.frames([name]).frames_BTD[0], raw, atol=2e-3)
    assert len(set(store.perceptual_hashes(["a", "b", "all"]))) == 3


def test_check_media_looks_at_each_clip(videos, cvr):
    cvr.done("check-media", videos, "-O", "check")
    rows = pq.read_table("check/media.parquet").to_pylist()
    assert [(row["video_id"], row["status"], row["duration_s"]) for row in rows] == [
        ("a", "ok", 1.5), ("all", "ok", 6.0), ("b", "ok", 2.0),
    ]  # fmt: skip
    again = cvr("check-media", videos, "-O", "check")
    assert json.loads(Path("check/report.json").read_text())["looked_at"] == 0, again.out


def test_a_page_shows_the_clip_alone(videos):
    shelf = ClipShelf(media_on_page(open_videos_of_triplets(videos).videos))
    assert shelf.has("a") and shelf.has("b")
    assert shelf.uris["a"] != shelf.uris["b"]


def test_the_review_tells_the_player_the_times(videos):
    media = media_to_review([videos], {"a", "all"})
    clip = media.played(media.number_of["a"])
    assert (clip.start_s, clip.end_s) == (0.5, 2.0)
    assert media.played(media.number_of["all"]) is None
    assert media.strip(media.number_of["a"]) != media.strip(media.number_of["all"])


def dataset(videos):
    rows = [triplet("a", "make it blue", "b", split="test")]
    folder = write_artifact(videos.parent / "triplets", "build-triplets", rows, TRIPLETS)
    artifact = open_artifact(folder)
    return Dataset(artifact, artifact.read(), open_videos_of_triplets(videos).videos)


def test_a_recording_is_published_once_and_rows_say_which_seconds(videos):
    staged = stage_publication(
        dataset(videos),
        "me/clips",
        Path("staged"),
        Wanted(with_videos=True, licences={"table": "MIT"}, media=(videos.parent,)),
    )
    assert [path.name for path in staged.media.values()] == ["film.mp4"]
    [row] = pq.read_table(next(Path("staged/data").rglob("*.parquet"))).to_pylist()
    assert [row[f"{end}_{time}_s"] for end in ("reference", "target") for time in ("start", "end")] == [0.5, 2, 2, 4]
    assert row["reference_video"] == row["target_video"]
    assert row["target_video"]["path"].endswith(next(iter(staged.media)))
    assert "2 videos are clips of longer files" in Path("staged/README.md").read_text()


def test_a_recording_is_not_published_for_one_of_its_clips(videos):
    found = dataset(videos)
    licences = pa.array(["MIT", "proprietary", "MIT"])
    found = replace(found, videos=with_column(found.videos, "licence", licences))
    assert stage_publication(found, "me/clips", Path("staged"), Wanted(with_videos=True)).media == {}


@pytest.mark.parametrize(("layout", "option"), [(huggingface, "-o embed=false"), (mteb_vt2v, "-o media=false")])
def test_a_layout_that_would_hold_whole_recordings_refuses_clips(videos, layout, option):
    found = dataset(videos)
    with pytest.raises(CvrError, match=rf"a, b are clips of longer files.*{option}"):
        layout.write(layout.Config(), found.triplets, Path("out"), found.videos)


def test_an_export_says_that_times_are_lost(videos, cvr):
    outcome = cvr.done(
        "export", dataset(videos).artifact.path, "--format", "webvid-covr", "--videos", videos, "-O", "csv"
    )
    assert "2 videos are clips of longer files, and the layout has no place for their times" in outcome.err


@dataclass
class Corpus:
    file: str
    content: str
    clip: str
    recording: str
    times: tuple[float, float]


UID = "0123abcd-0000-1111-2222-000000000000"
CORPORA = {
    "egocvr": Corpus("egocvr_data.csv", f"clip_name,narration_text,video_uid\n{UID}_1_3,#C C cuts,{UID}\n",
                     f"{UID}_1_3", UID, (1, 3)),
    "epic-kitchens": Corpus("EPIC_100_train.csv", "narration_id,video_id,start_timestamp,stop_timestamp,narration\n"
                            "P01_01_0,P01_01,00:00:01.50,00:00:03.00,open door\n", "P01_01_0", "P01_01", (1.5, 3)),
    "hvu": Corpus("HVU_Val_V1.0.csv", "Tags,youtube_id,time_start,time_end\ndog|run,abcdefghijk,2,4\n",
                  "abcdefghijk_000002_000004", "abcdefghijk", (2, 4)),
    "activitynet": Corpus("val_1.json", '{"v_abcdefghijk": {"duration": 6, "sentences": ["a dog runs"], "timestamps": '
                          '[[1.25, 5]]}}', "v_abcdefghijk_1.25_5", "v_abcdefghijk", (1.25, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("files", ["none", "recording", "cut", "both"])
def test_clips_are_read_from_their_recordings_unless_they_were_cut(name, files, film, cvr):
    corpus = CORPORA[name]
    Path(corpus.file).write_text(corpus.content)
    for kind, stem in (("recording", corpus.recording), ("cut", corpus.clip)):
        if files in (kind, "both"):
            Path(f"media/{stem}.mp4").write_bytes(film.read_bytes())
    options = ["-o", "unit=segment"] if name == "activitynet" else []
    options += ["-o", "media=media"] if files != "none" else []
    cvr.done("import", name, corpus.file, *options, "-O", "videos")
    [row] = open_artifact("videos").read().to_pylist()
    assert (row["video_id"], row["recording_id"], row["group_id"]) == (corpus.clip, corpus.recording, None)
    is_cut = files in ("cut", "both")
    times, nothing = corpus.times, (None, None)
    assert (row["start_s"], row["end_s"]) == (nothing if is_cut else times)
    assert (row["recording_start_s"], row["recording_end_s"]) == (times if is_cut else nothing)
    expected = {"none": None, "recording": corpus.recording, "cut": corpus.clip, "both": corpus.clip}[files]
    assert (row["path"] and Path(row["path"]).stem) == expected
    if files == "recording":
        assert probe_medium(read_media_clips(Path("videos"))[corpus.clip].clip).duration_s == times[1] - times[0]


def test_a_table_written_before_there_were_times_is_read_as_it_is(videos):
    old = (
        open_artifact(videos)
        .read()
        .drop_columns(["start_s", "end_s", "recording_id", "recording_start_s", "recording_end_s"])
    )
    pq.write_table(old, videos / "part-00000.parquet")
    manifest = json.loads((videos / "manifest.json").read_text())
    del manifest["bytes"]  # which such a table has not either
    (videos / "manifest.json").write_text(json.dumps(manifest))
    assert read_media_clips(videos)["a"] == Video("a", Path("media/film.mp4").resolve())
