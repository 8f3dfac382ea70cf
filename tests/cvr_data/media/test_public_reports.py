"""Files of public reports about other readers of media, built anew: each is read here as a player shows it."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from cvr_data.media.clip import Clip
from cvr_data.media.video import probe_medium, read_frames, read_frames_and_note, sample_indices
from tests.cvr_data.media.test_frame_decoding import all_frames
from tests.odd_media import add_film, add_tone, drawn, mux_film, mux_tone, write_film

pytestmark = pytest.mark.slow


def test_hevc_with_a_keyframe_every_third_frame_is_sought_to_the_right_one(tmp_path):
    # https://github.com/meta-pytorch/torchcodec/issues/1339 and /179: a stale frame, or none, after seeking back
    options = {"x265-params": "keyint=3:log-level=none:pools=1", "crf": "0"}
    path = write_film(tmp_path / "hevc.mp4", drawn(161), codec="libx265", fps=10, options=options)
    frames = np.stack(all_frames(path))
    assert np.array_equal(read_frames(path, 15), frames[sample_indices(161, 15)])
    for first in (35, 120, 157):
        assert np.array_equal(read_frames(Clip(path, first / 10, (first + 2) / 10)), frames[first : first + 2])


def test_a_header_that_tells_a_longer_film_than_its_own_index_costs_no_frame_and_no_time(tmp_path):
    # https://github.com/dmlc/decord/issues/373: 431 frames by duration times rate, 300 in the file; it waited for ever
    path = write_film(tmp_path / "long.mp4", drawn(48))
    content = bytearray(path.read_bytes())
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        at = content.find(box) + offset
        (units,) = struct.unpack(">I", content[at : at + 4])
        content[at : at + 4] = struct.pack(">I", units * 431 // 300)
    path.write_bytes(bytes(content))
    found = read_frames_and_note(path, 48)
    assert np.array_equal(found.pixels, np.stack(all_frames(path)))
    assert (probe_medium(path).frames, found.note) == (48, None)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_an_exif_or_xmp_that_cannot_be_read_turns_nothing(tmp_path, ending):
    # https://github.com/huggingface/datasets/issues/7668: a UnicodeDecodeError ended the training
    (picture,) = drawn(1)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03\0\0\0\x01\0\x06"  # cut off within its first entry
    xmp = b"<x:xmpmeta>\xa8 tiff:Orientation='6'"
    Image.fromarray(picture).save(tmp_path / f"a.{ending}", exif=exif, xmp=xmp, lossless=True)
    assert read_frames(tmp_path / f"a.{ending}").shape[1:] in ((64, 96, 3), (96, 64, 3))


def test_depth_of_16_bits_in_a_film_is_read_over_its_full_range(tmp_path):
    # https://github.com/meta-pytorch/torchcodec/issues/713: FFV1 of gray16le in Matroska
    depth = np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16)
    with av.open(str(tmp_path / "depth.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "gray16le"
        for _ in range(4):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(depth, format="gray16le")))
        out.mux(stream.encode(None))
    frames = read_frames(tmp_path / "depth.mkv", 4)
    assert np.abs(frames[0, ..., 0] - depth / 257.0).max() < 2
    assert (np.ptp(frames, axis=3) == 0).all()


def test_a_clip_of_vp8_is_not_taken_from_the_start_of_the_file(tmp_path):
    # https://github.com/dmlc/decord/issues/91: whatever frame was asked for came from the first seconds
    path = write_film(tmp_path / "vp8.webm", drawn(96), codec="libvpx")
    frames = np.stack(all_frames(path))
    assert np.array_equal(read_frames(Clip(path, 6.0, 7.0), 12), frames[72:84])


def test_proportions_that_round_to_a_square_change_nothing(tmp_path):
    # https://github.com/dmlc/decord/issues/124: XviD says that its pixels are 65536:65535
    path = write_film(tmp_path / "xvid.avi", codec="mpeg4", sar=Fraction(255, 254))
    assert np.array_equal(read_frames(path, 24), np.stack(all_frames(path)))


def test_sound_that_goes_on_after_the_film_makes_it_no_truncated_one(tmp_path):
    # https://github.com/dmlc/decord/issues/54: the duration of Matroska is that of the longest stream
    with av.open(str(tmp_path / "sound.mkv"), "w") as out:
        film, tone = add_film(out, drawn(24)), add_tone(out)
        mux_film(out, film, drawn(24))
        mux_tone(out, tone, seconds=6)
    info = probe_medium(tmp_path / "sound.mkv")
    assert (info.frames, info.note) == (24, None)
    whole = write_film(tmp_path / "cut.mkv", drawn(96)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 7 // 10])
    assert probe_medium(tmp_path / "cut.mkv").note.startswith("truncated: its header promises 8.00 s, ")


def test_packets_that_are_timestamped_as_they_are_decoded_do_not_order_the_frames(tmp_path):
    # https://github.com/meta-pytorch/torchcodec/issues/1363: H.264 with B-frames in AVI, which knows no other times
    options = {"x264-params": "bframes=3:keyint=24", "crf": "10", "threads": "1"}
    path = write_film(tmp_path / "between.avi", drawn(48), options=options, fps=10)
    frames = np.stack(all_frames(path))
    assert np.array_equal(read_frames(path, 48), frames)
    assert np.array_equal(read_frames(Clip(path, 1.2, 2.0)), frames[12:20])


@pytest.mark.parametrize(("codec", "name"), [("libvpx-vp9", "vp9.webm"), ("libvpx", "vp8.mkv")])
def test_a_web_film_with_alpha_lies_on_white(tmp_path, codec, name):
    # https://github.com/Vanilagy/mediabunny/issues/178: FFmpeg's own decoders leave out what is transparent
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[..., 0] = 200  # hidden
    picture[10:30, 10:30] = [0, 0, 255, 255]
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"auto-alt-ref": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="yuva420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for medium in (tmp_path / name, Clip(tmp_path / name, 0.5, 1.0)):
        frames = read_frames(medium, 3).astype(int)
        assert np.abs(frames[:, 2, 2] - 255).max() <= 3
        assert np.abs(frames[:, 20, 20] - [0, 0, 255]).max() <= 12
