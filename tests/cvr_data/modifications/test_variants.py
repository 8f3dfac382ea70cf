"""variants: other texts of a query, of which those that keep the target lead there and the others do not."""

import pytest

from cvr_data.language.execution import Change, phrase_change_outcome
from cvr_data.language.words import mentions, words_of
from cvr_data.modifications.variants import KEEPING, OTHER, PARAPHRASES, modification_variants

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
    found = modification_variants(row(slot), OTHERS)
    for variant in found:
        outcome = phrase_change_outcome(variant.text, (Change(slot, before, after),), reference, target)
        leads = outcome.reason is None and not outcome.missed
        assert variant.text != text
        assert leads == (variant.kind in KEEPING) or variant.kind == "misspelt", variant
    kinds = [variant.kind for variant in found]
    assert {*KEEPING, *OTHER} == {*kinds}
    assert kinds.count("paraphrase") == PARAPHRASES
    back = Change(slot, after, before)
    for variant in found:  # realised of the change turned round: from the target it leads to the reference
        if variant.kind in ("no_op", "contradiction"):
            outcome = phrase_change_outcome(variant.text, (back,), target, reference)
            assert outcome.reason is None and not outcome.missed
            assert mentions(words_of(variant.text), after) == (variant.kind == "contradiction")
    assert [variant.number for variant in found if variant.kind == "paraphrase"] == [*range(kinds.count("paraphrase"))]


def test_where_the_realiser_has_few_ways_paraphrases_take_the_captions_words_and_a_slip_makes_no_other_word():
    change = {"kind": "static", "slot": "attribute", "before": "white", "after": "pink"}
    captions = {"reference_caption": "there is a white spotted butterfly drifting left at the bookshelf",
                "target_caption": "there is a pink spotted butterfly drifting left at the bookshelf"}  # fmt: skip
    found = modification_variants({"modification": "make it pink", "changes": [change], **captions}, OTHERS)
    counted = {"modification": "show three dogs", "changes": [{**change, "before": "two", "after": "three"}],
               "reference_caption": "one walks two dogs", "target_caption": "one walks three dogs"}  # fmt: skip
    paraphrases = [variant.text for variant in modification_variants(counted, OTHERS) if variant.kind == "paraphrase"]
    assert len(paraphrases) == PARAPHRASES and paraphrases[-2:] == ["three instead of two", "three rather than two"]
    assert [variant.text for variant in found if variant.kind == "contradiction"] == ["white instead of pink"]
    removal = {**change, "after": ""}
    removed = modification_variants({"modification": "remove it", "changes": [removal], **captions}, [])
    assert not [each for each in removed if "instead" in each.text]
    slips = [
        modification_variants({**row("object"), "modification": f"add a {word}"}, []) for word in ("trail", "coast")
    ]
    misspelt = [variant.text for of_word in slips for variant in of_word if variant.kind == "misspelt"]
    assert "add a trial" not in misspelt and len(misspelt) == 2  # "trial" is a word


def test_a_misspelt_text_has_two_letters_of_its_longest_word_swapped():
    [found] = [variant.text for variant in modification_variants(row("object"), []) if variant.kind == "misspelt"]
    words, said = found.split(), ROWS["object"][0].split()
    [changed] = [at for at, (one, other) in enumerate(zip(words, said, strict=True)) if one != other]
    assert said[changed] == "replace"
    assert sorted(words[changed]) == sorted(said[changed])
    assert (words[changed][0], words[changed][-1]) == ("r", "e")


def test_a_text_that_leads_to_the_target_is_not_irrelevant():
    found = modification_variants(row("attribute"), ["turn the car blue", "add a hat"])
    assert [variant.text for variant in found if variant.kind == "irrelevant"] == ["add a hat"]


def test_a_query_of_which_nothing_is_known_has_none():
    assert modification_variants({**row("attribute"), "changes": None}, OTHERS) == []
    assert modification_variants({**row("attribute"), "target_caption": None}, OTHERS) == []


def test_the_same_query_has_the_same_variants():
    assert modification_variants(row("scene"), OTHERS) == modification_variants(row("scene"), OTHERS)
