"""A video file or a part of one, looked at before and while it is decoded: one rule says what is kept of it.

`examine` reads the packets. Where they are as the codec writes them, what is wanted is decoded and nothing else. Where
they are not, or what is wanted does not come, everything is decoded once, and the frames that come are the film: a
sampler spreads over them, by the times at which they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.frame_decoding import Found, decode_all, decode_frames, find_frames
from cvr_data.media.limits import LEAST_SHARE, Work
from cvr_data.media.listing import ClipFrames, Listing, Packets
from cvr_data.media.opening import Opened, open_video
from cvr_data.media.pictures import Converter, pixel_proportion
from cvr_data.media.timeline import Sampled, frame_sampler_and_rate, sample_shown_frames
from cvr_data.media.verdict import UnreadableVideo, VideoInfo

if TYPE_CHECKING:
    from av import VideoFrame

TELL_DURATION = ("matroska", "mov", "avi", "flv", "asf")
"""Containers whose header says how long the film is; of others it is a guess from their bytes."""
CUT_SHARE, CUT_S = 0.02, 1.0
"""A film that ends earlier than this before its header's end was cut; less is rounding."""


@dataclass(frozen=True)
class Film:
    """The frames of a clip that there are."""

    clip: Clip
    listing: Listing
    numbers: Sequence[int]
    """Of its frames, in the listing."""
    times_s: np.ndarray
    """When each is shown."""
    last_s: float
    """How long the last one is."""
    fps: float
    """What the header says; 0 where it says nothing."""
    duration_s: float
    pixels: int
    """Of a picture."""
    proportion: Fraction
    """Of a pixel, its width by its height."""
    note: str | None = None

    @property
    def said(self) -> str | None:
        """Return what is to be said of it."""
        return self.note or ("still: one frame" if len(self.numbers) == 1 else None)

    @property
    def rate(self) -> float:
        """Return how many frames are shown a second, on average; 0 where nothing tells."""
        length_s = float(self.times_s[-1] - self.times_s[0]) + self.last_s
        return self.fps or (len(self.numbers) / length_s if length_s else 0.0)

    def sampled(self, count: int, sampler: str) -> list[int]:
        """Return the numbers that a sampler takes, some perhaps twice.

        Raises:
            ValueError: there is no time to go by.
        """
        name, rate = frame_sampler_and_rate(sampler)
        if (name == "per-second" or rate) and not self.fps and not self.last_s:
            raise ValueError("the frame rate is unknown, so no frame can be taken per second")
        chosen = sample_shown_frames(self.times_s, self.last_s, count, sampler, self.fps)
        return [self.numbers[place] for place in chosen.tolist()]


def read_film(clip: Clip, count: int, sampler: str, size: int | None, work: Work) -> Sampled:
    """Return the sampled pictures.

    Raises:
        UnreadableVideo: too little of it can be decoded, or more would come than the limits allow.
        av.FFmpegError: it cannot be opened.
        ValueError: nothing tells when frames are shown.
    """
    film = examine_film(clip, work)
    wanted = film.sampled(count, sampler)
    _check_size(len(wanted), size * size if size else film.pixels, work)
    there, found = _decoded(film, wanted, work)
    if there is not film:
        wanted = there.sampled(count, sampler)
        if not found.keys() >= set(wanted):
            _, found = decoded_film(film, wanted, work)
    converter = Converter(film.proportion, size)
    pictures = {}
    for number in sorted(set(wanted)):
        work.tick()
        pictures[number] = converter(found[number])
    places = [there.numbers.index(number) for number in wanted]
    shown = _of_one_size([pictures[number] for number in wanted])
    return Sampled(shown, there.said, places, len(there.numbers), there.rate)


def look_at_film(clip: Clip, work: Work) -> VideoInfo:
    """Return what there is of a clip; one frame at least is decoded.

    Raises:
        UnreadableVideo: too little can be decoded.
        av.FFmpegError: it cannot be opened.
        ValueError: nothing tells when frames are shown.
    """
    film = examine_film(clip, work)
    film, found = _decoded(film, film.numbers[:1], work)
    width, height = Converter(film.proportion, None).shown_size(next(iter(found.values())))
    return VideoInfo(film.duration_s, film.fps, len(film.numbers), width, height, film.said)


def _decoded(film: Film, wanted: Sequence[int], work: Work) -> tuple[Film, Found]:
    """The wanted frames; all are decoded where only that tells which there are."""
    if not film.listing.is_unsound and film.listing.is_checked:
        found = decode_frames(film.clip, sorted(set(wanted)), film.listing, work)
        if len(found) == len(set(wanted)):
            return film, found
    return decoded_film(film, wanted, work)


def examine_film(clip: Clip, work: Work) -> Film:
    """Return the frames that a file says it holds, as far as its packets are there.

    Raises:
        UnreadableVideo: it has none, or far fewer than it says.
        av.FFmpegError: it cannot be opened.
        ValueError: nothing tells when frames are shown.
    """
    with open_video(clip.path, work.limits) as opened:
        found = find_frames(opened, clip, work)
        if not found.count:
            raise UnreadableVideo(f"the video stream has no frame{'' if clip.is_whole else ' there'}")
        rate = opened.stream.average_rate
        fps = float(rate or 0)
        times_s, last_s = _times_s(opened, found, fps)
        length_s = float(times_s[-1] - times_s[0]) + last_s
        if length_s > work.limits.seconds:
            raise UnreadableVideo(f"too_large: its timestamps span {length_s:.0f} s", "too_large")
        header_s = float((opened.container.duration or 0) / 1_000_000)
        end_s = length_s if clip.is_whole else float(times_s[-1]) + last_s - _origin_s(opened)
        is_to_end = clip.end_s is None or clip.end_s > end_s + 0.5 * last_s
        note = _cut_film_note(clip, opened, found, end_s, header_s, work) if is_to_end else None
        context = opened.stream.codec_context
        pixels, proportion = context.width * context.height, pixel_proportion(opened.stream)
    even_s = found.count / fps if clip.is_whole and fps else end_s
    shown_s = even_s if abs(even_s - end_s) < 1.5 * last_s else end_s  # timestamps may lack one
    whole_s = shown_s if note or not header_s or header_s < shown_s - 0.5 * last_s else header_s
    numbers = range(found.first, found.first + found.count)
    return Film(
        clip, found.listing, numbers, times_s, last_s, fps, _duration_s(clip, whole_s), pixels, proportion, note
    )


def decoded_film(film: Film, wanted: Sequence[int], work: Work) -> tuple[Film, Found]:
    """Return the film with the frames that can be decoded, of which are kept the first and the wanted ones.

    Raises:
        UnreadableVideo: they are far fewer than there should be.
    """
    there: set[int] = set()
    found: Found = {}
    first, last, asked = film.numbers[0], film.numbers[-1], frozenset(wanted)

    def take(number: int, frame: "VideoFrame") -> bool:
        if first <= number <= last:
            if number in asked or not there:
                found[number] = frame
            there.add(number)
        return number < last

    decode_all(film.clip, film.listing, take, work)
    kept = [place for place, number in enumerate(film.numbers) if number in there]
    listed = len(film.numbers)
    if len(kept) == listed:
        return film, found
    lost = f"damaged: {len(kept)} of {listed} frames can be decoded"
    may_be_silent = film.listing.pts is None and not film.listing.is_unsound  # such a codec has packets without a frame
    if len(kept) < (1 if may_be_silent else max(1, LEAST_SHARE * listed)):
        raise UnreadableVideo(lost, "damaged")
    said = film.note if may_be_silent else lost if film.note is None else f"{film.note}; {lost}"
    numbers = [film.numbers[place] for place in kept]
    return replace(film, numbers=numbers, times_s=film.times_s[kept], note=said), found


def _times_s(opened: Opened, found: ClipFrames, fps: float) -> tuple[np.ndarray, float]:
    if found.times is None or opened.stream.time_base is None:
        return np.arange(found.count) / (fps or 1.0), 1 / fps if fps else 0.0
    tick_s = float(Fraction(opened.stream.time_base))
    times_s = np.array(found.times, np.float64) * tick_s
    if found.first + found.count == found.listing.frames and found.listing.last:
        return times_s, found.listing.last * tick_s
    if found.count > 1:
        return times_s, float(times_s[-1] - times_s[0]) / (found.count - 1)
    return times_s, 1 / fps if fps else 0.0


def _origin_s(opened: Opened) -> float:
    """The time stamped on what is shown first."""
    return float((opened.container.start_time or 0) / 1_000_000)


def _cut_film_note(
    clip: Clip, opened: Opened, found: ClipFrames, length_s: float, header_s: float, work: Work
) -> str | None:
    """What is to be said of a file that ends after `length_s`, before its header's end.

    Raises:
        UnreadableVideo: far too little is there.
    """
    stream, there = opened.stream, found.listing.count
    if opened.container.format.name.split(",")[0] not in TELL_DURATION:
        return None
    promised = stream.frames if found.listing.sought is None else 0  # of a clip not all packets are read
    own_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else header_s
    gap_s = own_s - length_s
    is_cut = found.listing.is_cut or promised > there
    if promised and not (is_cut and gap_s > 1.5 * length_s / max(1, there)):
        return None
    if not promised and not (gap_s > max(CUT_S, CUT_SHARE * own_s) and _all_end_early(clip, opened, own_s, work)):
        return None
    share = there / promised if promised else length_s / own_s
    frames = f"{promised} frames and " if promised else ""
    has = f"{there} and " if promised else ""
    text = f"truncated: its header promises {frames}{own_s:.2f} s, {has}{length_s:.2f} s are there"
    if clip.is_whole and share < LEAST_SHARE:
        raise UnreadableVideo(text, "truncated")
    return text


def _all_end_early(clip: Clip, opened: Opened, own_s: float, work: Work) -> bool:
    """Whether no other stream of the file lasts until its header's end, as sound does that goes on after the film."""
    if len(opened.container.streams) == 1:
        return True
    latest_s = 0.0
    with open_video(clip.path, work.limits) as again:
        origin_s = _origin_s(again)
        for packet in Packets(again.container.demux(), work):
            if packet.pts is not None and packet.time_base is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                latest_s = max(latest_s, float(end) - origin_s)
    return latest_s < own_s - max(CUT_S, CUT_SHARE * own_s)


def _duration_s(clip: Clip, file_s: float) -> float:
    """How long a clip of a file of so many seconds is; a clip may say that it ends later than the file does."""
    if clip.is_whole:
        return file_s
    end_s = file_s if clip.end_s is None else min(clip.end_s, file_s or clip.end_s)
    return max(0.0, round(end_s - (clip.start_s or 0.0), 6))


def _check_size(count: int, pixels: int, work: Work) -> None:
    if 3 * pixels * count > work.limits.returned_bytes:
        raise UnreadableVideo(f"too_large: {count} frames of {pixels} pixels are too much at once", "too_large")


def _of_one_size(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """The pictures, all of the size of the first: some films change theirs, and are shown in one window."""
    from PIL import Image

    height, width = pictures[0].shape[:2]
    return [
        picture
        if picture.shape[:2] == (height, width)
        else np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
        for picture in pictures
    ]
