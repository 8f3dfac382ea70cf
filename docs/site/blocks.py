"""The commands that a page shows to be typed, in order: what its tests run, and what makes its figures."""

import re
import shlex
from pathlib import Path

OWN_FILES = re.compile(r"import (table|folder|recordings|webvid) ")
"""How a line begins that reads files which only its reader has."""


def typed_commands(page: Path) -> list[list[str]]:
    """Return the words of each line that begins with `$ cvr`, without `cvr`, those on own files left out."""
    lines = re.findall(r"^    \$ cvr (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines if not OWN_FILES.match(line)]
