"""Constructions of a change by slot, as often as people use them, and the texts that come of them.

    texts_of(found)              # ["make the car blue", ...] of a located change, each with its weight
    excluding(found)             # the same with what goes taken back: "make the car blue instead of red"

Weights are counts among the 1,278 texts that people wrote for half of WebVid-CoVR's test (Ventura et al., AAAI 2024,
https://arxiv.org/abs/2308.14746); of their words nothing is here. Half of those texts are said in no way that comes
twice, most of them with other words of the caption ("have a fox run in the snow"): constructions that take such words
stand for them. What fits no construction is not said.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from cvr_data.language.closed_words import COUNTS, DETERMINING, NUMERALS
from cvr_data.language.lexicon import WITH_THING, read_lexicon
from cvr_data.language.stop_words import SMALL_WORDS
from cvr_data.modifications.realising.deeds import PLACES
from cvr_data.modifications.realising.forms import article
from cvr_data.modifications.realising.located import Holder, Located, Side
from cvr_data.modifications.realising.phrases import CHOSEN
from cvr_data.modifications.realising.refused import CannotSay
from cvr_data.modifications.realising.scenes import placed, scene_texts
from cvr_data.modifications.realising.text import Text, is_colour

MOTION = 38
"""WordNet's file of verbs of motion."""
COUNTED = {*COUNTS, *NUMERALS}
HANGING = (" with", " towards", " toward", " of", " to", " at", " into", " onto", " from", " for", " sit on",
    " walk on", " sitting on", " walking on", " use", " a", " an", " the")  # fmt: skip
"""Ends of what lacks its own."""
BEFORE_ONLY = ("al", "ic", "ary", "ese", "ian", "ish", "th", "'s", "-")
"""Ends of adjectives that stand before a noun, not after "make it": "aerial", "fifth", "child's"."""


def texts_of(found: Located) -> list[Text]:
    """Return the ways to say a change; a bare "have a laptop" where there is no other.

    Raises:
        CannotSay: there is none.
    """
    texts = _all_of(found)
    told = [text for text in texts if found.after is None or text.words != f"have {found.after.phrase}"]
    return told or texts


def _all_of(found: Located) -> list[Text]:
    if found.before is None or found.after is None:
        texts = list(_one_sided(found))
    else:
        texts = list(_BY_SLOT.get(found.slot, _object)(found, found.before, found.after))
    texts = [text for text in texts if not text.words.endswith(HANGING)]
    if not texts:
        raise CannotSay("no_words")
    return texts


def excluding(found: Located) -> list[Text]:
    """Return the texts of a change that take back what goes: "instead of", "rather than", "not"."""
    texts = _all_of(found)
    if found.before is None:
        return texts
    said = []
    for text in texts:
        if text.gone:
            plain = text.plain or text.gone
            said.append(text._replace(weight=text.weight * 3, words=f"{text.words} instead of {text.gone}"))
            said.append(text._replace(words=f"{text.words} rather than {plain}"))
            said.append(text._replace(words=f"{text.words}, not {plain}"))
    return said


def _one_sided(found: Located) -> Iterator[Text]:
    before, after = found.before, found.after
    if after is not None:
        if found.slot == "attribute":
            yield from _made(found, after, "")
        elif found.slot == "action" and after.base:
            yield from _done(found, after)
        elif found.slot == "scene" and after.preposition:
            yield Text(3, f"put it {after.preposition} {after.phrase}")
            yield Text(2, f"{after.preposition} {after.phrase}")
        elif found.slot != "action":
            yield Text(8, f"add {after.phrase}")
            yield Text(3, f"with {after.phrase}")
    elif before is not None and found.slot == "object":
        yield Text(3, f"remove the {before.text}")
        yield Text(2, f"take the {before.text} away")
        yield Text(1, f"without the {before.text}")
    elif before is not None and before.ing:
        yield Text(1, f"no longer {before.ing}")


def _attribute(found: Located, before: Side, after: Side) -> Iterator[Text]:
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
        yield from _whole(found, old, new)
    elif found.axis != "count" and (not after.is_noun or found.axis == "colour"):
        is_told = before.is_quality and not (before.text.endswith("ing") and is_colour(after))
        yield from _made(found, after, before.text if is_told or is_colour(before) else "")
        if new and found.is_main:
            yield Text(9, new, gone=found.old_one or old)
            yield from (text._replace(weight=text.weight // 2) for text in _whole(found, old, new) if text.gone)


def _is_before_only(found: Located, before: Side, after: Side) -> bool:
    """Whether a quality only stands before its noun: a kind ("oak leaves"), an origin, a place in a row."""
    if found.axis == "colour":
        return False
    if found.holder is not None and found.holder.text.split()[-1] == before.text:
        return True  # "carpet python"
    is_kind = after.is_noun or before.is_noun or not read_lexicon().has(after.text.split()[-1], "adj")
    return is_kind or found.is_film or after.text.endswith(BEFORE_ONLY)


def _whole(found: Located, old: str, new: str) -> Iterator[Text]:
    """Yield the texts of a thing with another quality: "make it an oak leaf"."""
    it, the_old = ("them" if found.is_plural else "it"), _definite(old)
    if found.is_main:
        yield Text(14, f"make {it} {new}", gone=found.old_one or old)
        yield Text(5, f"turn {it} into {new}", gone=found.old_one or old)
        yield Text(6, f"change to {new}", gone=found.old_one or old)
        yield Text(3, f"change {it} to {new}", gone=found.old_one or old)
    if old and not read_lexicon().may_be(old.split()[-1], "colour"):
        yield Text(4, f"change {the_old} to {new}")
        yield Text(4, f"turn {the_old} into {new}")
        yield Text(4, f"replace {the_old} with {new}")
    yield Text(4, f"show {new}", gone=found.old_one or old)
    yield Text(4, f"have {new}", gone=found.old_one or old)


def _with_a(said: str, like: str) -> str:
    """Return "a red one" as "a red onion" has an article, or the phrase that has none."""
    return f"{article(said)} {said}" if like.startswith(("a ", "an ")) else like


def _definite(phrase: str) -> str:
    words = phrase.split()
    return " ".join(["the", *(words[1:] if words[:1] in (["a"], ["an"], ["the"]) else words)])


def _made(found: Located, after: Side, gone: str) -> Iterator[Text]:
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
        return
    who = holder.text
    yield Text(30, f"make {who} {what}", gone=gone)
    if holder.is_only and holder.pronoun:
        yield Text(35, f"make {holder.pronoun} {what}", gone=gone)
    if what == after.base:
        yield Text(10, f"have {who} {what}", gone=gone)
    elif is_colour(after):
        yield Text(7, f"turn {who} {what}", gone=gone)
        yield Text(5, f"change {who} to {what}", gone=gone)
        yield Text(4, f"change the color of {who} to {what}", gone=gone)
    else:
        yield Text(5, f"have {who} be {what}", gone=gone)
        yield Text(4, f"{who} should be {what}", gone=gone)


def _object(found: Located, before: Side, after: Side) -> Iterator[Text]:
    if found.is_number:
        yield from _number(before, after)
        return
    if found.old_whole and found.new_whole:
        yield from _whole(found, found.old_whole, found.new_whole)  # "soccer" of "a soccer game"
        return
    if after.is_quality and not found.is_film:
        yield from _made(found, after, before.text if before.is_quality else "")
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
    yield from _replaced(found, before, after)
    if found.holder and before.preposition == after.preposition != "" and after.preposition in PLACES:
        yield from placed(found, after, gone)
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
        for name in _names(deed.who):
            yield Text(24, f"have {name} {deed.base} {new}", gone=gone)
            yield Text(14, f"make {name} {deed.base} {new}", gone=gone)
    if found.does.base and after.is_alive:
        yield Text(34, f"have {new} {found.does.base}")
        yield Text(24, f"show {new} {found.does.ing}")
    if found.place and found.before and found.before.is_main and not found.is_done_to:
        yield Text(18, f"put {new} {found.place}", gone=gone)
        yield Text(14, f"have {new} {found.place}", gone=gone)
    if after.is_handled and deed is not None:
        yield Text(2, f"use {new}", gone=gone)
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


def _action(found: Located, before: Side, after: Side) -> Iterator[Text]:
    if after.is_state:
        yield from _made(found, after, before.text if before.is_state else before.ing)
    elif after.ing and _is_passive(after) == _is_passive(before):
        gone, plain = _taken_back(found, before, after)
        yield from _done(found, after, gone, plain)
    elif after.is_noun and before.is_noun:
        yield from _object(found, before, after)


def _is_passive(side: Side) -> bool:
    return side.base.startswith("be ")


def _taken_back(found: Located, before: Side, after: Side) -> tuple[str, str]:
    """Return what is no longer done as -ing and as base: "cutting it" where what it is done to is named already."""
    if before.is_state and (found.holder is None or not found.holder.is_alive):
        return "", ""  # "choose the bouquet" of one that is colored
    if before.is_state:
        return f"being {before.text}", f"be {before.text}"
    if not before.base or not after.base:
        return before.ing, before.base
    what = before.object_words
    if what and before.object_name == after.object_name and before.base.endswith(f" {what}"):
        if not _kinds(after.object_words) <= _kinds(what):
            return before.ing, before.base  # "chopping the pumpkin peel" where an oven peel comes in
        pronoun = after.object or before.object
        (verb, *particles), (ing, *_) = (form.removesuffix(f" {what}").split() for form in (before.base, before.ing))
        is_parted = len(particles) == 1 and _is_parted(verb, particles[0])
        said = [pronoun, *particles] if is_parted else [*particles, pronoun]  # "turn it off", "ski down it"
        return " ".join([ing, *said]), " ".join([verb, *said])
    verb, _, rest = before.ing.partition(" ")
    if rest and not what and after.base.endswith(f" {rest}"):
        return verb, before.base.split()[0]
    return before.ing, before.base


def _is_parted(verb: str, particle: str) -> bool:
    """Whether a pronoun comes before what follows a verb: "turn it off", not "ski it down" or "jump it off"."""
    lexicon, name = read_lexicon(), f"{verb} {particle}"
    takes_thing = lexicon.has(name, "verb") and lexicon.may_stand(name, WITH_THING)
    return takes_thing or lexicon.file_of_verb(verb) != MOTION


def _kinds(phrase: str) -> set[str]:
    """Return the nouns of a phrase that tell of which kind its thing is: "pumpkin" of "the pumpkin peel"."""
    return {word for word in phrase.split()[:-1] if _is_kind(word)}


def _is_kind(word: str) -> bool:
    lexicon = read_lexicon()
    is_noun = lexicon.has(word, "noun") and lexicon.frequency(word, "noun") >= lexicon.frequency(word, "adj")
    return is_noun and word not in DETERMINING and word not in SMALL_WORDS and word not in COUNTS


def _done(found: Located, after: Side, gone: str = "", plain: str = "") -> Iterator[Text]:
    """Yield the texts of an action: "have the dogs sleep"; of who films "close the door"."""
    holder = found.holder
    if not after.base:
        yield Text(1, f"show {after.ing}", gone=gone)
        return
    if holder is None or after.base.split()[-1] == holder.text.split()[-1]:
        if " " in after.base or found.is_filming:
            yield Text(40, after.base, gone=gone, plain=plain)
        somebody = "someone " if after.object_words or found.is_filming else ""  # who films, or whoever is told to
        yield Text(1, f"show {somebody}{after.ing}", gone=gone)  # an order may be the target's caption itself
        return
    if after.base.startswith("be "):
        yield Text(2, f"have {holder.text} {after.base.removeprefix('be ')}", gone=gone.removeprefix("being "))
        yield Text(2, f"show {holder.text} {after.ing}", gone=gone)
        return
    for name in _names(holder):
        yield Text(10, f"have {name} {after.base}", gone=gone, plain=plain)
        yield Text(13, f"make {name} {after.base}", gone=gone, plain=plain)
        yield Text(2, f"let {name} {after.base}", gone=gone, plain=plain)
    yield Text(4, f"show {holder.text} {after.ing}", gone=gone)


def _names(holder: Holder) -> list[str]:
    return [holder.text, holder.pronoun] if holder.is_only and holder.pronoun else [holder.text]


_BY_SLOT: dict[str, Callable[[Located, Side, Side], Iterator[Text]]] = {
    "attribute": _attribute, "object": _object, "scene": scene_texts, "action": _action,
}  # fmt: skip
