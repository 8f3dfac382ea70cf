"""Constructions of another action: "have the dogs sleep instead of running"."""

from collections.abc import Iterator

from cvr_data.language.closed_words import COUNTS, DETERMINING
from cvr_data.language.lexicon import WITH_THING, read_lexicon
from cvr_data.language.stop_words import SMALL_WORDS
from cvr_data.modifications.realising.located import Located, Side
from cvr_data.modifications.realising.qualities import quality_modifications
from cvr_data.modifications.realising.rarer import DOING, NAMED_DOING, fill_modification_forms
from cvr_data.modifications.realising.text import Text
from cvr_data.modifications.realising.things import names_in_modification, object_modifications

MOTION = 38
"""WordNet's file of verbs of motion."""


def action_modifications(found: Located, before: Side, after: Side) -> Iterator[Text]:
    """Yield the texts of another action, of a state and of a noun that was taken for one."""
    if after.is_state:
        yield from quality_modifications(found, after, before.text if before.is_state else before.ing)
    elif after.ing and _is_passive(after) == _is_passive(before):
        gone, plain = _taken_back(found, before, after)
        yield from deed_modifications(found, after, gone, plain)
    elif after.is_noun and before.is_noun:
        yield from object_modifications(found, before, after)


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


def deed_modifications(found: Located, after: Side, gone: str = "", plain: str = "") -> Iterator[Text]:
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
    for name in names_in_modification(holder):
        yield Text(10, f"have {name} {after.base}", gone=gone, plain=plain)
        yield Text(13, f"make {name} {after.base}", gone=gone, plain=plain)
        yield from fill_modification_forms(DOING, 12, gone, plain, who=name, base=after.base)
    yield Text(4, f"show {holder.text} {after.ing}", gone=gone)
    yield Text(4, f"{holder.text} should {after.base}", gone=gone, plain=plain)
    yield from fill_modification_forms(NAMED_DOING, 12, gone, who=holder.text, ing=after.ing)
