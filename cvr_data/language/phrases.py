"""Which words of a tagged caption are a phrase of their own."""

from typing import Literal

from cvr_data.language.slots import MODIFIERS, PARTICIPLES, THINGS, VERBS, Tagged

_BEFORE_VERB = frozenset(("ADV", "PART"))
_NEVER_FIRST = frozenset(("CCONJ", "SCONJ", "PUNCT"))
_NEVER_LAST = frozenset(("DET", "CCONJ", "SCONJ", "ADP", "PUNCT"))
_WITHIN_NOUN = MODIFIERS | THINGS | {"ADV", "CCONJ", "ADP", "PART"}


def kind_of_phrase(caption: Tagged, start: int, size: int) -> Literal["noun", "verb"] | None:
    """Return what words start : start + size of a caption are.

    A verb phrase begins with a verb, or an adverb before it; a noun phrase ends in a noun, an adjective or a number,
    may begin with a preposition ("on the beach"), and may be a part of a longer one ("dark blue" of "dark blue car").
    Neither begins with a conjunction or ends in a word that announces another: an article, a conjunction, an auxiliary
    after other words, a preposition that is no verb's particle.
    """
    parts, tags = caption.parts[start : start + size], caption.tags[start : start + size]
    is_cut = (parts[-1] in _NEVER_LAST and tags[-1] != "RP") or tags[-1] in ("TO", "POS")
    if is_cut or parts[0] in _NEVER_FIRST or (size > 1 and parts[-1] == "AUX"):
        return None
    is_verb = [part in VERBS for part in parts]
    following = caption.parts[start + 1 : start + size]  # a participle before a noun is no verb: "striped cat"
    if (
        any(is_verb)
        and all(part in _BEFORE_VERB for part in parts[: is_verb.index(True)])
        and not (caption.tags[start] in ("VBN", "VBD") and bool(following) and following[0] in (*THINGS, "ADJ"))
    ):
        return "verb"
    is_nominal = all(part in _WITHIN_NOUN or tag in PARTICIPLES for part, tag in zip(parts, tags, strict=True))
    return "noun" if is_nominal and (parts[-1] in THINGS or parts[-1] in ("ADJ", "NUM")) else None
