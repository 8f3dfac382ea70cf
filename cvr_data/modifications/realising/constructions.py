"""Constructions of a change by slot, as often as people use them, and the texts that come of them.

    texts_of(found)              # ["make the car blue", ...] of a located change, each with its weight
    modifications_that_exclude(found)    # the same with what goes taken back: "make the car blue instead of red"

Weights are counts among the 1,278 texts that people wrote for half of WebVid-CoVR's test (Ventura et al., AAAI 2024,
https://arxiv.org/abs/2308.14746); of their words nothing is here. Half of those texts are said in no way that comes
twice, most of them with other words of the caption ("have a fox run in the snow"): constructions that take such words,
and those of `rarer`, stand for them. What fits no construction is not said.
"""

from collections.abc import Callable, Iterator

from cvr_data.modifications.realising.actions import action_modifications, deed_modifications
from cvr_data.modifications.realising.located import Located, Side
from cvr_data.modifications.realising.qualities import attribute_modifications, quality_modifications
from cvr_data.modifications.realising.refused import CannotSay
from cvr_data.modifications.realising.scenes import scene_modifications
from cvr_data.modifications.realising.text import Text
from cvr_data.modifications.realising.things import object_modifications

HANGING = (" with", " towards", " toward", " of", " to", " at", " into", " onto", " from", " for", " sit on",
    " walk on", " sitting on", " walking on", " use", " a", " an", " the")  # fmt: skip
"""Ends of what lacks its own."""


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
        texts = list(_BY_SLOT.get(found.slot, object_modifications)(found, found.before, found.after))
    texts = [text for text in texts if not text.words.endswith(HANGING)]
    if not texts:
        raise CannotSay("no_words")
    return texts


def modifications_that_exclude(found: Located) -> list[Text]:
    """Return the texts of a change that take back what goes: "instead of", "rather than", "not".

    "Not" comes first more often: what follows the others is a phrase of two words that comes again and again.
    """
    texts = _all_of(found)
    if found.before is None:
        return texts
    said = []
    for text in texts:
        if text.gone:
            plain = text.plain or text.gone
            said.append(text._replace(words=f"{text.words} instead of {text.gone}"))
            said.append(text._replace(weight=text.weight / 2, words=f"{text.words} rather than {plain}"))
            said.append(text._replace(weight=text.weight * 40, words=f"{text.words}, not {plain}"))
    return said


def _one_sided(found: Located) -> Iterator[Text]:
    before, after = found.before, found.after
    if after is not None:
        if found.slot == "attribute":
            yield from quality_modifications(found, after, "")
        elif found.slot == "action" and after.base:
            yield from deed_modifications(found, after)
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


_BY_SLOT: dict[str, Callable[[Located, Side, Side], Iterator[Text]]] = {
    "attribute": attribute_modifications,
    "object": object_modifications,
    "scene": scene_modifications,
    "action": action_modifications,
}
