"""What kind of change a pair is: spaCy's tags of the changed word, in the context of its caption.

A changed verb is an action; a noun after a preposition of place, or a word of place or time, is a scene; other nouns
are objects; adjectives and participles before a noun are attributes. Each distinct caption is tagged once.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cvr_data.normalise import word_lists
from cvr_data.tables import CHANGE

if TYPE_CHECKING:
    from spacy.language import Language

PLACE_PREPOSITIONS = frozenset(
    "in on at near by over under above below behind beside inside outside around across along through against "
    "beneath between before towards toward into onto from".split()
)
SCENES = frozenset(
    "beach forest city street road mountain mountains desert sea ocean river lake sky field meadow garden park room "
    "kitchen office school house night day morning evening sunset sunrise dawn dusk winter summer autumn spring snow "
    "rain space background indoors outdoors village island valley hill cave jungle wall harbor harbour".split()
)
DIRECTIONS = frozenset("left right up down upwards downwards forward forwards backward backwards clockwise".split())
ACTION_TAGS = frozenset(("VERB", "AUX"))
THING_TAGS = frozenset(("NOUN", "PROPN", "PRON"))
MODIFIER_TAGS = frozenset(("ADJ", "NUM", "DET"))
BATCH = 256


def type_changes(pairs: pa.Table) -> pa.Table:
    """Return the pairs with kind and slot of every change filled in, where it has none yet."""
    rows = pairs.select(["reference_caption", "target_caption", "changes"]).to_pylist()
    texts = sorted({row[side] for row in rows for side in ("reference_caption", "target_caption") if row[side]})
    tags = dict(zip(texts, _tagged(texts), strict=True))
    changes = [_typed(row, tags) for row in rows]
    position = pairs.column_names.index("changes")
    return pairs.set_column(position, "changes", pa.array(changes, pa.list_(CHANGE)))


def slot_of(words: Sequence[str], tags: Sequence[str], phrase: str) -> str:
    """Return the slot that a phrase fills in a caption: action, scene, attribute, object or other."""
    position = _find(words, phrase.split())
    if position is None:
        return "other"
    length = len(phrase.split())
    span = range(position, position + length)
    if any(tags[index] in ACTION_TAGS for index in span) and not _is_before_noun(tags, position + length - 1):
        return "action"
    if any(words[index] in DIRECTIONS for index in span):
        return "action"
    if any(tags[index] in THING_TAGS for index in span):
        return _slot_of_noun(words, tags, position, position + length - 1)
    if any(tags[index] in MODIFIER_TAGS or tags[index] in ACTION_TAGS for index in span):
        return "attribute"
    return "action" if tags[position] in ("ADV", "ADP", "PART") and _follows_verb(tags, position) else "other"


def _typed(row: dict[str, Any], tags: dict[str, tuple[list[str], list[str]]]) -> list[dict[str, Any]]:
    typed = []
    for change in row["changes"] or ():
        if change["kind"] is None:
            before = slot_of(*tags[row["reference_caption"]], change["before"] or "")
            after = slot_of(*tags[row["target_caption"]], change["after"] or "")
            slot = _one_slot(before, after)
            change = {**change, "slot": slot, "kind": "action" if slot == "action" else "static"}
        typed.append(change)
    return typed


def _one_slot(before: str, after: str) -> str:
    if before == after:
        return before
    for slot in ("action", "scene", "object", "attribute"):
        if slot in (before, after):
            return slot
    return "other"


def _slot_of_noun(words: Sequence[str], tags: Sequence[str], first: int, last: int) -> str:
    if words[last] in SCENES:
        return "scene"
    if last + 1 < len(tags) and tags[last + 1] in THING_TAGS and first == last:
        return "attribute"  # "a brick wall": the noun says what kind of wall
    before = first - 1
    while before >= 0 and tags[before] in (*MODIFIER_TAGS, *THING_TAGS):
        before -= 1
    is_placed = before >= 0 and words[before] in PLACE_PREPOSITIONS and before > 0
    return "scene" if is_placed else "object"


def _is_before_noun(tags: Sequence[str], index: int) -> bool:
    """Whether a participle stands as an adjective: "a running dog"."""
    after = index + 1
    has_determiner = index > 0 and tags[index - 1] in ("DET", "ADJ")
    return has_determiner and after < len(tags) and tags[after] in THING_TAGS


def _follows_verb(tags: Sequence[str], position: int) -> bool:
    return any(tag in ACTION_TAGS for tag in tags[max(0, position - 3) : position])


def _find(words: Sequence[str], phrase: Sequence[str]) -> int | None:
    for start in range(len(words) - len(phrase) + 1):
        if list(words[start : start + len(phrase)]) == list(phrase) and phrase:
            return start
    return None


def _tagged(texts: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    from spacy.tokens import Doc

    if not texts:
        return
    language = _language()
    lists = iter(word_lists(pa.array(texts)).to_pylist())
    while batch := list(islice(lists, 8192)):
        docs = (Doc(language.vocab, words=words) for words in batch)
        for words, doc in zip(batch, language.pipe(docs, batch_size=BATCH), strict=True):
            yield words, [token.pos_ for token in doc]


@cache
def _language() -> "Language":
    import spacy

    from cvr_data.model_packages import model_path

    return spacy.load(model_path("spacy"), exclude=["parser", "ner", "lemmatizer"])
