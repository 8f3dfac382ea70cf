"""Renders HTML pages that need nothing beside themselves: style, script, drawings and clips are inside.

made = page_environment()
show_clips_on_page(made, clips, captions)
page = page_with_clips(made.get_template("stats.html.j2").render(page=page), clips)
"""

import json
from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import write_bytes
from cvr_data.pages.clips import ClipShelf

TEMPLATES = Path(__file__).parent / "templates"
CLIP_BYTES = 12 << 20
"""Of the clips that lists behind numbers add to a page; beyond, triplets are shown by their captions."""
CLIPS_PLACE = "__CLIPS__"
"""Where a template wants the clips; what comes after it must not hold the word."""


def page_environment(*folders: Path, autoescape: bool = True) -> jinja2.Environment:
    """Return what renders the templates in the folders and those that all pages share."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(drawn=Markup)
    return made


def show_clips_on_page(made: jinja2.Environment, clips: ClipShelf, captions: Mapping[str, str]) -> None:
    """Let the templates show clips (`parts.html.j2`) under their captions."""
    made.globals.update(clip_of=clips.has, ratio_of=clips.ratios.get, is_full=clips.is_full)
    made.globals.update(hold_few_more=lambda: clips.hold_few_more(CLIP_BYTES))
    made.globals.update(caption_of=lambda video_id: captions.get(video_id, ""))


def page_with_clips(body: str, clips: ClipShelf) -> str:
    """Return a rendered page with the clips it asked for: known only by now, and too long for the template."""
    content = json.dumps(clips.uris, separators=(",", ":")).replace("<", "\\u003c")
    before, _, after = body.rpartition(CLIPS_PLACE)
    return before + content + after


def write_page(content: str, out: Path, option: str = "--out") -> None:
    """Write the page, whole or not at all. Raises CvrError: `out` is a folder."""
    if out.is_dir():
        raise CvrError(f"{out} is a folder; {option} is the file to write, such as {out / 'report.html'}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, content.encode())
