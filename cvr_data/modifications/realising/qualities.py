"""Constructions of how something is: "make the car blue", "turn it into an oak leaf"."""

from collections.abc import Iterator
from dataclasses import replace

from cvr_data.language.closed_words import COUNTS, DETERMINING, NUMERALS
from cvr_data.language.forms import article
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.noun_phrases import CHOSEN
from cvr_data.modifications.realising.located import Located, Side
from cvr_data.modifications.realising.rarer import (
    BECOMING,
    BEING,
    BEING_SO,
    CHANGING,
    COMING,
    NAMING,
    SHOWING,
    TERSE,
    fill_modification_forms,
)
from cvr_data.modifications.realising.text import Text, modification_is_colour

COUNTED = {*COUNTS, *NUMERALS}
BEFORE_ONLY = ("al", "ic", "ary", "ese", "ian", "ish", "th", "'s", "-")
"""Ends of adjectives that stand before a noun, not after "make it": "aerial", "fifth", "child's"."""


def attribute_modifications(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of another quality or number, with its noun where it cannot stand alone."""
    old, new = found.old_whole, found.new_whole
    if old and before.is_quality and after.is_quality and found.axis != "count":
        one = "ones" if found.is_plural else "one"
        found = replace(
            found, old_one=f"{before.text} {one}" if found.is_plural else _with_a(f"{before.text} {one}", old)
        )
    if not found.is_plural and (found.axis == "count" or {before.text, after.text} & COUNTED):
        return  # "two goat", "make the dollar one"
    if found.axis == "count" and new:
        yield Text(3, f"show {new} instead of {before.text}")
        yield Text(5, f"show {new}", gone=before.text)
        yield Text(4, f"have {new}", gone=before.text)
        if found.is_main and found.is_plural:
            yield Text(2, f"make it {new}", gone=before.text)
    elif new and after.text.split()[-1] in CHOSEN:
        yield Text(5, f"use {new}", gone=old)
        yield Text(3, f"show {new}", gone=old)
        yield Text(3, f"change {old} to {new}")
    elif new and after.text.split()[-1] in DETERMINING:
        yield Text(2, f"show {new}")
        yield Text(1, f"use {new}")
    elif new and (" " in after.text or _is_before_only(found, before, after)):
        yield from whole_thing_modifications(found, old, new)
    elif found.axis != "count" and (not after.is_noun or found.axis == "colour"):
        is_told = before.is_quality and not (before.text.endswith("ing") and modification_is_colour(after))
        yield from quality_modifications(found, after, before.text if is_told or modification_is_colour(before) else "")
        if new and found.is_main:
            yield Text(9, new, gone=found.old_one or old)
            if found.place and found.place.split()[-1] not in new.split():
                yield from fill_modification_forms(SHOWING, 9, found.old_one or old, new=new, seen=found.place)
            yield from (
                text._replace(weight=text.weight / 2)
                for text in whole_thing_modifications(found, old, new)
                if text.gone
            )


def _is_before_only(found: Located, before: Side, after: Side) -> bool:
    """Whether a quality only stands before its noun: a kind ("oak leaves"), an origin, a place in a row."""
    if found.axis == "colour":
        return False
    if found.holder is not None and found.holder.text.split()[-1] == before.text:
        return True  # "carpet python"
    is_kind = after.is_noun or before.is_noun or not read_lexicon().has(after.text.split()[-1], "adj")
    return is_kind or found.is_film or after.text.endswith(BEFORE_ONLY)


def whole_thing_modifications(found: Located, old: str, new: str) -> Iterator[Text]:
    """Yield the texts of a thing with another quality: "make it an oak leaf"."""
    it, the_old = ("them" if found.is_plural else "it"), _definite(old)
    if found.is_main:
        yield Text(14, f"make {it} {new}", gone=found.old_one or old)
        yield Text(5, f"turn {it} into {new}", gone=found.old_one or old)
        yield Text(6, f"change to {new}", gone=found.old_one or old)
        yield Text(3, f"change {it} to {new}", gone=found.old_one or old)
        yield from fill_modification_forms(BECOMING, 28, found.old_one or old, new=new)
    yield from fill_modification_forms(COMING, 20, found.old_one or old, new=new)
    if old and not read_lexicon().may_be(old.split()[-1], "colour"):
        yield Text(4, f"change {the_old} to {new}")
        yield Text(4, f"turn {the_old} into {new}")
        yield Text(4, f"replace {the_old} with {new}")
        words = {"old": the_old, "new": new, "becomes": "become" if found.is_plural else "becomes"}
        yield from fill_modification_forms((*NAMING, *CHANGING), 12, found.old_one or old, **words)
        yield from fill_modification_forms(TERSE, 30, old=_bare(old), new=_bare(new))
    yield Text(4, f"show {new}", gone=found.old_one or old)
    yield Text(4, f"have {new}", gone=found.old_one or old)


def _with_a(said: str, like: str) -> str:
    """Return "a red one" as "a red onion" has an article, or the phrase that has none."""
    return f"{article(said)} {said}" if like.startswith(("a ", "an ")) else like


def _bare(phrase: str) -> str:
    words = phrase.split()
    return " ".join(words[1:] if words[:1] in (["a"], ["an"], ["the"]) else words)


def _definite(phrase: str) -> str:
    return f"the {_bare(phrase)}"


def quality_modifications(found: Located, after: Side, gone: str) -> Iterator[Text]:
    """Yield the texts of a quality: "make the car blue", "make the man smile"."""
    holder, what = found.holder, after.text if after.is_state else after.base or after.text
    if holder is None and what == after.base:
        return
    if gone and what == after.base and found.before and not found.before.base:
        gone = f"being {gone}"  # "smile instead of being serious"
    if holder is not None and not holder.is_alive and read_lexicon().has(after.text, "adj"):
        what = after.text  # "threatening clouds"
    if holder is None:
        yield Text(2, f"make it {what}", gone=gone)
        yield Text(1, f"have it {'' if what == after.base else 'be '}{what}", gone=gone)
        if what != after.base:
            yield from fill_modification_forms(BEING_SO, 2, gone, what=what)
        return
    who = holder.text
    yield Text(30, f"make {who} {what}", gone=gone)
    if holder.is_only and holder.pronoun:
        yield Text(35, f"make {holder.pronoun} {what}", gone=gone)
    if what == after.base:
        yield Text(10, f"have {who} {what}", gone=gone)
    elif modification_is_colour(after):
        yield Text(7, f"turn {who} {what}", gone=gone)
        yield Text(5, f"change {who} to {what}", gone=gone)
        yield Text(4, f"change the color of {who} to {what}", gone=gone)
    else:
        yield from fill_modification_forms(BEING, 20, gone, who=who, what=what)
