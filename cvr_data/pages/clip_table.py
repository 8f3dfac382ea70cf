"""A frame of videos, pairs, texts or triplets as a table in which its clips play, for a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.frames import FOLDER
from cvr_data.core.lineage import follow
from cvr_data.media.clip import Clip
from cvr_data.media.places import clips_of
from cvr_data.pages.clips import ClipShelf

if TYPE_CHECKING:
    from pandas import DataFrame

IDS = ("video_id", "reference_id", "target_id")
TEXTS = (
    "caption", "captions", "reference_caption", "modification", "target_caption", "style", "status", "reasons", "split",
    "score",
)  # fmt: skip
"""Columns that people read; others are left to the frame."""
STYLE = (
    "<style>.cvr-clips td{vertical-align:top;text-align:left;max-width:22em}"
    ".cvr-clips video{width:160px;border-radius:4px}</style>"
)


@dataclass(frozen=True)
class ClipTable:
    """Rows with their clips; notebooks show it by `_repr_html_`."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def html_clip_table(frame: "DataFrame", count: int = 20, columns: Sequence[str] = ()) -> ClipTable:
    """Return the first rows of a frame with the clips of its videos, where their files can be read.

    Args:
        frame: of this package, or one with the ids of its videos and their `path`.
        count: of rows.
        columns: to show beside the clips; by default those that people read.
    """
    rows = frame.head(count)
    ids = [name for name in IDS if name in rows.columns]
    texts = [name for name in (columns or TEXTS) if name in rows.columns]
    shelf = ClipShelf(_clips(frame))
    head = "".join(f"<th>{escape(name)}</th>" for name in (*(name.removesuffix("_id") for name in ids), *texts))
    body = "".join(
        f"<tr>{''.join(_clip(shelf, str(row[name])) for name in ids)}"
        f"{''.join(f'<td>{escape(_said(row[name]))}</td>' for name in texts)}</tr>"
        for row in rows.to_dict("records")
    )
    more = f"<p>{len(frame) - len(rows)} more rows</p>" if len(frame) > len(rows) else ""
    return ClipTable(f'{STYLE}<table class="cvr-clips"><tr>{head}</tr>{body}</table>{more}')


def _clips(frame: "DataFrame") -> dict[str, Clip]:
    """The clips of the videos behind a frame."""
    folder = frame.attrs.get(FOLDER)
    if folder is None or not Path(folder).is_dir():
        return {}
    is_of_videos = {"video_id", "path"} <= set(frame.columns)
    clips: dict[str, Clip] = {}
    for path in (Path(folder),) if is_of_videos else follow(Path(folder), "videos") or (Path(folder),):
        clips |= clips_of(open_artifact(path).read(), path)
    return clips


def _clip(shelf: ClipShelf, video_id: str) -> str:
    if not shelf.has(video_id):
        return f"<td>{escape(video_id)}</td>"
    label = escape(video_id, quote=True)
    return (
        f'<td><video src="{shelf.uris[video_id]}" muted loop autoplay playsinline controls '
        f'aria-label="{label}"></video><br>{label}</td>'
    )


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return ", ".join(map(str, value)) if not isinstance(value, str) and hasattr(value, "__len__") else str(value)
