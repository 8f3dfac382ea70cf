"""The one exception of the project.

CvrError                 a mistake the user can fix: one line, shown without a traceback, exit code 2
├── UnreadableVideo      a media file that gives no frame (cvr_data.media.video); among many it becomes a dropped row
└── UnknownVideo         a corpus does not have a video (cvr_data.pairs.why_not); of several corpora another may
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CvrError(Exception):
    """A mistake the user can fix, told in one line: what, where, found, allowed."""


MOST_CHOICES = 100
"""Words that a message lists: all names of a registry, but not all videos of a library."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return the end of an error message: the nearest allowed words, or all of them, where they are not too many."""
    choices = sorted(allowed)
    near = get_close_matches(word, choices, n=3, cutoff=0.5)
    if near:
        return f"Did you mean: {', '.join(near)}?"
    if len(choices) > MOST_CHOICES:
        return f"There are {first_few(choices)}."
    return f"Choose from: {', '.join(choices)}." if choices else "There is none to choose from."


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or the name of its class where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def first_few(values: Iterable[object], count: int = 3) -> str:
    """Return the first values as text, with a count of the rest: `a, b, c and 4 more`."""
    listed = [str(value) for value in values]
    shown = ", ".join(listed[:count])
    return shown if len(listed) <= count else f"{shown} and {len(listed) - count} more"
