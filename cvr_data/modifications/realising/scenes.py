"""Constructions of where and when something is."""

from collections.abc import Iterator
from dataclasses import replace

from cvr_data.language.forms import article
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.noun_phrases import ONLY
from cvr_data.language.roles import weather_of
from cvr_data.modifications.realising.deeds import PLACES
from cvr_data.modifications.realising.located import Located, Side
from cvr_data.modifications.realising.rarer import BECOMING, BEING_SO, COMING, NAMING, PLACING, fill_modification_forms
from cvr_data.modifications.realising.text import Text, modification_is_colour

MOVED = frozenset("in on at".split())
"""Prepositions of places that something can be moved to."""
WAYS = frozenset("along through".split())
"""Those of ways that something takes: nothing is put along a road."""
AT = frozenset("dawn dusk midnight night noon sunrise sunset twilight".split())
TIME_PREPOSITIONS = ("at", "in", "during", "by")


def scene_modifications(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of another place, time, season or weather."""
    if found.axis in ("time", "season", "weather"):
        yield from _time(found, before, after)
        return
    if found.new_whole and not after.preposition and not after.is_quality:
        yield Text(5, f"make it {found.new_whole}", gone=found.old_whole)  # "a meadow sunset"
        yield Text(5, f"change to {found.new_whole}", gone=found.old_whole)
        yield Text(3, f"show {found.new_whole}", gone=found.old_whole)
        return
    if modification_is_colour(after) or after.is_quality:
        yield from _looking(before, after)
        return
    is_where = before.preposition in PLACES
    if not after.is_noun or (before.preposition != after.preposition != "" and not is_where):
        return
    told = before.phrase if before.is_noun and not before.axis else ""  # no place instead of a day, or the rain
    gone = f"the {before.text}" if told else ""
    is_bare = after.is_plural or after.is_mass or after.phrase == after.text or after.text in ONLY
    new = after.phrase if is_bare else f"{article(after.text)} {after.text}"
    if after.preposition in PLACES and before.preposition:
        yield from placing_modifications(found, after, gone)
    is_apart = is_where and after.preposition in PLACES and before.preposition != after.preposition
    if is_apart:
        return  # no garage "in" which somebody is becomes a pavement "on" which they are
    if before.is_known and before.axis == after.axis and not (is_where and before.is_mass):
        yield Text(7, f"change the {before.text} to {new}")
        yield Text(7, f"turn the {before.text} into {new}")
        yield Text(3, f"replace the {before.text} with {new}")
        yield from fill_modification_forms(NAMING, 14, told, old=f"the {before.text}", new=new)
    if before.is_plural == after.is_plural and not is_where:
        yield Text(15, f"make it {new}", gone=told)
        yield Text(5, f"turn it into {new}", gone=told)
        yield from fill_modification_forms((*BECOMING, *COMING), 16, told, new=new)
    yield Text(5, f"change to {new}", gone=told)
    if not is_where:
        yield Text(3, f"show {new}", gone=told)


def _looking(before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of how a place looks; "text" becomes no "indoor"."""
    if before.is_noun and not (modification_is_colour(before) or before.axis):
        return
    yield Text(3, f"make {'the background' if modification_is_colour(after) else 'it'} {after.text}", gone=before.text)
    if modification_is_colour(after):
        yield Text(1, f"change the background to {after.text}", gone=before.text)


def placing_modifications(found: Located, after: Side, gone: str) -> Iterator[Text]:
    """Yield the texts of where something is: "in the field", "move the cows to the field"."""
    holder, deed = found.holder, found.deed
    at = f"{after.preposition} {after.text if after.is_bare_place else after.phrase}"
    if after.is_worn:
        if holder:
            yield Text(7, f"put {holder.text} {at}", gone=gone)
            yield Text(5, f"have {holder.text} {at}", gone=gone)
        return
    old = found.before.preposition if found.before and gone else ""
    there = f"{old} {gone}" if old in PLACES and old != after.preposition else gone  # "instead of along the road"
    yield Text(10, at, gone=there)
    if deed is not None:
        yield Text(
            20,
            f"have {deed.who.text} {deed.base} {after.phrase}" if deed.who else f"{deed.base} {after.phrase}",
            gone=gone,
        )
    if not holder:
        return
    if after.preposition not in WAYS:
        yield Text(7, f"put {holder.text} {at}", gone=there)
    if after.preposition in MOVED:
        yield Text(6, f"move {holder.text} to {after.phrase}", gone=gone)
    yield Text(3, f"have {holder.text} {at}", gone=there)
    if after.preposition not in WAYS:
        yield from fill_modification_forms(PLACING, 24, there, who=holder.text, at=at)
    if holder.is_only and holder.pronoun and after.preposition not in WAYS:
        yield Text(5, f"put {holder.pronoun} {at}", gone=there)


def _at_time(side: Side) -> Side:
    """Return a time with the preposition that it takes: "at noon"."""
    return replace(side, preposition="at") if side.preposition == "in" and side.text in AT else side


def _time(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of time, season and weather: "make it winter", "at night"."""
    is_same_kind = bool(before.axis) and before.axis == after.axis
    gone = before.text if is_same_kind or not before.is_noun else before.phrase
    if " " in gone and " " not in after.text:
        gone = gone.split()[-1]  # "winter day" where only the day goes
    gone = "" if before.base or bool(before.axis) != bool(after.axis) else gone  # "sitting", "forest"
    is_thing = found.axis == "weather" and after.is_noun
    if is_thing and before.is_quality:
        gone = weather_of(before.text, read_lexicon()) or ""  # "windy"
    if not is_thing:
        what = after.phrase if " " in after.text else after.text
        yield Text(20, f"make it {what}", gone=gone)
        yield from fill_modification_forms(BEING_SO, 20, gone, what=what)
    if is_same_kind:
        yield Text(6, f"change the {before.text} to {after.text}")
        yield Text(5, f"change to {after.text}", gone=gone)
        yield Text(3, f"turn {before.text} into {after.text}")
    if found.new_whole and found.is_main:
        yield Text(5, f"make {'them' if found.is_plural else 'it'} {found.new_whole}", gone=found.old_whole)
    if after.preposition in TIME_PREPOSITIONS:
        before, after = (_at_time(side) for side in (before, after))
        gone = f"{before.preposition} {before.phrase}".strip() if before.axis else ""
        yield Text(6, f"{after.preposition} {after.phrase}", gone=gone)
        yield Text(2, f"show it {after.preposition} {after.phrase}", gone=gone)
    if is_thing:
        yield Text(1, f"show {after.text}", gone=gone)
