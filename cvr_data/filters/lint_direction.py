"""Lint: drop texts that go the wrong way or change another thing.

For guitar -> piano, "replace the piano with a guitar" is the way back, "change the man to a piano" turns the wrong
object, and "play the guitar on a piano" keeps both. For a quality or an action, the text must not give it to something
of another phrase of the caption: of "a red ball falls on a road", red -> blue and falls -> spins are the ball's.
"""

from dataclasses import dataclass

import pyarrow as pa

from cvr_data.filters._lint import LintRow, drop_linted_where, linted_changes
from cvr_data.language.edits import phrases_of, replaced, split_negated
from cvr_data.language.stop_words import EDIT_WORDS
from cvr_data.language.words import content_words, has_word, mentions, words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    things: tuple[str, ...] = ("object", "scene")
    """Slots where a thing takes another's place."""
    traits: tuple[str, ...] = ("attribute", "action")
    """Slots where a thing stays and only looks or acts otherwise."""


_JOINING = EDIT_WORDS | frozenset("a an the some be is are as and then but it".split())
"""What may stand between the old and the new thing: "make the girl a boy", but not "play the guitar on a piano"."""

EXAMPLE = [
    {"modification": "replace blue with red", "drop_reason": "wrong_direction"},
    {
        "reference_caption": "a red ball rolls on a road",
        "target_caption": "a blue ball rolls on a road",
        "modification": "make the road blue",
        "drop_reason": "changes_something_else",
    },
    {"modification": "replace red with blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "wrong_direction" or "changes_something_else"."""

    def reason(row: LintRow) -> str | None:
        changes = [change for change in linted_changes(row) if change["before"] and change["after"]]
        sides = replaced(row["modification"])
        if sides is not None and any(_is_backwards(change, *sides) for change in changes):
            return "wrong_direction"
        for change in changes:
            if change["slot"] in config.things and _changes_another_thing(change, row["modification"]):
                return "changes_something_else"
            if change["slot"] in config.traits and _changes_another_phrase(change, row):
                return "changes_something_else"
        return None

    return drop_linted_where(table, reason)


def _is_backwards(change: dict[str, str], old: list[str], new: list[str]) -> bool:
    before, after = change["before"], change["after"]
    return mentions(old, after) and mentions(new, before) and not mentions(new, after)


def _changes_another_thing(change: dict[str, str], text: str) -> bool:
    before, after = change["before"], change["after"]
    sides = replaced(text)
    if sides is not None and mentions(sides[1], after):
        named = [word for word in content_words(sides[0]) if word not in EDIT_WORDS]
        return bool(named) and not mentions(sides[0], before)
    affirmed = split_negated(text).affirmed
    if not (mentions(affirmed, before) and mentions(affirmed, after)):
        return False
    changed = words_of(f"{before} {after}")
    places = [place for place, word in enumerate(affirmed) if has_word(changed, word)]
    between = [word for word in affirmed[places[0] : places[-1]] if not has_word(changed, word)]
    return any(word not in _JOINING for word in between)


def _changes_another_phrase(change: dict[str, str], row: LintRow) -> bool:
    phrases = phrases_of(row["reference_caption"])
    changed = words_of(f"{change['before']} {change['after']}")
    own = _others([word for phrase in phrases if mentions(phrase, change["before"]) for word in phrase], changed)
    elsewhere = [word for phrase in phrases for word in _others(phrase, changed) if word not in own]
    named = _others(split_negated(row["modification"]).affirmed, changed)
    if not own:  # "at night" is of the whole caption
        return False
    return any(has_word(elsewhere, word) for word in named) and not any(has_word(own, word) for word in named)


def _others(words: list[str], changed: list[str]) -> list[str]:
    return [word for word in content_words(words) if not has_word(changed, word)]
