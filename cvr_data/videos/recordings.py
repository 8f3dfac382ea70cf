"""Which recording a clip was cut from, and where: told by columns, by a YouTube address, or by an id with times.

An id such as `Ptf_2VRj-V0_000122_000132` (VATEX, Kinetics) or `-4wsuPCjDBc_5_15` (MSVD) is 11 characters of YouTube's
and two times in seconds. Columns `start_s` and `end_s` of the videos win over what an address or id says; without a
YouTube id, clips of one address or path are clips of one recording.
"""

import pyarrow as pa
import pyarrow.compute as pc

_ID = r"^(?P<recording>[A-Za-z0-9_-]{11})_(?P<start>\d+(?:\.\d+)?)_(?P<end>\d+(?:\.\d+)?)$"
_ADDRESS = r"(?:youtube\.com/(?:watch\?(?:.*&)?v=|embed/|shorts/|v/)|youtu\.be/)(?P<recording>[A-Za-z0-9_-]{11})"
_START = r"[?&#](?:t|start)=(?P<start>\d+(?:\.\d+)?)s?(?:&|$)"
_END = r"[?&#]end=(?P<end>\d+(?:\.\d+)?)s?(?:&|$)"


def segments(videos: pa.Table) -> pa.Table:
    """Return `recording`, `start_s` and `end_s` of each video; null where nothing tells."""
    ids = videos.column("video_id")
    urls = _column(videos, "url", pa.string())
    by_id = pc.extract_regex(ids, _ID)
    recording = pc.coalesce(
        pc.struct_field(by_id, "recording"),
        pc.struct_field(pc.extract_regex(urls, _ADDRESS), "recording"),
        urls,
        _column(videos, "path", pa.string()),
    )
    start = pc.coalesce(pc.struct_field(by_id, "start"), pc.struct_field(pc.extract_regex(urls, _START), "start"))
    end = pc.coalesce(pc.struct_field(by_id, "end"), pc.struct_field(pc.extract_regex(urls, _END), "end"))
    return pa.table(
        {
            "recording": recording,
            "start_s": pc.coalesce(_column(videos, "start_s", pa.float64()), start.cast(pa.float64())),
            "end_s": pc.coalesce(_column(videos, "end_s", pa.float64()), end.cast(pa.float64())),
        }
    )


def _column(videos: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if name in videos.column_names:
        return videos.column(name).cast(kind)
    return pa.chunked_array([pa.nulls(videos.num_rows, kind)])
