"""A change with the words that say it: what goes and comes as phrases, whose it is, who does it, and where.

    change = {"slot": "attribute", "before": "red", "after": "blue"}
    found = change_for_modification(change, "a red car drives", "a blue car drives")
    found.after.text, found.holder.text       # "blue", "the car"

Forms are those of the captions: article, number and compound come from the words around the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cvr_data.language.changes import Phrase, alike, phrase_change
from cvr_data.language.countable import is_uncounted
from cvr_data.language.frames import Frame, parsed_sentence_frames
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.noun_phrases import (
    LEADING,
    bare,
    is_doing,
    is_filmer,
    noun_of,
    noun_time_axis,
    preposition_before,
    qualifier_with_noun,
    with_article,
)
from cvr_data.language.nouns import NOUN_TAGS, is_film_noun
from cvr_data.language.verbs import (
    HANDLED,
    NOTHING,
    TAKEN,
    Forms,
    acting,
    is_done_by,
    is_state,
    is_sure,
    verb_forms,
)
from cvr_data.modifications.realising.deeds import (
    PLACES,
    Deed,
    deed_for_modification,
    doing_for_modification,
    place_for_modification,
)
from cvr_data.modifications.realising.holders import Holder, modification_holder, pronoun_for_modification
from cvr_data.modifications.realising.refused import (
    check_modification_sayable,
    check_modification_seen,
    slot_for_modification,
)

QUALITIES = frozenset("JJ JJR JJS VBN VBD VBG CD NN NNP".split())
"""Tags of what tells how something is; of nouns those that the lexicon lists as adjectives alone."""
BARE_PLACES = frozenset("bed church class court home school sea stage town work".split())
ALIVE = ("person", "animal", "group")


@dataclass(frozen=True)
class Side:
    """What goes or comes: words as the caption has them, and as a phrase of its own."""

    text: str
    phrase: str
    """With its article: "a piano", "apples", "blue"."""
    is_plural: bool = False
    is_noun: bool = False
    is_known: bool = False
    """Whether it is a noun that "the" can stand before: no name, no word that is none."""
    is_doing: bool = False
    """Whether it tells what is done, though it may stand as a noun: "washing" of "washing salad"."""
    is_state: bool = False
    """Whether a participle tells how something is: "looking bored"."""
    is_main: bool = False
    """Whether "it" can mean nothing else in the caption."""
    is_alive: bool = False
    is_mass: bool = False
    """Whether no "a" stands before it."""
    is_quality: bool = False
    """Whether it is an adjective, a participle or a numeral."""
    is_worn: bool = False
    """Whether it is clothing."""
    is_handled: bool = False
    """Whether it is something that can be used: an artifact, food, a substance."""
    axis: str = ""
    """Of a noun of time: time, season or weather."""
    preposition: str = ""
    """Before a place: "in"."""
    is_bare_place: bool = False
    """Whether it stands there without an article, as "at home" does."""
    base: str = ""
    """Of an action: "play the guitar"; empty if it is none."""
    ing: str = ""
    object: str = ""
    """The pronoun of what the forms say it is done to: "it"."""
    object_name: str = ""
    """Its lemma, and how the forms name it."""
    object_words: str = ""


@dataclass(frozen=True)
class Located:
    """One change, ready to be said."""

    slot: str
    before: Side | None
    after: Side | None
    holder: Holder | None
    axis: str = ""
    """Of an attribute: count, colour ...; of a scene: time, season, weather or place."""
    is_number: bool = False
    """Whether only how many there are differs."""
    is_plural: bool = False
    """Whether what has the trait is several."""
    is_film: bool = False
    """Whether what has the trait is the view: "aerial view"."""
    is_main: bool = False
    """Whether "it" can only mean what has the trait."""
    old_whole: str = ""
    new_whole: str = ""
    """A qualifier with its noun and article: "a maple leaf", "oak leaves"; empty if it has none."""
    old_one: str = ""
    """What goes without its noun: "a red one"."""
    deed: Deed | None = None
    does: Forms = NOTHING
    """What who comes in does."""
    is_apart: bool = False
    """Whether what goes and what comes are things of other kinds by WordNet: food and an artifact."""
    is_done_to: bool = False
    """Whether something is done to what goes."""
    is_filming: bool = False
    """Whether who films does it: "C opens a drawer"."""
    place: str = ""
    """Where both captions have it: "in the zoo"."""


def change_for_modification(change: Mapping[str, str | None], reference: str, target: str) -> Located:
    """Return a change (slot, before, after) between two captions with what its words need to be said.

    Raises:
        CannotSay: it is one of tense, articles, topics or the like.
    """
    frames = parsed_sentence_frames((reference, target))
    ours, theirs = alike(frames[reference], frames[target])
    before, after = change["before"] or "", change["after"] or ""
    found = phrase_change(ours, theirs, before, after)
    slot = change["slot"] or found.slot
    check_modification_sayable(slot, found, ours, theirs)
    heads = _head(ours, found.before_phrase, before), _head(theirs, found.after_phrase, after)
    slot = slot_for_modification(slot, ours, theirs, heads)
    check_modification_seen(slot, (ours, theirs), heads)
    is_colours = slot in ("object", "attribute") and _are_colours(ours, theirs, heads)
    slot = "attribute" if is_colours else slot  # "a pepper red"
    noun = _noun(theirs, heads[1]) if after else None
    gone = bare(ours, found.before_phrase, before) if before else ""
    old, new = _wholes(ours, theirs, found.after_phrase, heads, gone)
    if slot == "attribute" and not new and _are_things(ours, theirs, heads):
        slot = "object"  # "flower" of "flower blooming"
    return Located(
        slot=slot,
        before=_side(ours, found.before_phrase, before, heads[0], slot, theirs, is_gone=True),
        after=_side(theirs, found.after_phrase, after, heads[1], slot, ours),
        holder=_staying(modification_holder(ours, heads[0], slot), theirs, slot)
        or _known(modification_holder(theirs, heads[1], slot), ours),
        axis="colour" if is_colours else _axis(theirs, heads[1], slot),
        is_number=heads[0] is not None and heads[1] is not None and _is_number(ours, theirs, heads[0], heads[1]),
        is_plural=_is_plural(theirs, heads[1]),
        is_film=noun is not None and is_film_noun(theirs.sentence, noun),
        is_main=_has_main(ours, heads[0]),
        old_whole=old,
        new_whole=new,
        deed=deed_for_modification(ours, theirs, heads) if slot in ("object", "scene") else None,
        does=doing_for_modification(theirs, heads[1]) if slot == "object" else NOTHING,
        is_apart=_are_apart(ours, theirs, heads),
        is_done_to=heads[0] is not None and ours.sentence.deps[heads[0]] == "dobj",
        is_filming=is_filmer(theirs),
        place=place_for_modification(ours, theirs),
    )


def _wholes(
    ours: Frame, theirs: Frame, comes: Phrase, heads: tuple[int | None, int | None], gone: str
) -> tuple[str, str]:
    """Return what goes and what comes with its noun; a particle that goes has none."""
    if heads[0] is not None and ours.sentence.tags[heads[0]] in ("RP", "IN", "RB", "DT"):
        gone = ""
    old, new = qualifier_with_noun(theirs, comes, heads[1], gone)
    return _old_whole(ours, heads[0], gone, old), new


def _old_whole(frame: Frame, head: int | None, said: str, old: str) -> str:
    """Return what goes with its noun; a plural that qualifies none is said alone ("dunes" of "sandy dunes, beach").

    What is done to the noun tells not how it is: "eating cheese cake".
    """
    if not old or head is None:
        return old
    if frame.sentence.tags[head] == "NNS" and frame.noun_of(head) == head:
        return with_article(frame, said, head)
    lexicon, noun = read_lexicon(), frame.noun_of(head)
    thing = "" if noun is None or noun == head else frame.sentence.lemmas[noun]
    verb = lexicon.verb_of(frame.sentence.words[head]) if frame.sentence.words[head].endswith("ing") else None
    is_done = verb is not None and lexicon.file_of_verb(verb) in HANDLED and lexicon.file_of_noun(thing) in TAKEN
    return "" if is_done and not lexicon.has(f"{frame.sentence.words[head]} {thing}", "noun") else old


def _are_colours(ours: Frame, theirs: Frame, heads: tuple[int | None, int | None]) -> bool:
    """Whether both sides are colours, with no article of their own."""
    sides = [(frame.sentence, head) for frame, head in zip((ours, theirs), heads, strict=True) if head is not None]
    lexicon = read_lexicon()
    found = [
        lexicon.may_be(said.words[head], "colour")
        and lexicon.has(said.words[head], "adj")
        and said.child(head, "det") is None
        for said, head in sides
    ]
    return len(found) == 2 and all(found)


def _are_apart(ours: Frame, theirs: Frame, heads: tuple[int | None, int | None]) -> bool:
    """Whether two nouns are of different files of WordNet, and neither of one that is not listed."""
    sides = zip((ours, theirs), heads, strict=True)
    files = {read_lexicon().file_of_noun(frame.sentence.lemmas[head]) for frame, head in sides if head is not None}
    return len(files) == 2 and None not in files


def _are_things(ours: Frame, theirs: Frame, heads: tuple[int | None, int | None]) -> bool:
    """Whether both sides are nouns of things, and no colours."""
    found = [
        frame.noun_of(head) == head and not read_lexicon().may_be(frame.sentence.lemmas[head], "colour")
        for frame, head in zip((ours, theirs), heads, strict=True)
        if head is not None
    ]
    return len(found) == 2 and all(found)


def _is_number(reference: Frame, target: Frame, ours: int, theirs: int) -> bool:
    one, other = (frame.sentence for frame in (reference, target))
    words = [(one.lemmas[ours], one.tags[ours]), (other.lemmas[theirs], other.tags[theirs])]
    return words[0][0] == words[1][0] and all(tag in NOUN_TAGS for _, tag in words)


def _is_plural(frame: Frame, head: int | None) -> bool:
    noun = noun_of(frame, head) if head is not None else None
    return noun is not None and frame.number(noun) == "plural"


def _has_main(frame: Frame, head: int | None) -> bool:
    thing = frame.thing_of(head) if head is not None else None
    return thing is not None and _is_main(frame, thing)


def _staying(holder: Holder | None, target: Frame, slot: str) -> Holder | None:
    """Return who is somewhere if the target has it, too: no airplane is put where a kite is."""
    if holder is None or slot in ("action", "attribute"):
        return holder
    names, lexicon = [thing.name.split()[-1] for thing in target.things], read_lexicon()
    words = holder.text.split()[1:]
    lemmas = {*words, *(lexicon.singular_of(word) or word for word in words)}
    alike = ("same", "below", "above")
    stays = any(name in lemmas or lexicon.relation(name, one, "noun") in alike for name in names for one in lemmas)
    return holder if stays or not names else None


def _known(holder: Holder | None, reference: Frame) -> Holder | None:
    """Return what the target tells a trait of if the reference has it, too."""
    return holder if holder is not None and holder.text.split()[-1] in reference.sentence.words else None


def _head(frame: Frame, phrase: Phrase, text: str) -> int | None:
    """Return the number of the word that a side is about; None if its caption has it not."""
    if not text:
        return None
    words = list(phrase.words) or _by_lemma(frame, text)
    content = [word for word in words if frame.sentence.tags[word] not in LEADING]
    if not content:
        return words[-1] if words else None
    verbs = [word for word in content if frame.roles[word] == "action" and frame.sentence.tags[word].startswith("VB")]
    tops = [word for word in content if frame.sentence.heads[word] not in content or frame.sentence.heads[word] == word]
    return (verbs or tops or content)[0] if verbs else (tops or content)[-1]


def _by_lemma(frame: Frame, text: str) -> list[int]:
    """Return where a concept stands, told as a lemma: "dog" in "two dogs"."""
    wanted = text.split()
    lemmas = list(frame.sentence.lemmas)
    starts = (start for start in range(len(lemmas)) if lemmas[start : start + len(wanted)] == wanted)
    start = next(starts, None)
    return list(range(start, start + len(wanted))) if start is not None else []


def _side(
    frame: Frame, phrase: Phrase, text: str, head: int | None, slot: str, other: Frame, *, is_gone: bool = False
) -> Side | None:
    if not text:
        return None
    said = bare(frame, phrase, text)
    if head is None:
        return Side(said, said)
    sentence, lexicon = frame.sentence, read_lexicon()
    lemma = sentence.lemmas[head]
    is_only_noun = sentence.tags[head] == "JJ" and lexicon.has(lemma, "noun")
    is_noun = sentence.tags[head] in NOUN_TAGS and lexicon.has(lemma, "noun")
    is_noun |= (sentence.tags[head] in NOUN_TAGS or is_only_noun) and not lexicon.has(lemma, "adj")
    is_verb = slot == "action" or sentence.tags[head] == "VBG" or is_done_by(sentence.words[head])
    forms = verb_forms(frame, phrase, head, other, is_gone=is_gone) if is_verb and _is_done(frame, head) else NOTHING
    thing = frame.thing_of(head)
    return Side(
        text=said,
        phrase=with_article(frame, said, head) if is_noun and slot != "attribute" else said,
        is_plural=is_noun
        and (sentence.tags[head] in ("NNS", "NNPS") or lexicon.singular_of(sentence.words[head]) is not None),
        is_noun=is_noun,
        is_known=is_noun
        and lexicon.has(lemma, "noun")
        and not is_doing(frame, head)
        and not is_film_noun(sentence, head),
        is_doing=sentence.words[head].endswith("ing") and (sentence.tags[head] == "VBG" or is_doing(frame, head)),
        is_state=text.endswith("ed") and is_state(frame, head),
        is_main=thing is not None and _is_main(frame, thing),
        is_alive=is_noun and not lexicon.classes(lemma).isdisjoint(ALIVE),
        is_mass=is_noun and is_uncounted(sentence.words[head], lemma),
        is_quality=not is_noun and sentence.tags[head] in QUALITIES,
        is_worn=is_noun and lexicon.is_a(lemma, "clothing"),
        is_handled=is_noun and lexicon.file_of_noun(lemma) in TAKEN and not lexicon.is_a(lemma, "place"),
        axis=noun_time_axis(lemma) if is_noun else "",
        preposition=preposition_before(frame, thing) if thing is not None and frame.things[thing].head == head else "",
        is_bare_place=sentence.words[head] in BARE_PLACES and sentence.child(head, "det", "poss") is None,
        base=forms.base,
        ing=forms.ing,
        object="" if forms.object is None else pronoun_for_modification(frame, frame.things[forms.object]) or "them",
        object_name="" if forms.object is None else frame.things[forms.object].name,
        object_words=forms.what,
    )


def _is_done(frame: Frame, head: int) -> bool:
    """Whether a word is or belongs to a verb beyond doubt."""
    verb = acting(frame, head)
    return frame.sentence.words[head].endswith("ing") if verb is None else is_sure(frame, verb)


def _is_main(frame: Frame, number: int) -> bool:
    """Whether a thing is the first of its caption, or the only one that is no person and no place, and not where."""
    if number and frame.things[number].preposition in PLACES:
        return False
    others = [thing for thing in frame.things if thing is not frame.things[number] and thing.slot == "object"]
    return number == 0 or all(thing.is_person for thing in others)


def _noun(frame: Frame, head: int | None) -> int | None:
    noun = frame.noun_of(head) if head is not None else None
    if noun is None and head is not None:
        top = frame.sentence.heads[head]
        noun = top if frame.sentence.tags[top] in NOUN_TAGS else None
    return noun


def _axis(frame: Frame, head: int | None, slot: str) -> str:
    if head is None:
        return ""
    if slot == "scene":
        if frame.sentence.tags[head].startswith("JJ"):
            return "weather"
        return noun_time_axis(frame.sentence.lemmas[head]) or "place"
    for thing in frame.things:
        for attribute in thing.attributes:
            if attribute.word == head:
                return attribute.axis
    return "kind" if frame.sentence.tags[head] in NOUN_TAGS else ""
