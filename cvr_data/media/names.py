"""Finds the file that a table names: names are written in several ways, and people leave endings out.

A name means the file of that very name. If there is none, it means the one whose name differs in its Unicode form
(NFC, NFD), in entities (`&amp;`), in the percent signs of an address (`%20`), or in the case or the lack of its ending;
never one whose own letters differ in case, as ids do.
"""

import html
import unicodedata
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from cvr_data.core.places import is_remote
from cvr_data.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES
SEARCHED = 20_000
"""Names among which one that looks alike is searched for."""


def is_media_file(path: Path) -> bool:
    """Return whether a path leads to a file; one that no system takes leads to none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def media_exists(path: Path) -> bool:
    """Return whether a path leads to anything but a folder; a loop of links leads nowhere."""
    try:
        return path.exists() and not path.is_dir()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def find_media_file(path: Path) -> Path:
    """Return the file that a path means; the path itself where there is none, or several."""
    if is_remote(path) or is_media_file(path):
        return path
    folder = path.parent if path.parent.is_dir() else _found_folder(path.parent)
    names = _media_names(folder)
    alike = names.get(_media_name_key(path.name), ())
    if not alike:
        ends = sorted(SUFFIXES)
        alike = next((found for end in ends if (found := names.get(_media_name_key(path.name + end)))), ())
    return folder / alike[0] if len(alike) == 1 else path


def what_medium_is_there(path: Path) -> str:
    """Return the end of a line about a file that is missing: what lies in its place."""
    if is_remote(path):
        return ""
    names = _media_names(path.parent)
    if not names:
        return "" if path.parent.is_dir() else f"; there is no folder {path.parent}"
    alike = list(names.get(_media_name_key(path.name), ()))
    if not alike:
        stem = _media_name_key(path.name).removesuffix(path.suffix.lower())
        alike = [name for end in sorted(SUFFIXES) for name in names.get(stem + end, ())]
    if not alike and len(names) <= SEARCHED:
        folded = {key.casefold(): found[0] for key, found in names.items()}
        alike = [
            folded[key] for key in get_close_matches(_media_name_key(path.name).casefold(), folded, n=1, cutoff=0.8)
        ]
    others = [repr(name) for name in alike if name != path.name]
    return f"; there is {', '.join(others[:3])}" if others else ""


def _found_folder(folder: Path) -> Path:
    """The folder that is meant, where only the Unicode form of its name differs."""
    alike = _media_names(folder.parent).get(_media_name_key(folder.name), ())
    return folder.parent / alike[0] if len(alike) == 1 else folder


def _media_names(folder: Path) -> dict[str, list[str]]:
    """What lies in a folder, by the form that names are compared in."""
    try:
        return _names_then(folder, folder.stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=256)
def _names_then(folder: Path, changed_ns: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        found.setdefault(_media_name_key(path.name), []).append(path.name)
    return found


def normalised_media_name(name: str) -> str:
    """Return a name in the form that names are compared in: composed, and decoded where a page or an address has it."""
    name = html.unescape(name)
    try:
        name = unquote(name, errors="strict")
    except UnicodeDecodeError:  # percent signs that are the name's own
        pass
    return unicodedata.normalize("NFC", name)


def _media_name_key(name: str) -> str:
    plain = normalised_media_name(name)
    stem, dot, ending = plain.rpartition(".")
    return f"{stem}.{ending.lower()}" if dot and f".{ending.lower()}" in SUFFIXES else plain
