"""variants: other texts of a query, of which those that keep the target lead there and the others do not."""

import pytest

from cvr_data.language.execution import Change, outcome_of
from cvr_data.modifications.variants import KEEPING, OTHER, PARAPHRASES, text_variants

ROWS = {
    "attribute": ("make the car blue", "a red car drives", "a blue car drives", "red", "blue"),
    "object": ("replace the guitar with a piano", "a man plays a guitar", "a man plays a piano", "guitar", "piano"),
    "action": ("have the dogs sleep", "two dogs run on a beach", "two dogs sleep on a beach", "run", "sleep"),
    "scene": ("put the cat on a couch", "a cat lies on a bed", "a cat lies on a couch", "bed", "couch"),
}
OTHERS = ["add a hat", "make it night"]


def row(slot):
    text, reference, target, before, after = ROWS[slot]
    change = {"kind": "static", "slot": slot, "before": before, "after": after}
    return {"modification": text, "reference_caption": reference, "target_caption": target, "changes": [change]}


@pytest.mark.parametrize("slot", ROWS)
def test_what_keeps_the_target_leads_there_and_what_asks_for_something_else_does_not(slot):
    text, reference, target, before, after = ROWS[slot]
    found = text_variants(row(slot), OTHERS)
    for variant in found:
        outcome = outcome_of(variant.text, (Change(slot, before, after),), reference, target)
        leads = outcome.reason is None and not outcome.missed
        assert variant.text != text
        assert leads == (variant.kind in KEEPING) or variant.kind == "misspelt", variant
    kinds = [variant.kind for variant in found]
    assert {"paraphrase", "over_specified", *OTHER} <= {*kinds}
    assert 1 <= kinds.count("paraphrase") <= PARAPHRASES
    assert [variant.number for variant in found if variant.kind == "paraphrase"] == [*range(kinds.count("paraphrase"))]


def test_a_misspelt_text_has_two_letters_of_its_longest_word_swapped():
    [found] = [variant.text for variant in text_variants(row("object"), []) if variant.kind == "misspelt"]
    words, said = found.split(), ROWS["object"][0].split()
    [changed] = [at for at, (one, other) in enumerate(zip(words, said, strict=True)) if one != other]
    assert said[changed] == "replace"
    assert sorted(words[changed]) == sorted(said[changed])
    assert (words[changed][0], words[changed][-1]) == ("r", "e")


def test_a_text_that_leads_to_the_target_is_not_irrelevant():
    found = text_variants(row("attribute"), ["turn the car blue", "add a hat"])
    assert [variant.text for variant in found if variant.kind == "irrelevant"] == ["add a hat"]


def test_a_query_of_which_nothing_is_known_has_none():
    assert text_variants({**row("attribute"), "changes": None}, OTHERS) == []
    assert text_variants({**row("attribute"), "target_caption": None}, OTHERS) == []


def test_the_same_query_has_the_same_variants():
    assert text_variants(row("scene"), OTHERS) == text_variants(row("scene"), OTHERS)
