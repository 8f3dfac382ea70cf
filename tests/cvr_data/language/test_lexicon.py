"""lexicon: what WordNet says of words of captions, and what the table must be."""

import pytest

from cvr_data.language.lexicon import FOLDER, read_lexicon


@pytest.mark.parametrize(
    ("word", "name"),
    [("singer", "person"), ("dog", "animal"), ("kitchen", "place"), ("forest", "place"), ("lake", "place"),
     ("street", "place"), ("stage", "place"), ("winter", "season"), ("evening", "time"), ("rain", "weather"),
     ("table", "furniture"), ("bus", "vehicle"), ("guitar", "instrument"), ("bread", "food"), ("snow", "weather"),
     ("knee", "body"), ("shirt", "clothing"), ("train platform", "place")],
)  # fmt: skip
def test_a_word_is_of_the_class_that_a_caption_means(word, name):
    assert read_lexicon().is_a(word, name)


@pytest.mark.parametrize(
    ("word", "name"),
    [("table", "place"), ("wall", "place"), ("pipe", "place"), ("dog", "person"), ("qwertz", "food")],
)
def test_a_word_is_not_of_other_classes(word, name):
    assert not read_lexicon().is_a(word, name)


@pytest.mark.parametrize(
    ("first", "second", "part", "relation"),
    [("couch", "sofa", "noun", "same"), ("talk", "speak", "verb", "same"), ("big", "large", "adj", "same"),
     ("poppy", "flower", "noun", "below"), ("person", "man", "noun", "above"), ("dog", "cat", "noun", "sibling"),
     ("winter", "autumn", "noun", "sibling"), ("girl", "throat", "noun", "apart"), ("x", "x", "noun", "same")],
)  # fmt: skip
def test_two_words_stand_to_each_other_as_people_would_say(first, second, part, relation):
    swapped = {"above": "below", "below": "above"}
    assert read_lexicon().relation(first, second, part) == relation
    assert read_lexicon().relation(second, first, part) == swapped.get(relation, relation)


def test_the_verb_of_a_participle_is_the_more_frequent_one():
    verb_of = read_lexicon().verb_of
    assert [verb_of(word) for word in ("riding", "running", "painted", "stopped", "dog")] == [
        "ride", "run", "paint", "stop", None,
    ]  # fmt: skip


def test_the_singular_of_a_plural_is_the_most_frequent_one():
    singular_of = read_lexicon().singular_of
    assert [singular_of(word) for word in ("vases", "leaves", "knives", "gloves", "grass")] == [
        "vase", "leaf", "knife", "glove", None,
    ]  # fmt: skip
    assert singular_of("leaves", "verb") == "leave"


def test_the_tables_are_small_and_carry_their_licence():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_500_000
    assert "Princeton University" in (FOLDER / "LICENSE").read_text(encoding="utf-8")
