"""Odd media of public bug reports: what a player shows is read, and what is no film costs its own row and no other."""

import os
import socket
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from av.filter import Graph
from PIL import Image

from cvr_data.media.clip import Clip
from cvr_data.media.video import UnreadableVideo, probe_medium, read_frames, read_frames_and_note
from tests.odd_media import drawn, rotate, write_film, write_odd_media


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return write_odd_media(tmp_path_factory.mktemp("odd"))


def levels(frames):
    """How bright the left half is: what tells the drawn frames apart."""
    return frames[:, 40, 24, 2].astype(int)


def filtered(path, size=None):
    """Every frame, in full, as FFmpeg's own filters make RGB of it."""
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = Graph()
        nodes = [
            graph.add_buffer(template=stream),
            graph.add("scale", f"{size}:{size}:flags=bicubic" if size else "flags=bicubic"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        for one, other in pairwise(nodes):
            one.link_to(other)
        graph.configure()
        for frame in container.decode(stream):
            graph.push(frame)
            pictures.append(graph.pull().to_ndarray())
    return np.stack(pictures)


@pytest.mark.parametrize(
    ("name", "turned"),
    [
        ("rotated90.mp4", lambda frames: np.rot90(frames, -1, axes=(1, 2))),
        ("rotated180.mp4", lambda frames: np.rot90(frames, 2, axes=(1, 2))),
        ("rotated270.mp4", lambda frames: np.rot90(frames, 1, axes=(1, 2))),
        ("mirrored.mp4", lambda frames: frames[:, :, ::-1]),
    ],
)
def test_frames_are_turned_as_the_track_header_says(odd, name, turned):
    expected = turned(read_frames(odd / "plain.mp4", 3))
    assert np.array_equal(read_frames(odd / name, 3), expected)
    assert np.array_equal(read_frames(odd / name, 3, size=32), turned(read_frames(odd / "plain.mp4", 3, size=32)))
    info = probe_medium(odd / name)
    assert (info.height, info.width) == expected.shape[1:3]


def test_the_corner_of_a_film_that_a_phone_turned_is_where_a_player_shows_it(odd):
    upper_right = read_frames(odd / "rotated90.mp4", 1)[0, :12, -12:]
    assert upper_right.min() > 230


def test_pixels_that_are_wider_than_high_are_shown_so(odd):
    assert read_frames(odd / "wide.mp4", 1).shape == (1, 64, 192, 3)
    assert (probe_medium(odd / "wide.mp4").width, probe_medium(odd / "wide.mp4").height) == (192, 64)


@pytest.mark.parametrize("size", [None, 48])
@pytest.mark.parametrize("name", ["odd_size.mkv", "interlaced.mp4", "hevc10.mp4"])
def test_interlaced_deep_and_odd_sized_pixels_are_those_of_the_filters_of_ffmpeg(odd, name, size):
    expected = filtered(odd / name, size)
    assert np.array_equal(read_frames(odd / name, len(expected), size=size), expected)


def test_an_image_is_turned_as_its_exif_says(odd):
    frames = read_frames(odd / "exif6.jpg")
    assert frames.shape == (1, 96, 64, 3)
    assert frames[0, :12, -12:].min() > 230  # the white corner, from the upper left to the upper right
    assert (probe_medium(odd / "exif6.jpg").width, probe_medium(odd / "exif6.jpg").height) == (64, 96)


@pytest.mark.parametrize("name", ["alpha.png", "clear.mkv"])
def test_what_is_transparent_is_white(odd, name):
    picture = read_frames(odd / name, 1)[0]
    assert (picture[:, 48:] == 255).all()
    assert picture[40, 24].tolist() == drawn(1)[0][40, 24].tolist()


def test_sixteen_bits_of_grey_are_shown_over_their_full_range(odd):
    values = np.asarray(Image.open(odd / "gray16.png"), np.float64)
    assert np.abs(read_frames(odd / "gray16.png")[0, ..., 1] - values / 257).max() <= 0.5


def test_an_animation_is_as_many_pictures_as_are_shown_by_the_time_that_each_is(odd):
    frames = read_frames(odd / "anim.webp", 3, "first")
    assert [int(frame[4, :, 1].argmax()) for frame in frames] == [0, 20, 40]
    info = probe_medium(odd / "anim.webp")
    assert (info.duration_s, info.frames, info.note) == (2.0, 3, None)
    assert np.array_equal(read_frames(odd / "anim.webp", 3), frames[[2, 2, 2]])  # which is shown for 1.8 of 2 s
    assert np.array_equal(read_frames(Clip(odd / "anim.webp", 0.1, 0.2)), frames[1:2])


@pytest.mark.parametrize("name", ["cover_first.mkv", "cover_first.mp4"])
def test_the_film_is_read_and_never_its_cover(odd, name):
    assert np.array_equal(read_frames(odd / name, 4), read_frames(odd / "plain.mp4", 4))
    assert probe_medium(odd / name).frames == 24


def test_an_edit_list_hides_frames_and_as_many_as_asked_are_spread_over_the_others(odd):
    assert probe_medium(odd / "negative_pts.mp4").frames == 16
    shown = levels(read_frames(odd / "plain.mp4", 24))[8:]
    assert np.abs(levels(read_frames(odd / "negative_pts.mp4", 16)) - shown).max() < 6
    assert len(read_frames(odd / "negative_pts.mp4", 8)) == 8


def test_frames_that_stand_for_long_are_taken_by_time(odd):
    path = odd / "vfr.mp4"
    every = levels(read_frames(path, 12, "first"))
    assert (np.diff(every) > 5).all()
    assert levels(read_frames(path, 8)).tolist() == [every[9]] * 4 + [every[10]] * 4
    assert levels(read_frames(path, 61, "per-second")).tolist() == [
        every[0],
        *[every[9]] * 29,
        *[every[10]] * 30,
        every[11],
    ]
    assert levels(read_frames(path, 1, "middle")).tolist() == [every[10]]
    assert probe_medium(path).duration_s == pytest.approx(60.1)


@pytest.mark.parametrize(
    ("name", "duration_s", "frames"),
    [
        ("mpeg2.mpg", 0.96, 24), ("no_duration.webm", 2.0, 24), ("no_times.h264", 0.96, 24),
        ("starts_late.mp4", 2.0, 24),
        ("vp8.webm", 2.0, 24), ("gif.gif", 2.0, 24), ("one_frame.mp4", 1 / 12, 1), ("latin1.mp4", 2.0, 24),
        ("negative_pts.mp4", 4 / 3, 16), ("moov_at_end.mp4", 2.0, 24), ("hevc10.mp4", 2.0, 24),
    ],
)  # fmt: skip
def test_a_film_is_as_long_as_its_frames_are_shown(odd, name, duration_s, frames):
    info = probe_medium(odd / name)
    assert (info.duration_s, info.frames) == (pytest.approx(duration_s, abs=0.002), frames)
    assert len(read_frames(odd / name, 8)) == min(8, frames)


def test_a_film_that_was_cut_off_is_said_to_be_and_read_as_far_as_it_goes(odd):
    said = "truncated: its header promises 96 frames and 8.00 s, 71 and 5.92 s are there"
    found, info = read_frames_and_note(odd / "truncated_80.mp4", 71), probe_medium(odd / "truncated_80.mp4")
    assert found.note == info.note == said
    assert (info.frames, round(info.duration_s, 2), info.verdict) == (71, 5.92, "truncated")
    assert np.array_equal(found.pixels, read_frames(odd / "long.mp4", 96)[:71])


def test_of_a_film_with_a_hole_what_decodes_is_used_by_its_time(odd):
    found, info = read_frames_and_note(odd / "hole.mp4", 24), probe_medium(odd / "hole.mp4")
    assert found.note == info.note == "damaged: 14 of 24 frames can be decoded"
    whole = levels(read_frames(odd / "plain.mp4", 24))
    read = levels(found.pixels)
    assert len(read) == 14
    assert np.abs(read[:3] - whole[[0, 2, 4]]).max() < 6
    assert np.abs(read[-3:] - whole[[19, 21, 23]]).max() < 12


@pytest.mark.parametrize(
    ("name", "verdict", "said"),
    [
        ("song_with_cover.mkv", "cover_only", "no video stream, only sound and a cover"),
        ("audio_only.mp4", "audio_only", "no video stream, only sound"),
        ("truncated_half.mp4", "truncated", "promises 24 frames and 2.00 s, 1 and 0.08 s are there"),
        ("truncated_moov_at_end.mp4", "unreadable", "no video stream"),
        ("empty.mp4", "unreadable", "it is empty"),
        ("text.mp4", "unreadable", "Invalid data"),
        ("concat.mp4", "unreadable", "names other files"),
        ("playlist.mp4", "unreadable", "names other files"),
        ("script.jpg", "unreadable", "cannot identify"),
        ("bomb.gif", "too_large", "65535 x 65535"),
        ("large.png", "too_large", "13400 x 13400"),
        ("chunk.png", "unreadable", "cannot be"),
        ("cut.jpg", "unreadable", "cannot be"),
        ("unknown_codec.mp4", "unreadable", "no decoder"),
    ],
)
def test_what_is_no_film_says_why_wherever_it_is_looked_at(odd, name, verdict, said):
    for look in (probe_medium, read_frames):
        with pytest.raises(UnreadableVideo, match=said) as caught:
            look(odd / name)
        assert caught.value.verdict == verdict
        assert str(caught.value).startswith(f"{odd / name}: ")
        assert "\n" not in str(caught.value)


def test_devices_pipes_sockets_and_folders_are_no_media(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "itself.mp4").symlink_to(tmp_path / "itself.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.mp4"))
        for name in (
            "pipe.mp4",
            "folder.mp4",
            "itself.mp4",
            "device.mp4",
            "socket.mp4",
            "a\0b.mp4",
            "x" * 300 + ".mp4",
        ):
            with pytest.raises(UnreadableVideo):
                read_frames(tmp_path / name)


def test_a_file_with_a_name_that_is_not_utf8_is_read(odd, tmp_path):
    name = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    name.write_bytes((odd / "plain.mp4").read_bytes())
    assert np.array_equal(read_frames(name, 4), read_frames(odd / "plain.mp4", 4))
    with pytest.raises(UnreadableVideo, match=r"a\\xe9.mp4: no such file"):
        read_frames(tmp_path / os.fsdecode(b"a\xe9.mp4"))


def test_a_film_of_two_sizes_is_shown_in_one(odd, tmp_path):
    parts = [write_film(tmp_path / f"{width}.ts", drawn(12, width, 64), form="mpegts") for width in (96, 64)]
    (tmp_path / "both.mpg").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert read_frames(tmp_path / "both.mpg", 4).shape == (4, 64, 96, 3)


def test_of_several_films_the_one_that_is_meant_is_read(tmp_path):
    with av.open(str(tmp_path / "two.mkv"), "w") as out:
        from tests.odd_media import add_film, mux_film

        small, large = (add_film(out, drawn(12, *shape)) for shape in ((48, 32), (96, 64)))
        mux_film(out, small, drawn(12, 48, 32))
        mux_film(out, large, drawn(12, 96, 64))
    with av.open(str(tmp_path / "two.mkv")) as container:
        best = container.streams.best("video")
        expected = best.codec_context.height
    assert read_frames(tmp_path / "two.mkv", 1).shape[1] == expected


def test_a_matrix_that_turns_by_a_few_degrees_turns_nothing(odd, tmp_path):
    path = rotate(odd / "plain.mp4", tmp_path / "almost.mp4", (0.9962, 0.0872, -0.0872, 0.9962))
    assert np.array_equal(read_frames(path, 2), read_frames(odd / "plain.mp4", 2))


def test_proportions_that_no_pixel_has_are_not_believed(tmp_path):
    path = write_film(tmp_path / "thin.mp4", sar=Fraction(1, 200))
    assert read_frames(path, 1).shape == (1, 64, 96, 3)
