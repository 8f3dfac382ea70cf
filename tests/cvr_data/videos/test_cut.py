"""Long recordings in, clips out: shots as they were put together, what is said in them, files of their own."""

import csv
import json
import os
from pathlib import Path

import av
import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.media.clip import Clip
from cvr_data.media.video import find_shots, probe_medium, read_frames, write_mp4
from cvr_data.videos.corpora.recordings import recording_clip_spans
from cvr_data.videos.cut import cut_videos
from cvr_data.videos.subtitles import Cue, read_video_subtitles, subtitle_file, video_subtitles_between

pytestmark = pytest.mark.slow

SAMPLE = Path("annotations/samples/recordings").resolve()
FPS = 10


def scene(seed, frames):
    """A still of coarse colours with a square that moves over it."""
    rng = np.random.default_rng(seed)
    ground = np.kron(rng.integers(0, 255, (3, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    film = np.repeat(ground[None], frames, axis=0)
    for number in range(frames):
        film[number, 10:20, 5 + number % 40 : 15 + number % 40] = 255
    return film


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Folders are relative to the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def recording(tmp_path):
    """Shots of 1.3, 2, 0.4 and 3 seconds."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_mp4(folder / "long.mp4", np.concatenate([scene(seed, n) for seed, n in enumerate((13, 20, 4, 30))]), FPS)
    return folder / "long.mp4"


def test_shots_begin_where_scenes_were_joined_whatever_pieces_the_film_is_looked_through_in(recording, monkeypatch):
    joined = [1.3, 3.3, 3.7]
    assert find_shots(recording, 3.0, 6.7) == pytest.approx(joined, abs=1e-5)
    for piece_s in (0.5, 1.3, 2.0):
        monkeypatch.setattr("cvr_data.media.shots.PIECE_S", piece_s)
        assert find_shots(recording, 3.0, 6.7) == pytest.approx(joined, abs=1e-5), piece_s


def test_a_film_of_fewer_frames_a_second_than_its_file_is_cut_at_its_shots_alone(tmp_path):
    """Eight a second in a file of 24, as drawn films and screens come: two of three frames repeat the one before."""
    rolling = [np.stack([np.roll(scene(seed, 1)[0], 4 * step, axis=1) for step in range(16)]) for seed in range(4)]
    write_mp4(tmp_path / "drawn.mp4", np.repeat(np.concatenate(rolling), 3, axis=0), 24)
    assert find_shots(tmp_path / "drawn.mp4", 3.0, 8.0) == pytest.approx([2.0, 4.0, 6.0], abs=1e-4)


def test_slides_that_stand_are_cut_where_they_change(tmp_path):
    slides = [np.repeat(scene(seed, 1), 24, axis=0) for seed in range(4)]
    write_mp4(tmp_path / "talk.mp4", np.concatenate(slides), 24)
    assert find_shots(tmp_path / "talk.mp4", 3.0, 4.0) == pytest.approx([1.0, 2.0, 3.0], abs=1e-4)


def test_clips_cover_a_film_once_and_none_is_too_long():
    for cuts, duration_s, longest in (
        ([1.3, 3.3], 6.7, 2.0),
        ([], 5.0, 2.5),
        ([4.0], 4.0, 1.0),
        ([0.0, 9.0], 3.0, 7.0),
    ):
        spans = recording_clip_spans(cuts, duration_s, longest)
        starts, ends = zip(*spans, strict=True)
        assert starts[0] == 0.0 and ends[-1] is None
        assert starts[1:] == ends[:-1]
        lengths = np.diff([*starts, duration_s])
        assert (lengths > 0).all() and (lengths <= longest + 1e-5).all()
        assert {cut for cut in cuts if 0 < cut < duration_s} <= set(starts)


def test_an_import_by_shots_has_their_clips_and_the_short_one_beside(cvr, recording):
    cvr("import", "recordings", recording.parent, "-o", "longest=2", "-O", "videos")
    artifact = open_artifact("videos")
    rows = artifact.read().to_pylist()
    assert artifact.manifest["dropped"] == {"too_short": 1} and artifact.manifest["without_caption"] == 4
    assert {row["recording_id"] for row in rows} == {"long.mp4"}
    assert [row["start_s"] for row in rows] == pytest.approx([0.0, 1.3, 3.7, 5.2], abs=1e-5)
    assert [row["duration_s"] for row in rows] == pytest.approx([1.3, 2.0, 1.5, 1.5], abs=1e-5)


def test_times_of_a_table_are_clips_and_a_row_that_is_none_says_its_line(cvr, recording):
    with (recording.parent / "times.csv").open("w", newline="") as file:
        rows = [("long.mp4", "00:00:01.3", "3.3", "a square"), ("long.mp4", "4", "3", "x"), ("gone.mp4", "0", "1", "y")]
        csv.writer(file).writerows([("file", "start", "end", "caption"), *rows])
    cvr("import", "recordings", recording.parent, "-o", "cut=table", "-o", "times=times.csv", "-O", "videos")
    artifact = open_artifact("videos")
    assert [(row["video_id"], row["captions"]) for row in artifact.read().to_pylist()] == [
        ("long.mp4_1.300_3.300", ["a square"])
    ]
    assert artifact.manifest["dropped"] == {"bad_times": 1, "missing_file": 1}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["cut=table"], "belong together"),
        (["times=x.csv"], "belong together"),
        (["shortest=5", "longest=2"], "is more than longest"),
        (["threshold=0"], "threshold"),
    ],
)
def test_options_that_cannot_be_are_one_line(options, told, recording, one_line_error):
    chosen = [word for option in options for word in ("-o", option)]
    assert told in one_line_error("import", "recordings", recording.parent, *chosen, "-O", "videos")


def test_cut_files_show_what_the_clips_show_and_keep_sound(cvr, tmp_path):
    with_sound(tmp_path / "in" / "talk.mp4")
    cvr("import", "recordings", "in", "-o", "cut=stride", "-o", "longest=1.25", "-o", "shortest=0", "-O", "videos")
    cvr("cut", "videos", "-O", "cut")
    before, after = (open_artifact(name).read().to_pylist() for name in ("videos", "cut"))
    assert len(after) == 4
    for clip, file in zip(before, after, strict=True):
        path = Path("cut", file["path"]).resolve()
        whole = Clip(Path(clip["path"]), clip["start_s"], clip["end_s"])
        assert probe_medium(path).frames == probe_medium(whole).frames
        expected, found = (read_frames(medium, 4).astype(float) for medium in (whole, path))
        assert np.abs(expected - found).mean() < 6
        assert (file["recording_start_s"], file["recording_end_s"]) == (clip["start_s"], clip["end_s"])
        assert file["start_s"] is None and file["recording_id"] == "talk.mp4"
        with av.open(str(path)) as container:
            seconds = sum(frame.samples for frame in container.decode(audio=0)) / 8000
        assert seconds == pytest.approx(file["duration_s"], abs=0.3)
    first = [Path("cut", row["path"]).read_bytes() for row in after]
    cut_videos(Path("videos"), Path("again"))
    assert [Path("again", row["path"]).read_bytes() for row in after] == first


def test_clips_of_names_that_look_alike_have_files_of_their_own(cvr, tmp_path):
    """`a/b` and `a_b` once shared one, and so the picture of whichever was cut first."""
    for seed, name in enumerate(("a/talk.mp4", "a_talk.mp4")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(path, scene(seed, 20), FPS)
    cvr("import", "recordings", "in", "-o", "cut=stride", "-o", "longest=1", "-O", "videos")
    cvr("cut", "videos", "-O", "cut")
    before, after = (open_artifact(name).read().to_pylist() for name in ("videos", "cut"))
    assert len({row["path"] for row in after}) == len(after) == 4
    for clip, file in zip(before, after, strict=True):
        whole = Clip(Path(clip["path"]), clip["start_s"], clip["end_s"])
        expected, found = (read_frames(medium, 2).astype(float) for medium in (whole, Path("cut", file["path"])))
        assert np.abs(expected - found).mean() < 6


def with_sound(path):
    """Five seconds of film with a tone."""
    path.parent.mkdir()
    film = path.with_name("silent.mp4")
    write_mp4(film, np.concatenate([scene(1, 25), scene(2, 25)]), FPS)
    with av.open(str(film)) as silent, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(silent.streams.video[0])
        audio = container.add_stream("aac", rate=8000, layout="mono")
        for packet in silent.demux(silent.streams.video[0]):
            if packet.size:
                packet.stream = video
                container.mux(packet)
        tone = (0.1 * np.sin(np.arange(40_000) / 5)).astype(np.float32)
        for number in range(0, 40_000, 1000):
            frame = av.AudioFrame.from_ndarray(tone[None, number : number + 1000], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, number
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    film.unlink()


def test_subtitles_lose_tags_sounds_and_lines_that_roll_on(tmp_path):
    path = tmp_path / "a.vtt"
    path.write_text(
        "WEBVTT\n\n00:00.000 --> 00:02.000\n<c.yellow>We go</c> up\n\n00:02.000 --> 00:04.000\nWe go up\nand down\n\n"
        "00:04.000 --> 00:05.000\n[Music]\n"
    )
    assert read_video_subtitles(path) == [Cue(0.0, 2.0, "We go up"), Cue(2.0, 4.0, "and down")]
    whisper = tmp_path / "b.json"
    whisper.write_text(json.dumps({"text": "x", "segments": [{"start": 1, "end": 2.5, "text": " Hello there."}]}))
    assert read_video_subtitles(whisper) == [Cue(1.0, 2.5, "Hello there.")]


def test_what_is_said_belongs_to_the_clip_that_most_of_it_lies_in():
    cues = [Cue(0, 2, "one"), Cue(1.8, 3.0, "two"), Cue(0, 60, "all along")]
    assert video_subtitles_between(cues, 0, 2) == "one all along"
    assert video_subtitles_between(cues, 2, 4) == "two all along"
    assert video_subtitles_between(cues, 70, 80) == ""


def test_the_subtitles_of_a_file_are_found_by_its_name():
    names = ["talk.en.vtt", "talk.srt", "talks.srt", "other.srt", "talk.mp4.ass"]
    assert subtitle_file(Path("x/talk.mp4"), names) == Path("x/talk.srt")
    assert subtitle_file(Path("x/talk.mp4"), ["talk.en.vtt", "talk.de.vtt"]) == Path("x/talk.de.vtt")
    assert subtitle_file(Path("x/talk.mp4"), ["talks.srt"]) is None


def test_a_file_that_is_no_subtitles_is_one_line(tmp_path, one_line_error, recording):
    recording.with_suffix(".srt").write_bytes(b"\x00\xff nothing of the kind")
    assert "long.srt" in one_line_error("import", "recordings", recording.parent, "-o", "cut=none", "-O", "videos")


def test_subtitles_are_read_before_anything_is_cut_and_silence_is_none(cvr, recording, one_line_error):
    recording.with_suffix(".srt").write_bytes(b"\xef\xbb\xbf\r\n")  # what Whisper writes of a film without speech
    assert read_video_subtitles(recording.with_suffix(".srt")) == []
    (recording.parent / "broken.mp4").write_bytes(b"no film")
    (recording.parent / "zz.mp4").write_bytes(b"no film")
    (recording.parent / "zz.srt").write_bytes(b"1\n00:00")
    words = ("import", "recordings", recording.parent, "-o", "cut=none", "-O", "videos")
    assert "zz.srt: cannot be read as subtitles" in one_line_error(*words)
    (recording.parent / "zz.srt").unlink()
    cvr(*words)
    assert [row["captions"] for row in open_artifact("videos").read().to_pylist()] == [[]]


def test_a_recording_whose_name_is_not_utf8_is_dropped_and_told(cvr, recording):
    recording.with_name(os.fsdecode(b"bad\xff.mp4")).write_bytes(recording.read_bytes())
    cvr("import", "recordings", recording.parent, "-o", "cut=none", "-O", "videos")
    artifact = open_artifact("videos")
    assert artifact.manifest["rows"] == 1 and artifact.manifest["dropped"] == {"bad_name": 1}


def test_a_recording_instead_of_its_folder_is_refused(recording, one_line_error):
    assert "name the folder it lies in" in one_line_error("import", "recordings", recording)
