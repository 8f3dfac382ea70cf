"""slots: hand-tagged captions, so that the rules are tested without the tagger."""

import pytest

from cvr_data.language.slots import Tagged, part_of_speech, repair_parsed_caption

PARTS = {
    "NN": "NOUN", "NNS": "NOUN", "DT": "DET", "JJ": "ADJ", "IN": "ADP", "VBZ": "VERB", "VBG": "VERB", "VBN": "VERB",
    "VBD": "VERB", "RB": "ADV", "WDT": "PRON", "CC": "CCONJ", "CD": "NUM", "RP": "ADP", "NNP": "PROPN",
}  # fmt: skip


def caption(text):
    """Return `a/DT dog/NN` as tagged words."""
    pairs = [piece.split("/") for piece in text.split()]
    return repair_parsed_caption(
        Tagged([word for word, _ in pairs], [PARTS[tag] for _, tag in pairs], [tag for _, tag in pairs])
    )


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("a/DT dog/NN runs/VBZ on/IN sand/NN", "runs", "VERB"),
        ("a/DT dog/NN runs/VBZ on/IN sand/NN", "sand", "NOUN"),
        ("a/DT ring/NN flashes/NNS", "flashes", "VERB"),
        ("a/DT ring/NN flashes/NNS", "ring", "NOUN"),
        ("the/DT camera/NN tilts/NNS", "tilts", "VERB"),
        ("the/DT dog/NN houses/NNS burn/VBZ", "houses", "NOUN"),
        ("white/NN ball/NN", "white", "ADJ"),
        ("an/DT orange/NN striped/VBN ball/NN", "orange", "ADJ"),
        ("an/DT orange/NN on/IN wood/NN", "orange", "NOUN"),
        ("a/DT hot/JJ dog/NN", "hot dog", "NOUN"),
        ("a/DT ring/NN vanishing/NN at/IN the/DT wall/NN", "vanishing", "VERB"),
        ("a/DT wood/NN ceiling/NN at/IN night/NN", "ceiling", "NOUN"),
        ("the/DT glacier/JJ and/CC a/DT ring/NN", "glacier", "NOUN"),
        ("the/DT top/JJ shelf/NN", "top", "ADJ"),
        ("a/DT car/NN that/WDT moves/NNS left/VBD", "moves", "VERB"),
        ("the/DT pink/JJ parasol/NNP drifts/NNS right/RB", "drifts", "VERB"),
        ("the/DT christmas/NNP lights/NNS at/IN night/NN", "lights", "NOUN"),
        ("a/DT large/JJ orange/NN spotted/VBD ball/NN", "orange", "ADJ"),
        ("a/DT dog/NN", "cat", None),
        ("a/DT dog/NN", "", None),
    ],
)
def test_a_word_has_the_part_of_speech_a_person_would_say(text, phrase, expected):
    assert part_of_speech(caption(text), phrase) == expected
