"""words: what a word is, for every one who asks; forms of a word."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.filters import lint_change, stop_words
from cvr_data.language.words import has_word, mentions, same_word, words_of
from cvr_data.modifications.draft import NO_CHANGE
from cvr_data.modifications.pairs import prompt_variables_of_pair
from cvr_data.pairs.strategies import one_word
from cvr_data.tables import VIDEOS
from cvr_data.triplets.statistics import triplet_statistics
from tests.pair_tables import example_table
from tests.triplet_tables import triplets

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40)

WORDS = [
    ("A dog runs.", "a dog runs"),
    ("It\u2019s what we`ve seen", "it's what we've seen"),
    ("Don't stop, it isn't over", "don't stop it isn't over"),
    ("a café’s sign", "a café's sign"),
    ("a cafe\u0301 sign", "a café sign"),
    ("“A well‐known dog’s toy!”", "a well-known dog's toy"),
    ("a well\u2011known dog´s toy", "a well-known dog's toy"),
    ("rock 'n' roll -- the dogs' way", "rock n roll the dogs way"),
    ("1,000 balls, 3.5 km at 10:30, 5% of $10", "1,000 balls 3.5 km at 10 30 5 of 10"),
    ("a.b 1.b v1.2 , .5", "a b 1 b v1.2 5"),
    ("red/blue C++ #tag snow_storm a,b", "red blue c tag snow storm a b"),
    ("https://example.com/a_b?c=d", "https example com a b c d"),
    ("2018\u00a04k ﬁlm, ＲＥＤ m²", "2018 4k film red m2"),
    ("soft\u00adly zero\u200bwidth \ufeffbegins \u202bleft", "softly zerowidth begins left"),
    ("„Köln“ 。 e\u0301te\u0301 straße", "köln été straße"),
    ("собака бежит, Ёлка", "собака бежит ёлка"),
    ("ΜΙΑ ΚΟΚΚΙΝΗ ΓΑΤΑ", "μια κοκκινη γατα"),
    ("一只红色的狗。", "一 只 红 色 的 狗"),
    ("犬が走る、Tシャツ", "犬 が 走 る tシャツ"),
    ("빨간 개가 달린다", "빨간 개가 달린다"),
    ("หมาวิ่ง เร็ว", "หมาวิ่ง เร็ว"),
    ("कुत्ता दौड़ता है", "कुत्ता दौड़ता है"),
    ("كلبٌ يركض، بسرعة", "كلبٌ يركض بسرعة"),
    ("a \u2764\ufe0f \U0001f469\u200d\U0001f692 fire", "a fire"),
    ("_ - … '' \u0301", ""),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_words_are_what_a_person_would_count(text, expected):
    assert words_of(text) == unicodedata.normalize("NFKC", expected).split()


def mined(reference, target):
    """The change of the pair that one-word makes of two captions."""
    rows = [{"video_id": name, "captions": [text], "source": ""} for name, text in (("a", reference), ("b", target))]
    pairs = one_word.run(one_word.Config(), pa.Table.from_pylist(rows, schema=VIDEOS)).to_pylist()
    return next(pair["changes"][0] for pair in pairs if pair["reference_id"] == "a")


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_mining_lint_prompts_and_statistics_find_the_same_words(text, expected):
    said = unicodedata.normalize("NFKC", expected).split()
    pair = {"reference_caption": text, "target_caption": text, "changes": None}
    assert prompt_variables_of_pair(pair, NO_CHANGE)["retained"].split() == said
    assert triplet_statistics(triplets(("r", text, "t")))["all"]["words_per_text"]["mean"] == len(said)
    for place, word in enumerate(said):
        changed = " ".join([*said[:place], "zebra", *said[place + 1 :]])
        assert mined(f"in the {changed}", f"in the {text}")["after"] == word
        if "n't" in expected:
            continue  # a negation takes back what it names
        row = {"modification": f"make it: {text}", "changes": [{"before": "zebra", "after": word}]}
        assert lint_change.run(lint_change.Config(), example_table([row])).column("drop_reason").to_pylist() == [None]


@pytest.mark.parametrize("word", ["don't", "isn\u2019t", "Won't", "it's", "they're", "The", "another"])
def test_a_function_word_is_one_for_mining_and_for_lint(word):
    change = mined("a dog red runs", f"a dog {word} runs")
    table = stop_words.run(stop_words.Config(), example_table([{"changes": [change]}]))
    assert table.column("drop_reason").to_pylist() == ["stop_word"]
    assert mentions(["a", "dog"], f"{word} dog")


@given(TEXTS)
def test_words_of_words_are_the_same(text):
    assert words_of(" ".join(words_of(text))) == words_of(text)


@given(TEXTS)
def test_a_word_has_no_space_and_no_sign_but_those_that_join(text):
    for word in words_of(text):
        assert not any(character.isspace() for character in word)
        kinds = {unicodedata.category(sign)[0] for sign in word if sign not in "'-.,"}
        assert kinds <= {"L", "M", "N"} and kinds != {"M"}
        assert word[0] not in "'-.," and word[-1] not in "'-.,"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("walks", "walking"), ("dives", "diving"), ("running", "runs"), ("ran", "run"), ("flies", "fly"),
        ("stopped", "stop"), ("boxes", "box"), ("tomatoes", "tomato"), ("children", "child"), ("shaking", "shakes"),
        ("dog's", "dogs"), ("children's", "child"), ("t-shirts", "tshirt"), ("cafés", "café"),
    ],
)  # fmt: skip
def test_forms_of_a_word_are_the_same_word(one, other):
    assert same_word(one, other) and same_word(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("cat", "cart"), ("grass", "gras"), ("sing", "string"), ("man", "woman"), ("кот", "кит"), ("shirt", "t-shirt")],
)
def test_other_words_are_not(one, other):
    assert not same_word(one, other)


def test_a_concept_of_function_words_must_be_there_word_for_word():
    assert mentions(["zoom", "out"], "out") and not mentions(["zoom", "in"], "out")


def test_a_hyphen_may_be_written_or_not():
    assert has_word(["a", "t-shirt"], "shirt") and has_word(["a", "t", "shirt"], "t-shirt")
    assert has_word(["a", "tshirt"], "t-shirt") and not has_word(["a", "shirt"], "t-shirt")
