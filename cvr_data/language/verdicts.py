"""Whether a difference of words is one that can be seen, and which slot of the caption it is in.

Synonyms, one class of verbs, spelling, tense, articles and order are no change; a word above or below the other is a
weak one; what only one caption says is no change, as silence is not absence.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from cvr_data.language.closed_words import DETERMINING, NOBODY, SHOWING, TOPIC_PREPOSITIONS
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import Lexicon, read_lexicon
from cvr_data.language.nouns import NOUN_TAGS, is_film_noun, noun_after_partitive, noun_lexicon_key, preposition
from cvr_data.language.roles import ACT, UNSEEN_FILES, is_showing_verb, is_topic
from cvr_data.language.spelling import is_misspelling

PERFORMING = frozenset("play perform".split())
VERB_CLASSES = (SHOWING, PERFORMING)
"""Verbs that say the same of what is seen, beside those of speech, which the lexicon knows."""
FUNCTION_TAGS = frozenset("CC DT EX IN MD PDT POS PRP$ RP TO WDT WP WP$ WRB , . : -LRB- -RRB- '' ``".split())
PARTS = {"NN": "noun", "VB": "verb", "JJ": "adj", "RB": "adv"}


BUILT_OR_EVENT = (4, 6, 10, 11)
"""WordNet's files of acts, artifacts, communication and events."""


Verdict = Literal["change", "weak", "none"]


class Judged(NamedTuple):
    """What is said of a difference; heads are the words of the two captions that it is about."""

    slot: str
    heads: tuple[int | None, int | None]
    verdict: Verdict
    reason: str


class Side(NamedTuple):
    """The words of one caption that the other has not."""

    frame: Frame
    words: Sequence[int]
    head: int | None
    slot: str | None


def word_change_verdict(reference: Frame, target: Frame, ours: Sequence[int], theirs: Sequence[int]) -> Judged:
    """Return slot, heads and verdict of the words of the two captions that differ."""
    before, after = phrase_with_head(reference, ours), phrase_with_head(target, theirs)
    slot = _slot(before, after)
    reason = _grammar(before, after)
    if reason:
        return Judged("other", (before.head, after.head), "none", reason)
    verdict, reason = _meaning(before, after, read_lexicon())
    return Judged(slot, (before.head, after.head), verdict, reason)


def phrase_with_head(frame: Frame, words: Sequence[int]) -> Side:
    """Return a stretch of words with its head and its slot."""
    head = head_of(frame, words)
    return Side(frame, words, head, slot_of(frame, words, head))


def _slot(before: Side, after: Side) -> str:
    """Return the slot of the side that comes in; of the side that goes out, where nothing comes in."""
    if not after.slot or (after.slot == "other" and not _content(after)):
        return before.slot or after.slot or "other"
    if before.slot == "attribute" and after.slot == "object" and _is_qualifier(after):
        return "attribute"
    return (
        "scene" if before.slot == "scene" and after.slot == "object" and _is_same_place(before, after) else after.slot
    )


def _is_same_place(before: Side, after: Side) -> bool:
    """Whether something built, or an event, comes in after the preposition that the place before stood after."""
    if before.head is None or after.head is None:
        return False
    sentences = before.frame.sentence, after.frame.sentence
    places = preposition(sentences[0], before.head), preposition(sentences[1], after.head)
    if places[0] is None or places[1] is None or sentences[0].words[places[0]] != sentences[1].words[places[1]]:
        return False
    name = _key(after, read_lexicon())
    is_small = not read_lexicon().classes(name).isdisjoint(("container", "furniture", "clothing", "vehicle"))
    return read_lexicon().file_of_noun(name) in BUILT_OR_EVENT and not is_small


def _is_qualifier(side: Side) -> bool:
    """Whether the head is a noun before a noun, as "baby" of "baby girl"."""
    sentence = side.frame.sentence
    return side.head is not None and sentence.deps[side.head] in ("compound", "nmod", "amod")


def head_of(frame: Frame, side: Sequence[int]) -> int | None:
    """Return the word that the others of a stretch hang on: its verb, else its last noun that hangs outside."""
    sentence = frame.sentence
    verbs = [word for word in side if sentence.tags[word].startswith("VB") and frame.roles[word] == "action"]
    if verbs:
        return verbs[0]
    tops = [word for word in side if sentence.heads[word] not in side or sentence.heads[word] == word]
    nouns = [word for word in tops if sentence.tags[word] in NOUN_TAGS]
    if not tops:
        return None
    if nouns:
        inner = noun_after_partitive(sentence, nouns[-1])
        return inner if inner in side else nouns[-1]
    inside = [word for word in side if sentence.tags[word] in NOUN_TAGS]
    return inside[-1] if sentence.tags[tops[-1]] in ("IN", "TO") and inside else tops[-1]


def slot_of(frame: Frame, side: Sequence[int], head: int | None) -> str | None:
    """Return the slot that a stretch of words fills; None of one without words."""
    if head is None:
        return None
    role = frame.roles[head]
    if role == "other" and is_film_noun(frame.sentence, head):
        others = (word for word in side if frame.sentence.tags[word] in NOUN_TAGS and frame.roles[word] != "other")
        return "object" if next(others, None) is not None else role  # "gameplay footage"
    if role != "other" or frame.sentence.tags[head] in NOUN_TAGS:
        return role
    roles = [frame.roles[word] for word in side]
    return next((role for role in ("action", "object", "scene", "attribute") if role in roles), "other")


def _content(side: Side) -> list[int]:
    """Return the words that say something: no function words, nor what only chooses among things."""
    sentence, roles = side.frame.sentence, side.frame.roles
    said = [word for word in side.words if sentence.words[word] not in DETERMINING]
    return [word for word in said if sentence.tags[word] not in FUNCTION_TAGS or roles[word] != "other"]


def _grammar(before: Side, after: Side) -> str | None:
    """Return why two stretches of words say the same in other forms; None if they do not."""
    ours, theirs = _content(before), _content(after)
    if not ours and not theirs:
        return "function_words"
    if len(ours) != len(theirs):
        return None
    pairs = list(zip(ours, theirs, strict=True))
    if all(_is_same_word(before.frame, after.frame, *pair) for pair in pairs):
        return "same_lemma"
    lemmas = [[side.frame.sentence.lemmas[word] for word in words] for side, words in ((before, ours), (after, theirs))]
    if sorted(lemmas[0]) == sorted(lemmas[1]) and lemmas[0] != lemmas[1]:
        return "word_order"
    words = [(before.frame.sentence.words[one], after.frame.sentence.words[other]) for one, other in pairs]
    is_one = (lemmas[0][at] == lemmas[1][at] for at in range(len(pairs)))
    slips = (one == other or is_misspelling(one, other) for one, other in words)
    return "spelling" if all(slips) and not any(is_one) else None


def _is_same_word(reference: Frame, target: Frame, one: int, other: int) -> bool:
    """Whether two words are forms of one; how many there are can be seen."""
    ours, theirs = reference.sentence, target.sentence
    if ours.lemmas[one] != theirs.lemmas[other]:
        return False
    is_noun = ours.tags[one] in NOUN_TAGS and theirs.tags[other] in NOUN_TAGS
    return not is_noun or ours.words[one] == theirs.words[other]


def _meaning(before: Side, after: Side, lexicon: Lexicon) -> tuple[Verdict, str]:
    """Return the verdict on words that are not the same, and why it is not a change."""
    if not _content(before) or not _content(after):
        return "none", "only_added" if _content(after) else "only_removed"
    if all(_is_topic(side, lexicon) for side in (before, after)):  # what is talked of differs, and nothing else
        return "none", "topic"
    if after.slot == "other":
        return "none", "not_visible"
    if after.head is not None and is_film_noun(after.frame.sentence, after.head) and after.slot == "object":
        return "weak", "film"
    if before.slot == after.slot == "object" and _is_unseen(after, lexicon) and not _is_unseen(before, lexicon):
        return "weak", "not_visible"
    return _related(before, after, lexicon)


def _is_topic(side: Side, lexicon: Lexicon) -> bool:
    if side.head is None:
        return False
    sentence = side.frame.sentence
    if sentence.tags[side.head].startswith("VB"):
        return sentence.deps[side.head] == "pcomp" and sentence.words[sentence.heads[side.head]] in TOPIC_PREPOSITIONS
    noun = side.frame.noun_of(side.head)
    return is_topic(sentence, side.head if noun is None else noun, lexicon)


def _is_unseen(side: Side, lexicon: Lexicon) -> bool:
    """Whether the head is a noun for no thing, such as "adventure", nor for what people watch or play."""
    if side.head is None or side.frame.sentence.tags[side.head] not in NOUN_TAGS:
        return False
    name = _key(side, lexicon)
    is_abstract = lexicon.file_of_noun(name) in (*UNSEEN_FILES, ACT)
    return is_abstract and lexicon.classes(name).isdisjoint(("sport", "group", "person", "image"))


def _related(before: Side, after: Side, lexicon: Lexicon) -> tuple[Verdict, str]:
    assert before.head is not None and after.head is not None
    words = [side.frame.sentence.words[side.head] for side in (before, after) if side.head is not None]
    lemmas = [_key(side, lexicon) for side in (before, after)]
    tags = [side.frame.sentence.tags[side.head][:2] for side in (before, after) if side.head is not None]
    if tags[0] != tags[1] or tags[0] not in PARTS:
        return "change", ""
    if tags[0] == "NN" and lemmas[0] == lemmas[1] and words[0] != words[1]:
        return ("change", "") if lexicon.classes(lemmas[0]) & {"person", "animal", "vehicle"} else ("weak", "number")
    if tags[0] == "VB" and all(
        is_showing_verb(side.frame.sentence, side.head) for side in (before, after) if side.head is not None
    ):
        return "none", "same_verb_class"
    if {*lemmas} & NOBODY:
        return "weak", "nobody"
    part = PARTS[tags[0]]
    if part == "verb" and before.slot == after.slot == "action" and _is_one_class(lemmas[0], lemmas[1], lexicon):
        return _of_equal_heads(before, after, "same_verb_class", lexicon)
    relation = lexicon.relation(lemmas[0], lemmas[1], part)
    if relation == "same":
        return _of_equal_heads(before, after, "synonym", lexicon)
    if relation in ("above", "below") and part != "adj" and _number(before) == _number(after):
        rest = _of_equal_heads(before, after, "", lexicon)
        return rest if rest[0] == "change" else ("weak", "more_general" if relation == "below" else "more_special")
    return "change", ""


def _key(side: Side, lexicon: Lexicon) -> str:
    assert side.head is not None
    sentence = side.frame.sentence
    if sentence.tags[side.head] in NOUN_TAGS:
        return noun_lexicon_key(sentence, side.head, lexicon)
    return sentence.lemmas[side.head]


def _number(side: Side) -> str:
    assert side.head is not None
    return side.frame.number(side.head) if side.frame.sentence.tags[side.head] in NOUN_TAGS else ""


def _is_one_class(one: str, other: str, lexicon: Lexicon) -> bool:
    if lexicon.is_speech(one) and lexicon.is_speech(other):
        return True
    return any(one in verbs and other in verbs for verbs in VERB_CLASSES)


def _of_equal_heads(before: Side, after: Side, reason: str, lexicon: Lexicon) -> tuple[Verdict, str]:
    """Return the verdict on phrases whose heads mean the same: that of what else they say."""
    ours, theirs = ([word for word in _content(side) if word != side.head] for side in (before, after))
    if not ours or not theirs:
        return "none", reason or "same"
    sides = phrase_with_head(before.frame, ours), phrase_with_head(after.frame, theirs)
    return ("none", reason) if _grammar(*sides) else _meaning(*sides, lexicon)
