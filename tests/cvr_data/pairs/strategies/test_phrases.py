"""_phrases: which spans of tagged captions are phrases, on captions tagged by hand."""

import pytest

from cvr_data.language.slots import Tagged
from cvr_data.pairs.strategies.one_phrase import kind_of_phrase

MAN = Tagged(
    "a man is quickly picking up a dark blue box and a bag on the beach".split(),
    "DET NOUN AUX ADV VERB ADP DET ADJ ADJ NOUN CCONJ DET NOUN ADP DET NOUN".split(),
    "DT NN VBZ RB VBG RP DT JJ JJ NN CC DT NN IN DT NN".split(),
)
DOG = Tagged(
    "the striped dog starts to run".split(), "DET VERB NOUN VERB PART VERB".split(), "DT VBN NN VBZ TO VB".split()
)


@pytest.mark.parametrize(
    ("caption", "phrase", "expected"),
    [
        (MAN, "a man", "noun"),
        (MAN, "dark blue", "noun"),
        (MAN, "blue box", "noun"),
        (MAN, "on the beach", "noun"),
        (MAN, "box and a bag", "noun"),
        (MAN, "picking up", "verb"),
        (MAN, "quickly picking", "verb"),
        (MAN, "picking up a dark blue box", "verb"),
        (MAN, "is", "verb"),
        (MAN, "man is", None),
        (MAN, "picking up a", None),
        (MAN, "and a bag", None),
        (MAN, "bag on", None),
        (MAN, "man is quickly picking", None),
        (DOG, "striped dog", "noun"),
        (DOG, "starts to run", "verb"),
        (DOG, "starts to", None),
    ],
)
def test_a_span_is_a_noun_phrase_a_verb_phrase_or_none(caption, phrase, expected):
    size = len(phrase.split())
    start = next(at for at in range(len(caption.words)) if caption.words[at : at + size] == phrase.split())
    assert kind_of_phrase(caption, start, size) == expected
