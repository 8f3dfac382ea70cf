"""One way to say a change."""

from typing import NamedTuple

from cvr_data.language.lexicon import read_lexicon
from cvr_data.modifications.realising.located import Side


class Text(NamedTuple):
    """One way to say a change; static and action texts add what is not to be seen."""

    weight: float
    words: str
    gone: str = ""
    """What "instead of" takes back, in a form that fits; empty where the text names what goes."""
    plain: str = ""
    """What "rather than" and "not" take back, where it is another form: "have the man sit rather than stand"."""


def modification_is_colour(side: Side) -> bool:
    """Whether what goes or comes is a colour."""
    return read_lexicon().may_be(side.text, "colour")
