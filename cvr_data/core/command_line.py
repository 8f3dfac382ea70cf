"""The command that runs, as manifests and pages name it."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from cvr_data.core.secrets_in_text import masked
from cvr_data.core.trust import naming

_WORDS: ContextVar[Sequence[str] | None] = ContextVar("words", default=None)


def running_command() -> str:
    """Return the command of the block around, else that of the process; keys and passwords in it are masked."""
    words = _WORDS.get()
    return masked(shlex.join(["cvr", *(sys.argv[1:] if words is None else words)]))


@contextmanager
def command(words: Sequence[str]) -> Iterator[None]:
    """Name the words, without the program's, as the command that runs: a step of a recipe is one of its own."""
    before = _WORDS.set(words)
    try:
        with naming(words):
            yield
    finally:
        _WORDS.reset(before)
