"""Frames of captions as somebody else tells them, such as a language model: JSON whose words are the caption's own.

    told = sentence_frame_from_words("a red car drives down a road", {
        "things": [{"noun": "car", "attributes": ["red"]}], "scenes": [{"noun": "road", "kind": "place"}],
        "actions": [{"verb": "drives", "agent": "car", "object": ""}]})
    told.frame.things[0].name, told.dropped         # "car", 0

No parser is asked. What is told in words that the caption has not is left out, and counted: a frame says where in the
caption each of its words stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from cvr_data.language.attributes import Attribute, attribute_word_axis
from cvr_data.language.closed_words import DIRECTIONS, NUMERALS
from cvr_data.language.frames import Event, Frame, Thing
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.nouns import compound_noun_name
from cvr_data.language.parse import MOST_WORDS, Sentence, lemmas_of, part_of_tag, word_tokens
from cvr_data.language.stop_words import ARTICLES, PREPOSITIONS_OF_PLACE
from cvr_data.language.words import same_word, words_of

FIELDS = ("place", "time", "season", "weather")
_ENDINGS = {"ing": "VBG", "ed": "VBN", "s": "VBZ"}
_PREPOSITIONS = PREPOSITIONS_OF_PLACE | {"with", "of", "for", "about", "during", "under", "down", "up", "off"}


@dataclass(frozen=True)
class ToldFrame(Frame):
    """A frame whose things and events were told, not found."""

    told_things: tuple[Thing, ...] = ()
    told_events: tuple[Event, ...] = ()
    is_told: ClassVar[bool] = True

    @property
    def things(self) -> tuple[Thing, ...]:
        """What is seen, scenes too, in order."""
        return self.told_things

    @property
    def events(self) -> tuple[Event, ...]:
        """What is done, in order."""
        return self.told_events


class Told(NamedTuple):
    """A frame, and how many of the words that were told its caption has not."""

    frame: Frame
    dropped: int


@dataclass
class _Tree:
    """The words of a caption, and what is known of each by now."""

    words: list[str]
    starts: list[int]
    tags: list[str]
    deps: list[str]
    heads: list[int]
    roles: list[str]
    nouns: dict[int, tuple[str, list[int]]]
    """Head -> field of a scene, empty of an object, and the words that qualify it."""
    dropped: int = 0

    def find(self, phrase: str, near: int | None = None) -> tuple[int, int] | None:
        """Return the first and last word of a phrase, where nothing is told of it yet, nearest to a word."""
        wanted = words_of(phrase)
        spans = [(at, at + len(wanted) - 1) for at in range(len(self.words) - len(wanted) + 1)] if wanted else []
        for is_alike in (str.__eq__, same_word):
            found = [
                span
                for span in spans
                if all(is_alike(self.words[span[0] + place], word) for place, word in enumerate(wanted))
            ]
            if found:
                return min(found, key=lambda span: (self.roles[span[1]] != "other", abs(span[1] - (near or 0)), span))
        self.dropped += 1
        return None


def sentence_frame_from_words(text: str, told: Mapping[str, Any]) -> Told:
    """Return the frame of a caption of which `things`, `scenes` and `actions` are told (prompts/frames.yaml)."""
    found = list(word_tokens(text))[:MOST_WORDS]
    words, starts = [word.lower() for word, _ in found], [start for _, start in found]
    tree = _Tree(words, starts, [_tag(word) for word in words], [], [], ["other"] * len(words), {})
    tree.deps, tree.heads = ["dep"] * len(words), [-1] * len(words)
    for thing in told.get("things", ()):
        _add_noun(tree, thing, "object", "")
    for scene in told.get("scenes", ()):
        _add_noun(tree, scene, "scene", scene.get("kind") if scene.get("kind") in FIELDS else "place")
    actions = [action for each in told.get("actions", ()) if (action := _added_action(tree, each)) is not None]
    _hang_rest(tree)
    parts = pa.array(map(part_of_tag, tree.tags), pa.string())
    lemmas = lemmas_of(pa.array(tree.words, pa.string()), parts).to_pylist()
    sentence = Sentence(text, *map(tuple, (tree.words, tree.tags, lemmas, tree.deps, tree.heads, tree.starts)))
    things = tuple(_thing(sentence, tree, head) for head in sorted(tree.nouns))
    number = {thing.head: place for place, thing in enumerate(things)}
    events = tuple(_event(sentence, number, *action) for action in sorted(actions, key=lambda action: action[0]))
    return Told(ToldFrame(sentence, tuple(tree.roles), things, events), tree.dropped)


def _add_noun(tree: _Tree, told: Mapping[str, Any], role: str, field: str, near: int | None = None) -> int | None:
    """Hang a noun phrase together; return its head."""
    span = tree.find(str(told.get("noun", "")), near)
    if span is None:
        return None
    first, head = span
    tree.tags[head], tree.roles[head] = ("NNS" if _is_plural(tree.words[head]) else "NN"), role
    before = list(range(first, head))
    for attribute in told.get("attributes", ()):
        place = tree.find(str(attribute), head)
        if place is not None and place[1] != head:
            before += range(place[0], place[1] + 1)
    for word in before:
        _qualify(tree, word, head)
    tree.nouns[head] = field, sorted(set(before))
    start = min([head, *(word for word in before if word < head)])
    if start and tree.words[start - 1] in ARTICLES:
        start -= 1
        tree.deps[start], tree.heads[start] = "det", head
    if start and tree.words[start - 1] in _PREPOSITIONS:
        tree.deps[head], tree.heads[head] = "pobj", start - 1
        tree.deps[start - 1] = "prep"
    return head


def _qualify(tree: _Tree, word: int, head: int) -> None:
    lexicon, text = read_lexicon(), tree.words[word]
    is_number = text in NUMERALS or text.isdecimal()
    is_noun = lexicon.frequency(text, "noun") > lexicon.frequency(text, "adj") and not lexicon.may_be(text, "colour")
    tree.tags[word] = "CD" if is_number else "NN" if is_noun else "JJ"
    tree.deps[word] = "nummod" if is_number else "compound" if is_noun else "amod"
    tree.heads[word], tree.roles[word] = head, "attribute"


def _added_action(tree: _Tree, told: Mapping[str, Any]) -> tuple[int, int, int | None, int | None] | None:
    """Return first and last word of a verb, and the heads of who does it and to what."""
    span = tree.find(str(told.get("verb", "")))
    if span is None:
        return None
    verb = span[0]
    if tree.words[verb] in ("is", "are", "was", "were", "being") and span[1] > verb:
        verb += 1
    tree.tags[verb] = next((tag for end, tag in _ENDINGS.items() if tree.words[verb].endswith(end)), "VB")
    for word in range(verb, span[1] + 1):
        tree.roles[word] = "action"
        if word > verb:
            tree.deps[word], tree.heads[word], tree.tags[word] = "prt", verb, "RP"
    ends = [_end_of(tree, str(told.get(name) or ""), verb) for name in ("agent", "object")]
    for head, dep in zip(ends, ("nsubj", "dobj"), strict=True):
        if head is not None and tree.heads[head] == -1:
            tree.deps[head], tree.heads[head] = dep, verb
    return verb, span[1], ends[0], ends[1]


def _end_of(tree: _Tree, phrase: str, verb: int) -> int | None:
    """Return the head of who or what a phrase names: a noun that is told, else another of the caption."""
    said = words_of(phrase)
    if not said:
        return None
    known = [head for head in tree.nouns if same_word(tree.words[head], said[-1])]
    return (
        min(known, key=lambda head: abs(head - verb))
        if known
        else _add_noun(tree, {"noun": phrase}, "object", "", verb)
    )


def _hang_rest(tree: _Tree) -> None:
    verbs = [word for word, tag in enumerate(tree.tags) if tag.startswith("VB") and tree.roles[word] == "action"]
    root = next(iter([*verbs, *sorted(tree.nouns)]), 0)
    for word, head in enumerate(tree.heads):
        if word == root or head == -1:
            tree.heads[word] = root
    if tree.words:
        tree.deps[root], tree.heads[root] = "ROOT", root


def _thing(sentence: Sentence, tree: _Tree, head: int) -> Thing:
    lexicon, (field, before) = read_lexicon(), tree.nouns[head]
    name = compound_noun_name(sentence, head, lexicon)
    determiner = sentence.child(head, "det")
    at = sentence.heads[head]
    qualities = [word for word in before if sentence.words[word] not in name.split(" ")[:-1]]
    return Thing(
        name=name,
        head=head,
        first=min([head, *before, *(() if determiner is None else (determiner,))]),
        last=head,
        number="plural" if sentence.tags[head] == "NNS" else "singular",
        determiner=sentence.words[determiner] if determiner is not None else "",
        preposition=sentence.words[at] if sentence.deps[head] == "pobj" else "",
        attributes=tuple(
            Attribute(sentence.lemmas[word], word, attribute_word_axis(sentence, word, lexicon)) for word in qualities
        ),
        slot="scene" if field else "object",
        field=field,
        is_person=lexicon.is_a(name, "person"),
        is_topic=False,
    )


def _event(
    sentence: Sentence, number: Mapping[int, int], verb: int, last: int, agent: int | None, thing: int | None
) -> Event:
    after = sentence.words[verb + 1 : last + 1]
    way = next((word for word in after if word in DIRECTIONS), "")
    particle = "" if way else " ".join(after)
    ends = [None if head is None else number.get(head) for head in (agent, thing)]
    return Event(sentence.lemmas[verb], verb, particle, way, ends[0], ends[1])


def _tag(word: str) -> str:
    if not any(map(str.isalnum, word)):
        return "."
    for tag, words in (("DT", ARTICLES), ("IN", _PREPOSITIONS), ("CC", ("and", "or", "but")), ("TO", ("to",))):
        if word in words:
            return tag
    return "FW"


def _is_plural(word: str) -> bool:
    lemma: Sequence[str] = lemmas_of(pa.array([word]), pa.array(["NOUN"])).to_pylist()
    return lemma[0] != word
