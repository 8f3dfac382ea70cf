"""near-duplicate: of clips whose pictures or groups are alike the best stays, and what goes stands for no other."""

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.columns import with_column
from cvr_data.core.stage_jobs import PIECE
from cvr_data.media.video import VideoInfo
from cvr_data.videos.filters import near_duplicate
from cvr_data.videos.filters.near_duplicate import BYTES, Config, compare, measure
from cvr_data.videos.seen import Seen
from tests.labelled_clips import FPS, copied, scene


def bits_of(hashes, sides=None, seconds=None, groups=None, high=11):
    """video_id -> bits to a better clip that stays; None where there is none. Ids are a, b, c, in order."""
    count = len(hashes)
    table = pa.table({"video_id": [chr(ord("a") + row) for row in range(count)], "shorter_side": sides or [96] * count,
                      "seconds": seconds or [1.0] * count, "picture_hash": pa.array(hashes, pa.binary()),
                      "group_id": pa.array(groups or [None] * count, pa.string())})  # fmt: skip
    for step in compare(Config(high=high)):
        claims = step.claims(step.config, table)
        claims = with_column(claims, PIECE, pa.array(np.zeros(claims.num_rows, np.int32)))
        table = step.run(step.config, table, step.settle(step.config, claims).drop_columns([PIECE]))
    assert table.column_names == ["video_id", "shorter_side", "seconds", "picture_hash", "group_id", "duplicate_bits"]
    return dict(zip(*(table.column(name).to_pylist() for name in ("video_id", "duplicate_bits")), strict=True))


def hash_of(frames):
    info = VideoInfo(len(frames) / FPS, FPS, len(frames), frames.shape[2], frames.shape[1])
    return measure(Seen(info, frames, (slice(0, len(frames)),)))[near_duplicate.HASH]


def flipped(found: bytes, bits) -> bytes:
    pixels = np.unpackbits(np.frombuffer(found, np.uint8))
    pixels[list(bits)] ^= 1
    return np.packbits(pixels).tobytes()


def apart(one: bytes, other: bytes) -> int:
    return int(np.bitwise_count(np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8)).sum())


def test_near_duplicates_are_found_by_bits_and_the_largest_stays():
    clip = scene(8, frames=12)
    hashes = [hash_of(frames) for frames in (copied(clip, np.random.default_rng(0)), clip, scene(9, frames=12), clip)]
    found = bits_of(hashes, sides=[76, 96, 96, 96], groups=["x", "y", "z", "y"])
    assert {name for name, bits in found.items() if bits is not None and bits <= 11} == {"a", "d"}
    assert found["d"] == 0 and found["a"] == apart(hashes[0], hashes[1])
    assert hash_of(np.full((3, 32, 32, 3), 90, np.uint8)) is None


def test_videos_of_one_group_are_near_duplicates_without_a_hash():
    found = bits_of([None] * 3, seconds=[1.0, 2.0, 1.0], groups=["x", "x", None])
    assert found == {"a": 0, "b": None, "c": None}


def test_where_no_clip_is_near_another_none_is_dropped():
    other = np.random.default_rng(0)
    assert bits_of([other.bytes(BYTES) for _ in range(3)]) == {"a": None, "b": None, "c": None}
    assert bits_of([None, None]) == {"a": None, "b": None}


EIGHT = range(8)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([16 * band for band in EIGHT], [16 * (band + 4) + 1 for band in EIGHT]),  # the best and the last share no band
        (EIGHT, [16 + bit for bit in EIGHT]),  # all three share ten
        ([16 * band for band in EIGHT], [16 * band + 1 for band in EIGHT]),  # and four
    ],
)
def test_a_clip_that_goes_stands_for_no_other_whatever_bands_agree(first, second):
    a = np.random.default_rng(0).bytes(BYTES)
    b = flipped(a, first)
    c = flipped(b, second)
    assert apart(a, b) == apart(b, c) == 8 and apart(a, c) == 16
    found = bits_of([a, b, c], sides=[300, 200, 100])
    assert (found["a"], found["b"]) == (None, 8) and found["c"] in (None, 16)
    found = bits_of([a, b, c], sides=[200, 300, 100])
    assert found == {"a": 8, "b": None, "c": 8}
    assert bits_of([a, b, c], sides=[300, 200, 100], groups=["x", None, "x"])["c"] == 0
    assert bits_of([b, b, c], sides=[300, 200, 100]) == {"a": None, "b": 0, "c": 8}
