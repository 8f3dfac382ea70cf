"""Which recording a clip was cut from, and where: told by columns, by an id with times, or by an address.

An id such as `Ptf_2VRj-V0_000122_000132` (VATEX, Kinetics), `-4wsuPCjDBc_5_15` (MSVD), `v_qPjmqPAPRNs_0.3_20`
(ActivityNet's segments) or `d1d1b6da-e7f8-48e7-9ee4-d8382582695a_971_980-5` (EgoCVR, whose decimal point is a dash)
is a recording's id and two times in seconds. What the columns of the videos say wins; without any of it, clips of one
address or path are clips of one recording.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

_TIME = r"\d+(?:\.\d+)?"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DASHED = r"\d+(?:[.-]\d+)?"
_ID = rf"^(?P<recording>(?:v_)?[A-Za-z0-9_-]{{11}}|{_UUID})_(?P<start>{_DASHED})_(?P<end>{_DASHED})$"
_ADDRESS = r"(?:youtube\.com/(?:watch\?(?:.*&)?v=|embed/|shorts/|v/)|youtu\.be/)(?P<recording>[A-Za-z0-9_-]{11})"
_START = rf"[?&#](?:t|start)=(?P<start>{_TIME})s?(?:&|$)"
_END = rf"[?&#]end=(?P<end>{_TIME})s?(?:&|$)"


def video_recording_segments(videos: pa.Table) -> pa.Table:
    """Return `recording`, `start_s` and `end_s` of each video; null where nothing tells."""
    ids = videos.column("video_id")
    urls = _recording_column(videos, "url", pa.string())
    by_id = pc.extract_regex(ids, _ID)
    recording = pc.coalesce(
        _recording_column(videos, "recording_id", pa.string()),
        pc.struct_field(by_id, "recording"),
        pc.struct_field(pc.extract_regex(urls, _ADDRESS), "recording"),
        urls,
        _recording_column(videos, "path", pa.string()),
    )
    times = {
        name: pc.coalesce(
            _recording_column(videos, f"{name}_s", pa.float64()),
            _recording_column(videos, f"recording_{name}_s", pa.float64()),
            pc.replace_substring(pc.struct_field(by_id, name), "-", ".").cast(pa.float64()),
            pc.struct_field(pc.extract_regex(urls, pattern), name).cast(pa.float64()),
        )
        for name, pattern in (("start", _START), ("end", _END))
    }
    return pa.table({"recording": recording, **{f"{name}_s": values for name, values in times.items()}})


def recording_times_in_id(video_id: str) -> tuple[float | None, float | None]:
    """Return the start and end that an id ends in, in seconds; None where it has none."""
    found = re.search(_ID, video_id)
    if found is None:
        return None, None
    start, end = (float(found[name].replace("-", ".")) for name in ("start", "end"))
    return start, end


def youtube_video_id(url: str | None) -> str | None:
    """Return the id of the video that an address of YouTube leads to; None where it is no such address."""
    found = re.search(_ADDRESS, url or "")
    return found["recording"] if found else None


def _recording_column(videos: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if name in videos.column_names:
        return videos.column(name).cast(kind)
    return pa.chunked_array([pa.nulls(videos.num_rows, kind)])
