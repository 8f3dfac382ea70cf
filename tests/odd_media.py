"""Small odd media like those of public bug reports, written by PyAV and Pillow: every case is one of a kind."""

import struct
import zlib
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

H264 = {"crf": "20", "preset": "veryfast", "threads": "1"}
NO_B = {**H264, "x264-params": "bframes=0"}


def drawn(frames: int, width: int = 96, height: int = 64) -> list[np.ndarray]:
    """Left blue, right red, brighter with every frame; a white square in the upper left corner."""
    pictures = []
    for number in range(frames):
        picture = np.zeros((height, width, 3), np.uint8)
        level = 60 + number * 160 // max(1, frames - 1)
        picture[:, : width // 2, 2] = picture[:, width // 2 :, 0] = level
        picture[:16, :16] = 255
        pictures.append(picture)
    return pictures


def add_film(container, pictures, *, codec="libx264", pix="yuv420p", fps=12, options=None):
    """Add a stream for pictures and return it."""
    usual = H264 if codec == "libx264" else {}
    stream = container.add_stream(codec, rate=fps, options=usual if options is None else options)
    stream.height, stream.width = pictures[0].shape[:2]
    stream.pix_fmt = pix
    stream.codec_context.time_base = Fraction(1, fps)
    return stream


def mux_film(container, stream, pictures, pts=None):
    for number, picture in enumerate(pictures):
        form = "rgb24" if picture.shape[2] == 3 else "rgba"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=form).reformat(format=stream.pix_fmt)
        frame.pts = number if pts is None else pts[number]
        frame.time_base = stream.codec_context.time_base
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_film(path, pictures=None, *, pts=None, container_options=None, form=None, metadata=None, sar=None, **stream):
    """Write a film and return its path."""
    pictures = drawn(24) if pictures is None else pictures
    target = str(path) if isinstance(path, Path) else path
    with av.open(target, "w", format=form, options=container_options or {}) as out:
        out.metadata.update(metadata or {})
        added = add_film(out, pictures, **stream)
        if sar is not None:
            added.codec_context.sample_aspect_ratio = sar
        mux_film(out, added, pictures, pts)
    return path


def add_tone(container):
    return container.add_stream("aac", rate=16000, layout="mono")


def mux_tone(container, stream, seconds=2):
    for start in range(0, seconds * 16000, 1024):
        wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / 16000)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_with_cover(path, *, film: bool):
    """Write a picture as the first stream, marked as a cover where the container can, and a film or sound after it."""
    cover = [np.full((48, 48, 3), (0, 200, 0), np.uint8)]
    with av.open(str(path), "w") as out:
        picture = add_film(out, cover, codec="mjpeg", pix="yuvj420p", fps=1)
        picture.disposition = Disposition.attached_pic
        other = add_film(out, drawn(24)) if film else add_tone(out)
        mux_film(out, picture, cover)
        if film:
            mux_film(out, other, drawn(24))
        else:
            mux_tone(out, other)
    return path


def rotate(source: Path, target: Path, matrix: tuple[float, float, float, float]) -> Path:
    """Copy an MP4 file with another display matrix in its track header: what phones write."""
    content = bytearray(source.read_bytes())
    start = content.find(b"tkhd") + 4
    start += 4 + (32 if content[start] else 20) + 16
    a, b, c, d = (round(value * (1 << 16)) for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(bytes(content))
    return target


class NoSeek:
    """A file that cannot be gone back in: what browsers record into has no duration in its header."""

    def __init__(self, path: Path):
        self.file = path.open("wb")

    def write(self, content: bytes) -> int:
        return self.file.write(content)

    def close(self) -> None:
        self.file.close()


def write_odd_media(folder: Path) -> Path:
    """Write all of them into a folder and return it."""
    fast = {"movflags": "+faststart"}
    plain = write_film(folder / "plain.mp4", container_options=fast)
    for degrees, matrix in {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}.items():
        rotate(plain, folder / f"rotated{degrees}.mp4", matrix)
    rotate(plain, folder / "mirrored.mp4", (-1, 0, 0, 1))
    _write_cut(folder, plain, fast)
    write_film(folder / "one_frame.mp4", drawn(1))
    write_film(folder / "vfr.mp4", drawn(12), fps=10, pts=[*range(10), 300, 600], options=NO_B)
    write_film(folder / "starts_late.mp4", pts=[number + 1000 for number in range(24)])
    write_film(
        folder / "negative_pts.mp4", pts=[number - 8 for number in range(24)],
        container_options={"avoid_negative_ts": "disabled", "movflags": "+negative_cts_offsets"},
    )  # fmt: skip
    write_film(folder / "latin1.mp4", metadata={"title": "caf\N{LATIN SMALL LETTER E WITH ACUTE}"})
    title = (folder / "latin1.mp4").read_bytes()
    (folder / "latin1.mp4").write_bytes(title.replace("caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"caf\xe9s"))
    write_film(folder / "wide.mp4", sar=Fraction(2))
    _write_codecs(folder)
    with av.open(str(folder / "audio_only.mp4"), "w") as out:
        mux_tone(out, add_tone(out))
    write_with_cover(folder / "cover_first.mkv", film=True)
    write_with_cover(folder / "cover_first.mp4", film=True)
    write_with_cover(folder / "song_with_cover.mkv", film=False)
    _write_images(folder)
    _write_no_media(folder, plain)
    return folder


def _write_cut(folder: Path, plain: Path, fast: dict[str, str]) -> None:
    content = plain.read_bytes()
    (folder / "truncated_half.mp4").write_bytes(content[: len(content) // 2 + 300])
    end = write_film(folder / "moov_at_end.mp4").read_bytes()
    (folder / "truncated_moov_at_end.mp4").write_bytes(end[: len(end) * 3 // 4])
    keys = {"x264-params": "keyint=12:bframes=0", "threads": "1", "crf": "20"}
    long = write_film(folder / "long.mp4", drawn(96), container_options=fast, options=keys).read_bytes()
    (folder / "truncated_80.mp4").write_bytes(long[: len(long) * 8 // 10])
    middle = content.find(b"mdat") + (len(content) - content.find(b"mdat")) // 2
    (folder / "hole.mp4").write_bytes(content[:middle] + bytes(400) + content[middle + 400 :])


def _write_codecs(folder: Path) -> None:
    write_film(folder / "odd_size.mkv", drawn(8, 97, 65), codec="ffv1", pix="yuv420p")
    write_film(folder / "interlaced.mp4", options={"x264-params": "tff=1:interlaced=1", "threads": "1"})
    write_film(
        folder / "hevc10.mp4", codec="libx265", pix="yuv420p10le", options={"x265-params": "log-level=none:pools=1"}
    )  # fmt: skip
    write_film(folder / "vp8.webm", codec="libvpx")
    write_film(folder / "gif.gif", codec="gif", pix="rgb8")
    write_film(folder / "mpeg2.mpg", codec="mpeg2video", fps=25)
    clear = np.dstack([drawn(1)[0], np.full((64, 96), 255, np.uint8)])
    clear[:, 48:, 3] = 0
    write_film(folder / "clear.mkv", [clear] * 4, codec="ffv1", pix="bgra")
    with closing(NoSeek(folder / "no_duration.webm")) as file:
        write_film(file, codec="libvpx", form="webm", container_options={"live": "1"})
    write_film(folder / "no_times.h264")


def _write_images(folder: Path) -> None:
    (picture,) = drawn(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(folder / "exif6.jpg", exif=exif, quality=95)
    hidden = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    hidden[:, 48:, 3] = 0
    Image.fromarray(hidden).save(folder / "alpha.png")
    Image.fromarray(np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16)).save(folder / "gray16.png")
    moved = [Image.fromarray(np.roll(picture, step, 1)) for step in (0, 20, 40)]
    lasting = {"duration": [100, 100, 1800], "lossless": True}
    moved[0].save(folder / "anim.webp", save_all=True, append_images=moved[1:], **lasting)
    jpeg = (folder / "exif6.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])


def _write_no_media(folder: Path, plain: Path) -> None:
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("<html>403 Forbidden</html>")
    (folder / "concat.mp4").write_text(f"ffconcat version 1.0\nfile '{plain}'\n")
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXTINF:2,\nfile:{plain}\n#EXT-X-ENDLIST\n")
    (folder / "script.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    side = (65535).to_bytes(2, "little")
    head = b"GIF89a" + 2 * side + b"\x80\0\0\0\0\0\xff\xff\xff"
    (folder / "bomb.gif").write_bytes(head + b"," + bytes(4) + 2 * side + b"\0\2\2\x44\1\0;")
    png = bytearray((folder / "alpha.png").read_bytes())
    png[16:24] = struct.pack(">2I", 13_400, 13_400)  # 179 megapixels, says the header
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    (folder / "large.png").write_bytes(bytes(png))
    broken = bytearray((folder / "alpha.png").read_bytes())
    broken[37:41] = b"\xff\xff\xff\xff"
    (folder / "chunk.png").write_bytes(bytes(broken))
    unknown = plain.read_bytes().replace(b"avc1", b"zzz9")
    (folder / "unknown_codec.mp4").write_bytes(unknown)
