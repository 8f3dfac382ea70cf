"""Recordings and times of clips, as ids, addresses and columns tell them."""

import csv

import pyarrow as pa
import pytest

from cvr_data.videos.recordings import recording_times_in_id, video_recording_segments


def found(**columns):
    table = pa.table({name: pa.array([value]) for name, value in columns.items()})
    return tuple(video_recording_segments(table).to_pylist()[0].values())


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"video_id": "Ptf_2VRj-V0_000122_000132"}, ("Ptf_2VRj-V0", 122.0, 132.0)),
        ({"video_id": "-4wsuPCjDBc_5_15"}, ("-4wsuPCjDBc", 5.0, 15.0)),
        ({"video_id": "scene_1_5"}, (None, None, None)),
        ({"video_id": "v", "url": "https://www.youtube.com/watch?v=9lZi22qLlEo&t=30s"}, ("9lZi22qLlEo", 30.0, None)),
        ({"video_id": "v", "url": "https://www.youtube.com/watch?a=b&v=9lZi22qLlEo&start=3.5&end=9"},
         ("9lZi22qLlEo", 3.5, 9.0)),
        ({"video_id": "v", "url": "https://youtu.be/9lZi22qLlEo?t=8"}, ("9lZi22qLlEo", 8.0, None)),
        ({"video_id": "v", "url": "https://example.org/a.mp4"}, ("https://example.org/a.mp4", None, None)),
        ({"video_id": "v", "path": "/a.mp4", "start_s": 4, "end_s": 6.5}, ("/a.mp4", 4.0, 6.5)),
        ({"video_id": "-4wsuPCjDBc_5_15", "start_s": 7.0, "end_s": None}, ("-4wsuPCjDBc", 7.0, 15.0)),
        ({"video_id": "v_qPjmqPAPRNs_0.3_20"}, ("v_qPjmqPAPRNs", 0.3, 20.0)),
        ({"video_id": "d1d1b6da-e7f8-48e7-9ee4-d8382582695a_971_980"},
         ("d1d1b6da-e7f8-48e7-9ee4-d8382582695a", 971.0, 980.0)),
        ({"video_id": "002c3b5c-ed86-4af3-99a1-4b497b7c8a86_2446-454_2454-454"},
         ("002c3b5c-ed86-4af3-99a1-4b497b7c8a86", 2446.454, 2454.454)),
        ({"video_id": "-4wsuPCjDBc_5_15", "recording_id": "tape"}, ("tape", 5.0, 15.0)),
        ({"video_id": "P01_01_0", "recording_id": "P01_01", "path": "/cut.mp4", "recording_start_s": 1.5,
          "recording_end_s": 3.0}, ("P01_01", 1.5, 3.0)),
    ],
)  # fmt: skip
def test_a_clip_is_placed_in_its_recording(columns, expected):
    assert found(**columns) == expected


def test_an_id_tells_the_same_times_alone():
    uid = "002c3b5c-ed86-4af3-99a1-4b497b7c8a86"
    assert [recording_times_in_id(name) for name in (f"{uid}_971_980", f"{uid}_7-25_9", "scene_1_5")] == [
        (971, 980), (7.25, 9), (None, None),
    ]  # fmt: skip


def test_every_clip_of_egocvr_has_times(real_data):
    path = real_data / "egocvr" / "annotation" / "egocvr" / "egocvr_data.csv"
    if not path.is_file():
        pytest.skip("EgoCVR's list of clips is not at hand")
    with path.open(encoding="utf-8", newline="") as file:
        names = {row["clip_name"] for row in csv.DictReader(file)}
    times = [recording_times_in_id(name) for name in names]
    assert len(times) == 10_666 and all(start is not None and 0 < end - start < 20 for start, end in times)
