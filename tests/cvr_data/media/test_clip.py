"""Clips: the frames between two times are those of a file that was cut there, wherever keyframes lie."""

import hashlib
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.media import frame_decoding
from cvr_data.media.clip import Clip, media_clip_times_fault
from cvr_data.media.limits import LIMITS, Work
from cvr_data.media.look import look_at_clips
from cvr_data.media.opening import open_video
from cvr_data.media.video import SAMPLERS, UnreadableVideo, Video, probe_medium, read_frames, sample_indices, write_mp4
from tests.cvr_data.media.test_frame_decoding import all_frames, write_clip
from tests.odd_media import NoSeek, drawn, write_film

FPS = 25
FRAMES = 120
STREAMS = {
    "short-gops.mp4": ("libx264", {"g": "10", "bf": "0"}),
    "between.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "one-gop.mp4": ("libx264", {"g": "250", "bf": "2"}),
    "open-gop.mkv": ("libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}),
    "stream.ts": ("libx264", {"g": "12", "bf": "2"}),
    "refresh.mp4": ("libx264", {"x264-params": "intra-refresh=1:keyint=12"}),
    "open-gop.mp4": ("libx265", {"x265-params": "open-gop=1:keyint=12:bframes=3:log-level=none"}),
    "hidden.avi": ("mpeg4", {"g": "12"}),
}


class Recording:
    """A file and its frames, which Hypothesis would print as fields of a dataclass."""

    def __init__(self, path, frames):
        self.path, self.frames = path, frames


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A recording of each kind, with all its frames as decoding everything gives them."""
    folder = tmp_path_factory.mktemp("recordings")
    paths = {
        name: write_clip(folder / name, FRAMES, codec, preset="veryfast", **options)
        if codec != "mpeg4"
        else write_clip(folder / name, FRAMES, codec, **options)
        for name, (codec, options) in STREAMS.items()
    }
    return {name: Recording(path, all_frames(path)) for name, path in paths.items()}


def cut(path, first, last, out):
    """Copy packets without decoding them: frames `first` up to `last`, which must be whole groups of pictures."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in source.demux(stream) if packet.size):
            if first <= number < last:
                packet.stream = copied
                target.mux(packet)
    return out


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=12)
@given(times=st.tuples(st.integers(0, 520), st.integers(1, 520)), count=st.sampled_from([1, 3, 8, 200]))
def test_the_frames_are_those_shown_between_the_times(recordings, name, times, count):
    path, frames = recordings[name].path, recordings[name].frames
    start_s, end_s = times[0] / 100, (times[0] + times[1]) / 100
    shown = [
        frame
        for number, frame in enumerate(frames)
        if Fraction(str(start_s)) <= Fraction(number, FPS) < Fraction(str(end_s))
    ]
    clip = Clip(path, start_s, end_s)
    if not shown:
        with pytest.raises(UnreadableVideo, match=r"has no frame there"):
            read_frames(clip, count)
        return
    assert probe_medium(clip).frames == len(shown)
    expected = [shown[index] for index in sample_indices(len(shown), count)]
    assert np.array_equal(read_frames(clip, count), np.stack(expected))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("first", "last"), [(0, 40), (30, 70), (90, FRAMES)])
def test_a_clip_is_the_file_that_is_cut_there(recordings, tmp_path, sampler, first, last):
    path = recordings["short-gops.mp4"].path
    file = cut(path, first, last, tmp_path / "cut.mp4")
    clip = Clip(path, first / FPS, last / FPS)
    for count in (1, 4, 15):
        assert np.array_equal(read_frames(clip, count, sampler, 32), read_frames(file, count, sampler, 32))
    assert probe_medium(clip) == probe_medium(file)


def test_a_null_is_the_start_or_the_end_of_the_file(recordings):
    path, frames = recordings["between.mp4"].path, recordings["between.mp4"].frames
    assert np.array_equal(read_frames(Clip(path, None, 1.0), 200), np.stack(frames[:25]))
    assert np.array_equal(read_frames(Clip(path, 4.0, None), 200), np.stack(frames[100:]))
    assert np.array_equal(read_frames(Clip(path), 200), read_frames(path, 200))
    assert probe_medium(Clip(path, 4.0, None)).duration_s == pytest.approx(0.8)
    assert probe_medium(Clip(path, 4.0, 9.0)).duration_s == pytest.approx(0.8)  # the file is over at 4.8 s


def test_clips_without_a_frame_in_common_are_beside_each_other(recordings):
    path, frames = recordings["one-gop.mp4"].path, recordings["one-gop.mp4"].frames
    clips = [Clip(path, start, start + 0.7) for start in (0.0, 0.7, 1.4)]
    assert np.array_equal(np.concatenate([read_frames(clip, 200) for clip in clips]), np.stack(frames[:53]))


def test_only_the_packets_near_a_clip_are_read(recordings):
    path = recordings["between.mp4"].path
    with open_video(path, LIMITS) as opened:
        found = frame_decoding.find_frames(opened, Clip(path, 2.0, 3.0), Work())
    assert found.count == 25
    assert found.listing.count < 45


def test_frames_that_cannot_be_decoded_from_a_keyframe_are_decoded_from_the_start(recordings):
    path, frames = recordings["between.mp4"].path, recordings["between.mp4"].frames
    with open_video(path, LIMITS) as opened:
        found = frame_decoding.find_frames(opened, Clip(path, 2.0, 3.0), Work())
    lost = replace(found.listing, keyframes=[])
    decoded = frame_decoding.decode_frames(Clip(path, 2.0, 3.0), [found.first, found.first + 5], lost, Work())
    assert list(decoded) == [found.first, found.first + 5]
    assert np.array_equal([frame.to_ndarray(format="rgb24") for frame in decoded.values()], [frames[50], frames[55]])


def test_a_clip_is_told_apart_by_its_file_and_times(tmp_path):
    path = tmp_path / "a.mp4"
    write_mp4(path, np.zeros((24, 32, 32, 3), np.uint8))
    whole, first, second, outside = look_at_clips(
        [Clip(path), Clip(path, 0.0, 1.0), Clip(path, 1.0, 2.0), Clip(path, 7.0, 9.0)]
    )
    assert whole.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len({whole.sha256, first.sha256, second.sha256}) == 3
    assert first.sha256 == Clip(path, 0.0, 1.0).sha256(whole.sha256)
    assert (first.duration_s, second.duration_s) == (1.0, 1.0)
    assert outside.drop_reason == "unreadable_video"
    assert outside.detail == f"{path} from 7 s to 9 s: the video stream has no frame there."


def test_an_image_has_no_times(tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableVideo, match="an image has no times"):
        read_frames(Clip(tmp_path / "a.png", 0.0, 1.0))


def test_times_that_are_none_are_refused():
    assert (
        media_clip_times_fault(None, None)
        is media_clip_times_fault(0.0, 0.5)
        is media_clip_times_fault(3.0, None)
        is None
    )
    assert "after the start" in media_clip_times_fault(2.0, 2.0)
    assert "below 0" in media_clip_times_fault(-1.0, None)
    assert "below 0" in media_clip_times_fault(0.0, float("nan"))


def test_a_video_without_a_file_has_no_clip():
    assert Video("a", Path("a.mp4"), start_s=1.0).clip == Clip(Path("a.mp4"), 1.0)
    with pytest.raises(UnreadableVideo, match="a: the video has no file"):
        _ = Video("a").clip


@pytest.mark.parametrize("times", [(3, None), (3, 8)])
@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_clip_that_a_cut_file_ends_in_is_as_long_as_what_is_there_and_says_so(tmp_path, name, times):
    fast = {"movflags": "+faststart"} if name.endswith("mp4") else {}
    keys = {"x264-params": "keyint=12:bframes=0", "threads": "1"}
    path = write_film(tmp_path / name, drawn(108), container_options=fast, options=keys)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    frames = probe_medium(path).frames
    found = probe_medium(Clip(path, *times))
    assert 36 < frames < 96 and found.frames == frames - 36
    assert found.duration_s == pytest.approx(found.frames / 12, abs=0.02)
    assert found.note is not None and found.note.startswith("truncated: its header promises")
    assert probe_medium(Clip(path, 1, 3)).note is None


def test_a_clip_of_a_file_that_tells_no_duration_is_as_long_as_it_is(tmp_path):
    with closing(NoSeek(tmp_path / "stream.webm")) as file:
        write_film(file, drawn(24), codec="libvpx", form="webm", container_options={"live": "1"})
    lengths = [
        probe_medium(Clip(tmp_path / "stream.webm", *times)).duration_s for times in ((0.5, None), (0.5, 1.9), (0.5, 5))
    ]
    assert lengths == pytest.approx([1.5, 1.4, 1.5])
