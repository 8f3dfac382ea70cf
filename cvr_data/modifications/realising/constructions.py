"""Constructions of a change by slot, as often as people use them, and the texts that come of them.

    texts_of(found)              # ["make the car blue", ...] of a located change, each with its weight
    excluding(found)             # the same with what goes taken back: "make the car blue instead of red"

Weights are counts among the 1,278 texts that people wrote for half of WebVid-CoVR's test (Ventura et al., AAAI 2024,
https://arxiv.org/abs/2308.14746); of their words nothing is here. What fits no construction is not said.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cvr_data.language.lexicon import read_lexicon
from cvr_data.modifications.realising.forms import article
from cvr_data.modifications.realising.located import CannotSay, Holder, Located, Side

PLACES = frozenset("in on at by near under over inside along through behind beside above".split())


class Text(NamedTuple):
    """One way to say a change; static and action texts add what is not to be seen."""

    weight: int
    words: str
    gone: str = ""
    """What "instead of" takes back, in a form that fits; empty where the text names what goes."""


def texts_of(found: Located) -> list[Text]:
    """Return the ways to say a change, most frequent first as people have it.

    Raises:
        CannotSay: there is none.
    """
    if found.before is None or found.after is None:
        texts = list(_one_sided(found))
    else:
        texts = list(_BY_SLOT.get(found.slot, _object)(found, found.before, found.after))
    if not texts:
        raise CannotSay("no_words")
    return texts


def excluding(found: Located) -> list[Text]:
    """Return the texts of a change that take back what goes: "instead of", "rather than", "not"."""
    texts = texts_of(found)
    if found.before is None:
        return texts
    kept = [text for text in texts if text.gone]
    return [
        text._replace(weight=text.weight * weight, words=pattern.format(text.words, text.gone))
        for text in kept
        for weight, pattern in ((3, "{} instead of {}"), (1, "{} rather than {}"), (1, "{}, not {}"))
    ]


def _one_sided(found: Located) -> Iterator[Text]:
    if found.after is not None:
        if found.slot == "attribute":
            yield from _made(found.holder, found.after, "")
        elif found.slot == "action" and found.after.base:
            yield from _done(found, found.after, "")
        elif found.slot == "scene" and found.after.preposition:
            yield Text(3, f"put it {found.after.preposition} {found.after.phrase}")
            yield Text(2, f"{found.after.preposition} {found.after.phrase}")
        elif found.slot != "action":
            yield Text(8, f"add {found.after.phrase}")
            yield Text(3, f"with {found.after.phrase}")
    elif found.before is not None and found.slot == "object":
        yield Text(3, f"remove the {found.before.text}")
        yield Text(2, f"take the {found.before.text} away")
        yield Text(1, f"without the {found.before.text}")
    elif found.before is not None and found.before.ing:
        yield Text(1, f"no longer {found.before.ing}")


def _attribute(found: Located, before: Side, after: Side) -> Iterator[Text]:
    whole = found.new_whole
    if found.axis == "count" and whole:
        yield Text(5, f"show {whole} instead of {before.text}")
        yield Text(5, f"make it {whole}", gone=before.text)
        yield Text(3, f"have {whole}", gone=before.text)
    elif after.is_noun and not whole and found.axis != "colour":
        yield from _object(found, before, after)
    elif whole and (after.is_noun or found.is_film) and found.axis != "colour":
        yield Text(12, f"make it {whole}" if not found.is_plural else f"make them {whole}", gone=found.old_whole)
        yield Text(4, f"change {found.old_whole} to {whole}")
        yield Text(4, f"turn {found.old_whole} into {whole}")
        yield Text(3, f"replace {found.old_whole} with {whole}")
        yield Text(2, f"show {whole}", gone=found.old_whole)
    else:
        yield from _made(found.holder, after, before.text)


def _made(holder: Holder | None, after: Side, gone: str) -> Iterator[Text]:
    """Yield the texts of a quality: "make the car blue", "make the man smile"."""
    what = after.text if after.is_state else after.base or after.text
    if holder is None:
        yield Text(1, f"make it {what}", gone=gone)
        return
    who = holder.text
    yield Text(28, f"make {who} {what}", gone=gone)
    if holder.is_only and holder.pronoun:
        yield Text(35, f"make {holder.pronoun} {what}", gone=gone)
    if what == after.base:
        yield Text(10, f"have {who} {what}", gone=gone)
    else:
        yield Text(5, f"turn {who} {what}" if _is_colour(after) else f"have {who} be {what}", gone=gone)
        yield Text(4, f"{who} should be {what}", gone=gone)


def _is_colour(side: Side) -> bool:
    return read_lexicon().may_be(side.text, "colour")


def _object(found: Located, before: Side, after: Side) -> Iterator[Text]:
    if found.is_number or not before.is_noun:
        yield from _number(after) if found.is_number else (Text(1, f"make it {after.phrase}", gone=before.text),)
        return
    old, new = f"the {before.text}", after.phrase
    yield Text(29, f"change {old} to {new}")
    yield Text(26, f"turn {old} into {new}")
    yield Text(26, f"replace {old} with {new}")
    if before.is_main and before.is_plural == after.is_plural:
        yield Text(30, f"make {'them' if before.is_plural else 'it'} {new}", gone=old)
    if before.is_plural == after.is_plural:
        yield Text(9, f"make {old} {new}")
    if not after.is_alive:
        yield Text(5, f"use {new}", gone=old)
    yield Text(4, f"show {new}", gone=old)


def _scene(found: Located, before: Side, after: Side) -> Iterator[Text]:
    if found.axis in ("time", "season", "weather"):
        yield from _time(found, before, after)
        return
    if _is_colour(after) or not before.is_noun:
        yield Text(1, f"make {'the background' if _is_colour(after) else 'it'} {after.text}", gone=before.text)
        return
    who = found.holder.text if found.holder else "it"
    new = after.text if after.is_plural else f"{article(after.text)} {after.text}"
    place = after.phrase if after.phrase != after.text or after.is_plural else f"the {after.text}"
    if after.preposition in PLACES and before.preposition:
        at = f"{after.preposition} {place}"
        yield Text(7, f"put {who} {at}", gone=f"the {before.text}")
        yield Text(6, at, gone=f"the {before.text}")
        if found.holder:
            yield Text(6, f"move {who} to {place}", gone=f"the {before.text}")
    yield Text(12, f"change the {before.text} to {new}")
    yield Text(11, f"turn the {before.text} into {new}")
    yield Text(6, f"make it {new}", gone=f"the {before.text}")


def _time(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of time, season and weather: "make it winter", "at night"."""
    if not (found.axis == "weather" and after.is_noun):
        yield Text(20, f"make it {after.text}", gone=before.text)
    if before.is_noun:
        yield Text(6, f"change the {before.text} to {after.text}")
        yield Text(3, f"turn the {before.text} into {after.text}")
    if after.preposition in ("at", "in", "during"):
        gone = f"{before.preposition} {before.phrase}".strip()
        yield Text(4, f"{after.preposition} {after.phrase}", gone=gone)
    yield Text(1, f"show {after.text}", gone=before.text)


def _number(after: Side) -> Iterator[Text]:
    """Yield the texts of how many: "show several cows"."""
    if after.is_plural:
        yield Text(3, f"show several {after.text}")
        yield Text(2, f"have more {after.text}")
    else:
        yield Text(1, f"show only one {after.text}")


def _action(found: Located, before: Side, after: Side) -> Iterator[Text]:
    gone = f"the {before.text}" if before.is_noun else before.text if before.is_state else before.ing
    if after.is_state:
        yield from _made(found.holder, after, gone)
    elif after.base:
        verb, _, what = before.ing.partition(" ")
        is_shared = bool(what) and after.base.endswith(f" {what}")
        yield from _done(found, after, verb if is_shared and not before.is_state else gone)
    elif after.is_noun:
        yield from _object(found, before, after)


def _done(found: Located, after: Side, gone: str) -> Iterator[Text]:
    """Yield the texts of an action: "have the dogs sleep"; of who films "close the door"."""
    if found.holder is None or after.base.split()[-1] == found.holder.text.split()[-1]:
        yield Text(2, f"show {after.ing}", gone=gone)
        if " " in after.base:
            yield Text(3, after.base, gone=gone)
        return
    who = [found.holder.text] + ([found.holder.pronoun] * 2 if found.holder.is_only else [])
    for name in filter(None, who):
        yield Text(10, f"have {name} {after.base}", gone=gone)
        yield Text(13, f"make {name} {after.base}", gone=gone)
        yield Text(3, f"let {name} {after.base}", gone=gone)
    yield Text(4, f"show {found.holder.text} {after.ing}", gone=gone)


_BY_SLOT: dict[str, Callable[[Located, Side, Side], Iterator[Text]]] = {
    "attribute": _attribute, "object": _object, "scene": _scene, "action": _action,
}  # fmt: skip
