"""Other texts of a query, by rules: such that keep its target, and such that ask for something else.

    modification_variants(row, ["make it a cat"])       # of a triplet; the second, texts of other queries

    paraphrase        the same change in another construction, up to five          keeps the target
    misspelt          two letters of a word swapped                                keeps
    over_specified    what stays is said too                                       keeps
    negated           the change is forbidden                                      asks for something else
    vague             that something changes, not to what                          asks for something else
    irrelevant        the text of another query                                    asks for something else
    no_op             asks for what the reference has: the way back, said here     asks for the reference
    contradiction     takes back what the reference has not                        asks for nothing there is

Each is executed on the reference's caption (`cvr_data.language.execution`): one that keeps the target has to lead
there, another one must not; what cannot be made so is left out. The last two are realised from the change turned
round, and have to lead from the target to the reference. A misspelt word is no word that the lexicon lists.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, product
from typing import Any, NamedTuple

from cvr_data.language.execution import Change, phrase_change_outcome
from cvr_data.language.spelling import is_misspelling
from cvr_data.language.words import mentions, words_of
from cvr_data.modifications.realising.constructions import texts_of
from cvr_data.modifications.realising.located import change_for_modification
from cvr_data.modifications.realising.refused import CannotSay

KEEPING = ("paraphrase", "misspelt", "over_specified")
"""Kinds of texts that lead to the target as the query's own does."""
OTHER = ("negated", "vague", "irrelevant", "no_op", "contradiction")
"""Kinds that do not."""
PARAPHRASES = 5
SHORTEST = 4
"""Letters of a word that two are swapped in."""
VAGUE = {
    "attribute": "make it look different",
    "object": "show something else",
    "scene": "put it somewhere else",
    "action": "have something else happen",
}
VAGUE_AT_ALL = ("change something", "make it different")
SAID_PLAINLY = (
    "{after} instead of {before}", "{after} rather than {before}", "not {before} but {after}",
    "from {before} to {after}", "replace {before} with {after}", "it should be {after}, not {before}",
)  # fmt: skip
"""Paraphrases in the words of the captions, where the realiser has fewer than are wanted."""
_VERBS = frozenset("add change have let make move put remove replace show swap take turn use".split())


class Variant(NamedTuple):
    """Another text of a query."""

    kind: str
    number: int
    """Among those of the kind, from 0."""
    text: str


def modification_variants(row: Mapping[str, Any], others: Sequence[str]) -> list[Variant]:
    """Return the variants of a triplet's text that pass; none where its captions or changes are not known.

    Args:
        row: modification, reference_caption, target_caption and changes of a triplet.
        others: texts of other queries; the first that leads elsewhere is the irrelevant one.
    """
    text, changes = str(row["modification"]), _changes_to_paraphrase(row)
    captions = row["reference_caption"], row["target_caption"]
    if not changes or not all(captions):
        return []
    drafts = {
        "paraphrase": chain(_text_paraphrases(changes, *captions), _plainly(changes)),
        "misspelt": _misspelt_text(text),
        "over_specified": iter([f"{text}, so that one sees {captions[1]}"]),
        "negated": iter(
            [_negated_text(text), *(f"anything but {change.after}" for change in changes[:1] if change.after)]
        ),
        "vague": iter([*filter(None, [VAGUE.get(changes[0].slot)]), *VAGUE_AT_ALL]),
        "irrelevant": iter(others),
        **_turned_round(changes, *captions),
    }
    return [variant for kind, texts in drafts.items() for variant in _accepted(kind, texts, text, changes, *captions)]


def _accepted(
    kind: str, drafts: Iterable[str], text: str, changes: tuple[Change, ...], reference: str, target: str
) -> Iterator[Variant]:
    """Yield the drafts of one kind that do as the kind says, none like another or like the text."""
    most = PARAPHRASES if kind == "paraphrase" else 1
    seen = {" ".join(words_of(text))}
    for draft in drafts:
        said = " ".join(words_of(draft))
        is_right = kind == "misspelt" or _variant_leads(draft, changes, reference, target) == (kind in KEEPING)
        if said in seen or not is_right:
            continue
        seen.add(said)
        yield Variant(kind, len(seen) - 2, draft)
        if len(seen) > most:
            return


def _changes_to_paraphrase(row: Mapping[str, Any]) -> tuple[Change, ...]:
    listed = [(change["slot"] or "", change["before"] or "", change["after"] or "") for change in row["changes"] or ()]
    return tuple(Change(*change) for change in listed)


def _variant_leads(text: str, changes: tuple[Change, ...], reference: str, target: str) -> bool:
    outcome = phrase_change_outcome(text, changes, reference, target)
    return outcome.reason is None and not outcome.missed


def _text_paraphrases(changes: Sequence[Change], reference: str, target: str) -> Iterator[str]:
    """The ways to say all changes, frequent ones first."""
    try:
        ways = [
            [
                said.words
                for said in sorted(
                    texts_of(change_for_modification(change._asdict(), reference, target)), key=_rarely_asked
                )
            ]
            for change in changes
        ]
    except CannotSay:
        return
    for words in product(*ways):
        yield " and ".join(words)


def _plainly(changes: Sequence[Change]) -> Iterator[str]:
    """The same in the words of the captions; of what only comes or goes there is none."""
    if all(change.before and change.after for change in changes):
        for pattern in SAID_PLAINLY:
            yield " and ".join(pattern.format(before=change.before, after=change.after) for change in changes)


def _turned_round(changes: Sequence[Change], reference: str, target: str) -> dict[str, list[str]]:
    """The ways to ask for what the reference has: those that do not name what the target has, and those that do."""
    back = tuple(Change(change.slot, change.after, change.before) for change in changes)
    drafts = chain(_text_paraphrases(back, target, reference), _plainly(back))
    texts = [text for text in drafts if _variant_leads(text, back, target, reference)]
    gone = [change.before for change in back if change.before]
    names = [bool(gone) and all(mentions(words_of(text), word) for word in gone) for text in texts]
    return {
        "no_op": [text for text, is_named in zip(texts, names, strict=True) if not is_named],
        "contradiction": [text for text, is_named in zip(texts, names, strict=True) if is_named],
    }


def _rarely_asked(text: Any) -> tuple[int, str]:
    return -text.weight, text.words


def _misspelt_text(text: str) -> Iterator[str]:
    """The text with two letters inside its longest word swapped, at a place that the text decides."""
    words = text.split()
    longest = max(range(len(words)), key=lambda at: (len(words[at]), -at), default=None)
    if longest is None or len(words[longest]) < SHORTEST:
        return
    word = words[longest]
    start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    for step in range(len(word) - 3):
        at = 1 + (start + step) % (len(word) - 3)
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if word[at] != word[at + 1] and is_misspelling(swapped.lower(), word.lower()):
            yield " ".join([*words[:longest], swapped, *words[longest + 1 :]])


def _negated_text(text: str) -> str:
    first = text.split()[0].lower() if text.split() else ""
    return f"do not {text}" if first in _VERBS else f"not {text}"
