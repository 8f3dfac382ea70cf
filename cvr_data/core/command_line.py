"""The command that runs, as manifests and pages name it, and the folders it has made."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cvr_data.core.secrets_in_text import mask_secrets
from cvr_data.core.trust import naming

_MADE: ContextVar[list[Path] | None] = ContextVar("made", default=None)
_WORDS: ContextVar[Sequence[str] | None] = ContextVar("words", default=None)


def running_command() -> str:
    """Return the command of the block around, else that of the process; keys and passwords in it are masked."""
    words = _WORDS.get()
    return mask_secrets(shlex.join(["cvr", *(sys.argv[1:] if words is None else words)]))


def note_made(folder: Path) -> Path:
    """Return the folder, of which the command will remember that it has made, or found made, the artifact there."""
    made = _MADE.get()
    if made is not None:
        made.append(folder)
    return folder


@contextmanager
def command(words: Sequence[str]) -> Iterator[list[Path]]:
    """Name the words, without the program's, as the command that runs: a step of a recipe is one of its own.

    Yields the list that the folders it makes are added to.
    """
    made: list[Path] = []
    before, made_before = _WORDS.set(words), _MADE.set(made)
    try:
        with naming(words):
            yield made
    finally:
        _WORDS.reset(before)
        _MADE.reset(made_before)
