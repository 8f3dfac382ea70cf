"""The gate between a name and code: what lies outside cvr is imported only where the user named it.

Command lines, and the recipes, prompts and component files that they name, are code. Everything else is data:
manifests, results, tables, weights. A name that a file holds leads to a file of cvr, or it is refused until the user
writes it too:

    cvr bench -m sum -e embeddings                                   # made by a private encoder: refused
    cvr --trust my_package.models:load bench -m sum -e embeddings    # named again: imported

Python that calls cvr names what it trusts with `naming`. docs/threat-model.md says what is allowed and why.
"""

import importlib
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from cvr_data.core.errors import CvrError

_NAMED: ContextVar[frozenset[str]] = ContextVar("named", default=frozenset())
_IS_STORED: ContextVar[bool] = ContextVar("is_stored", default=False)
OUTSIDE = "outside"
"""Metadata of a field whose value leads out of cvr: to code, a server or a secret."""


def words_of_trusted_code() -> frozenset[str]:
    """Return all words that the user wrote; a process that works for this one is given them."""
    return _NAMED.get()


@contextmanager
def naming(words: Iterable[str]) -> Iterator[None]:
    """Take these words of a command line, and the values and parts of options in them, as named by the user."""
    before = _NAMED.set(_NAMED.get() | {part for word in words for part in _parts_of_word(word)})
    try:
        yield
    finally:
        _NAMED.reset(before)


def keep_named(words: frozenset[str]) -> None:
    """Take the words of the process that started this one as named."""
    _NAMED.set(words)


def trust_code_also(names: Iterable[str], of: str) -> None:
    """Take what a file of the user's, such as a prompt, names as named, if the user named that file."""
    if any(Path(word) == Path(of) for word in _NAMED.get()):
        _NAMED.set(_NAMED.get() | set(names))


@contextmanager
def stored() -> Iterator[None]:
    """Read the options of this block as those of a file: a field marked `OUTSIDE` holds its default or a named word."""
    before = _IS_STORED.set(True)
    try:
        yield
    finally:
        _IS_STORED.reset(before)


def is_stored() -> bool:
    """Return whether the options that are read come from a file."""
    return _IS_STORED.get()


def require_named(name: str, what: str) -> None:
    """Refuse a name that no word of the user is. Raises CvrError: it comes from a file alone."""
    if name not in _NAMED.get():
        raise CvrError(
            f"{what} {name!r} is no part of cvr and was named by a file, not by you: data may not choose what runs. "
            f"If you know it, name it: cvr --trust {shlex.quote(name)} COMMAND ..."
        )


def import_named(name: str, what: str) -> ModuleType:
    """Return a module of anywhere, also of the current folder, which the user named.

    The folder is looked in last and for this import only: a file in it stands in for no library.

    Raises:
        CvrError: it comes from a file alone.
        ImportError: there is none.
    """
    require_named(name, what)
    before = sys.path
    sys.path = [*before, str(Path.cwd())]
    try:
        return importlib.import_module(name.partition(":")[0])
    finally:
        sys.path = before


def _parts_of_word(word: str) -> Iterator[str]:
    """The word, the value of an option in it, and the parts of a list: `-ofirst=a.b,c` names `a.b` and `c`."""
    yield word
    if word.startswith("-"):
        yield word[2:]
    if word.startswith("+"):  # a filter beside the default ones
        yield from _parts_of_word(word[1:])
    for piece in (word, *re.split("[,;=]", word), *re.split("[,;]", word)):
        yield piece
        yield piece.partition(":")[0]
        while "=" in piece:
            piece = piece.partition("=")[2]
            yield piece
