"""soundness: packets of a whole film are sound; those that no decoder takes are seen without one."""

import av
import pytest

from cvr_data.media.listing import packet_check
from tests.odd_media import drawn, write_film


@pytest.fixture(params=["libx264", "libx265"])
def packets(request, tmp_path):
    """The check of a film's stream, and its packets."""
    path = write_film(tmp_path / "film.mp4", drawn(6), codec=request.param)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        check = packet_check(stream.codec_context)
        return check, [bytearray(bytes(packet)) for packet in container.demux(stream) if packet.size]


def test_packets_of_a_whole_film_are_sound(packets):
    check, found = packets
    assert len(found) == 6 and all(check(memoryview(packet)) for packet in found)


def test_a_bit_that_no_encoder_sets_is_seen(packets):
    check, found = packets
    found[-1][4] ^= 0x80
    assert not check(memoryview(found[-1]))


def test_a_packet_without_a_picture_is_seen(packets):
    check, found = packets
    beside = b"\0\0\0\2" + bytes([39 << 1, 1])  # what is told beside a picture; of H.264 type 14, a prefix
    assert not check(memoryview(beside))
    assert check(memoryview(beside + bytes(found[-1])))


@pytest.mark.parametrize("harm", ["longer", "empty unit"])
def test_units_that_do_not_follow_each_other_are_seen(packets, harm):
    check, found = packets
    found[-1][:4] = bytes(4) if harm == "empty unit" else (len(found[-1])).to_bytes(4, "big")
    assert not check(memoryview(found[-1]))
