"""slots: hand-tagged captions, so that the rules are tested without the tagger."""

import pytest

from cvr_data.language.slots import Tagged, repaired, slot_of

PARTS = {
    "NN": "NOUN", "NNS": "NOUN", "DT": "DET", "JJ": "ADJ", "IN": "ADP", "VBZ": "VERB", "VBG": "VERB", "VBN": "VERB",
    "VBD": "VERB", "RB": "ADV", "WDT": "PRON", "CC": "CCONJ", "CD": "NUM", "RP": "ADP", "NNP": "PROPN",
}  # fmt: skip


def caption(text):
    """Return `a/DT dog/NN` as tagged words."""
    pairs = [piece.split("/") for piece in text.split()]
    return repaired(Tagged([word for word, _ in pairs], [PARTS[tag] for _, tag in pairs], [tag for _, tag in pairs]))


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("a/DT dog/NN runs/VBZ on/IN sand/NN", "dog", "object"),
        ("a/DT dog/NN runs/VBZ on/IN sand/NN", "runs", "action"),
        ("a/DT dog/NN runs/VBZ on/IN sand/NN", "sand", "scene"),
        ("a/DT small/JJ dog/NN", "small", "attribute"),
        ("two/CD dogs/NNS", "two", "attribute"),
        ("a/DT running/VBG dog/NN sleeps/VBZ", "running", "attribute"),
        ("cooking/VBG fish/NN at/IN home/NN", "cooking", "action"),
        ("cooked/VBN fish/NN", "cooked", "attribute"),
        ("a/DT striped/VBN big/JJ ball/NN", "striped", "attribute"),
        ("a/DT man/NN dressed/VBN warm/JJ", "dressed", "action"),
        ("a/DT brick/NN wall/NN", "brick", "attribute"),
        ("a/DT ring/NN flashes/NNS", "flashes", "action"),
        ("a/DT ring/NN flashes/NNS", "ring", "object"),
        ("the/DT camera/NN tilts/NNS", "tilts", "action"),
        ("the/DT dog/NN houses/NNS burn/VBZ", "houses", "object"),
        ("a/DT cup/NN in/IN front/NN of/IN the/DT shelf/NN", "shelf", "scene"),
        ("a/DT piece/NN of/IN bread/NN", "bread", "object"),
        ("in/IN front/NN of/IN the/DT city/NN a/DT big/JJ star/NN", "star", "object"),
        ("a/DT cup/NN with/IN the/DT shelf/NN behind/IN", "shelf", "scene"),
        ("a/DT star/NN that/WDT spins/VBZ", "star", "object"),
        ("a/DT sunset/NN", "sunset", "scene"),
        ("white/NN ball/NN", "white", "attribute"),
        ("an/DT orange/NN striped/VBN ball/NN", "orange", "attribute"),
        ("an/DT orange/NN on/IN wood/NN", "orange", "object"),
        ("a/DT ball/NN moves/VBZ left/RB", "left", "action"),
        ("a/DT ball/NN goes/VBZ off/RP", "off", "action"),
        ("a/DT very/RB big/JJ dog/NN", "very", "other"),
        ("a/DT hot/JJ dog/NN", "hot dog", "object"),
        ("a/DT ring/NN vanishing/NN at/IN the/DT wall/NN", "ring", "object"),
        ("a/DT ring/NN vanishing/NN at/IN the/DT wall/NN", "vanishing", "action"),
        ("a/DT wood/NN ceiling/NN at/IN night/NN", "ceiling", "object"),
        ("the/DT glacier/JJ and/CC a/DT ring/NN", "glacier", "scene"),
        ("red/JJ rose/NN closeup/NN", "rose", "object"),
        ("young/JJ woman/NN freelancer/NN", "woman", "object"),
        ("a/DT car/NN that/WDT moves/NNS left/VBD", "moves", "action"),
        ("the/DT pink/JJ parasol/NNP drifts/NNS right/RB", "drifts", "action"),
        ("the/DT christmas/NNP lights/NNS at/IN night/NN", "lights", "object"),
        ("a/DT large/JJ orange/NN spotted/VBD ball/NN", "spotted", "attribute"),
        ("a/DT dog/NN", "cat", "other"),
        ("a/DT dog/NN", "", "other"),
    ],
)
def test_a_word_fills_the_slot_a_person_would_say(text, phrase, expected):
    assert slot_of(caption(text), phrase) == expected
