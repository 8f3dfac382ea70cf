"""Lint: drop texts that go the wrong way or change another thing.

"replace the piano with a guitar" for guitar -> piano is the way back; "change the man to a piano" for the same change
turns the wrong object. Only texts of the form replace X with Y, change X to Y are judged.
"""

from dataclasses import dataclass

import pyarrow as pa

from cvr_data.filters._lint import Row, changes_of, drop_where
from cvr_data.generation.words import EDIT_WORDS, content_words, mentions, replaced


@dataclass(frozen=True, kw_only=True)
class Config:
    slots: tuple[str, ...] = ("object", "scene")
    """Slots where X must be what the change takes out; an attribute may also be changed through its object."""


TINY = Config()


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "wrong_direction" or "changes_something_else"."""

    def reason(row: Row) -> str | None:
        sides = replaced(row["modification"])
        changes = [change for change in changes_of(row) if change["before"] and change["after"]]
        if sides is None or not changes:
            return None
        if any(_is_backwards(change, *sides) for change in changes):
            return "wrong_direction"
        return "changes_something_else" if all(_misses(config, change, *sides) for change in changes) else None

    return drop_where(table, reason)


def _is_backwards(change: dict[str, str], old: list[str], new: list[str]) -> bool:
    before, after = change["before"], change["after"]
    return mentions(old, after) and mentions(new, before) and not mentions(new, after)


def _misses(config: Config, change: dict[str, str], old: list[str], new: list[str]) -> bool:
    if change["slot"] not in config.slots or not mentions(new, change["after"]):
        return False
    named = [word for word in content_words(old) if word not in EDIT_WORDS]
    return bool(named) and not mentions(old, change["before"])
