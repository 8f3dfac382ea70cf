"""Constructions of another thing: "replace the guitar with a piano", "have her play the piano"."""

from collections.abc import Iterator

from cvr_data.modifications.realising.deeds import PLACES
from cvr_data.modifications.realising.holders import Holder
from cvr_data.modifications.realising.located import Located, Side
from cvr_data.modifications.realising.qualities import quality_modifications, whole_thing_modifications
from cvr_data.modifications.realising.rarer import (
    BECOMING,
    CHANGING,
    COMING,
    NAMING,
    SHOWING,
    TERSE,
    USING,
    fill_modification_forms,
)
from cvr_data.modifications.realising.scenes import placing_modifications
from cvr_data.modifications.realising.text import Text


def object_modifications(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of another thing: "it" alone, both named, what is done with it, what it does, where it is."""
    if found.is_number:
        yield from _number(before, after)
        return
    if found.old_whole and found.new_whole:
        yield from whole_thing_modifications(found, found.old_whole, found.new_whole)  # "soccer" of "a soccer game"
        return
    if after.is_quality and not found.is_film:
        yield from quality_modifications(found, after, before.text if before.is_quality else "")
    if not after.is_noun or after.text.endswith("'s") or _is_elsewhere(before, after):
        return
    if found.new_whole and before.is_doing:
        return  # "fruit salad" where salad is washed
    new, gone = after.phrase, before.phrase if before.is_noun and not before.is_doing else ""
    is_alike = before.is_plural == after.is_plural
    is_done = found.deed is not None and found.is_done_to
    if before.is_noun and before.is_main and is_alike and not (is_done and found.is_apart):
        it = "them" if before.is_plural else "it"
        yield Text(62, f"make {it} {new}", gone=gone)
        if not found.is_done_to:
            yield Text(20, f"turn {it} into {new}", gone=gone)
        yield Text(8, f"change {it} to {new}", gone=gone)
        yield Text(16, f"change to {new}", gone=gone)
        yield Text(4, f"replace with {new}")
        if not found.is_done_to:
            yield from fill_modification_forms(BECOMING, 50, gone, new=new)
    if not found.is_done_to or is_alike:
        yield from fill_modification_forms(COMING, 60, gone, new=new)
    yield from _replaced(found, before, after)
    if found.holder and before.preposition == after.preposition != "" and after.preposition in PLACES:
        yield from placing_modifications(found, after, gone)
    yield from _handled(found, after, gone)


def _replaced(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts that name both things: "replace the guitar with a piano"."""
    if not before.is_known or before.text.endswith("'s"):
        return
    old, new = f"the {before.text}", after.phrase
    yield Text(27, f"change {old} to {new}")
    if not found.is_done_to:
        yield Text(20, f"turn {old} into {new}")
    yield Text(17, f"replace {old} with {new}")
    yield from fill_modification_forms(NAMING, 40, before.phrase, old=old, new=new)
    yield from fill_modification_forms(TERSE, 160, old=before.text, new=after.text)
    if not found.is_done_to:
        becomes = "become" if before.is_plural else "becomes"
        yield from fill_modification_forms(CHANGING, 14, before.phrase, old=old, new=new, becomes=becomes)
    is_other = set(before.text.split()).isdisjoint(after.text.split())
    is_counted = new.startswith(("a ", "an ")) == before.phrase.startswith(("a ", "an ")) and new != after.text
    if before.is_plural == after.is_plural and is_other and is_counted and not found.is_done_to:
        yield Text(7, f"make {old} {new}")


def _is_elsewhere(before: Side, after: Side) -> bool:
    """Whether one thing is with or about what is done, and the other is not so: "in a studio", "with two people"."""
    return bool(before.preposition) and before.preposition != after.preposition and before.axis == after.axis == ""


def _handled(found: Located, after: Side, gone: str) -> Iterator[Text]:
    """Yield the texts of a thing that somebody does something with, or who does something: "have him play a piano"."""
    new, deed = after.phrase, found.deed
    if deed is not None and deed.who is None:
        yield Text(40, f"{deed.base} {new}", gone=gone)
        yield Text(10, f"{deed.base} {new} instead")
    elif deed is not None and deed.who is not None:
        for name in names_in_modification(deed.who):
            yield Text(24, f"have {name} {deed.base} {new}", gone=gone)
            yield Text(14, f"make {name} {deed.base} {new}", gone=gone)
    if found.does.base and after.is_alive:
        yield Text(34, f"have {new} {found.does.base}")
        yield Text(24, f"show {new} {found.does.ing}")
        yield from fill_modification_forms(SHOWING, 90, gone, new=new, seen=found.does.ing)
    if found.place and found.before and found.before.is_main and not found.is_done_to:
        yield Text(18, f"put {new} {found.place}", gone=gone)
        yield Text(14, f"have {new} {found.place}", gone=gone)
        yield from fill_modification_forms(SHOWING, 60, gone, new=new, seen=found.place)
    if after.is_handled and deed is not None:
        yield Text(2, f"use {new}", gone=gone)
    elif after.is_handled and not found.does.base:
        yield from fill_modification_forms(USING, 12, gone, new=new)
    yield Text(4, f"show {new}", gone=gone)
    if new != after.text or after.is_plural:
        yield Text(5, f"have {new}", gone=gone)  # not "have kidney cancer"


def _number(before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of how many: "show several cows"."""
    if " " in before.text or " " in after.text:
        yield Text(1, f"show {after.phrase}", gone=before.phrase)  # "several games"
    elif after.is_plural:
        yield Text(3, f"show several {after.text}", gone=f"one {before.text}")
        yield Text(3, f"have more {after.text}", gone=f"one {before.text}")
        yield Text(2, f"add more {after.text}")
    else:
        yield Text(2, f"show only one {after.text}", gone=f"several {before.text}")
        yield Text(1, f"have just one {after.text}", gone=f"several {before.text}")


def names_in_modification(holder: Holder) -> list[str]:
    """Return a name and the pronoun that can mean nothing else."""
    return [holder.text, holder.pronoun] if holder.is_only and holder.pronoun else [holder.text]
