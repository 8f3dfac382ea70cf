"""choices: probabilities of a word's tokens are added, words are told apart, and odds go through the cache as text."""

import math

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.choices import (
    ChoiceTokens,
    choice_tokens,
    log_odds,
    weigh_tokens,
    weigh_told,
    weighed_answer,
)

WORDS = ("yes", "no")


def test_ways_to_write_a_word_are_added_up():
    told = [("Yes", math.log(0.3)), (" yes", math.log(0.2)), ("\u0120no", math.log(0.25)), ("maybe", math.log(0.1))]
    answer = weighed_answer(weigh_told(told, WORDS), tokens_in=7)
    assert log_odds(answer.text, WORDS) == pytest.approx(math.log(0.5 / 0.25), abs=1e-5)
    assert log_odds(answer.text, ("no", "yes")) == pytest.approx(-math.log(0.5 / 0.25), abs=1e-5)
    assert answer.tokens_in == 7


def test_a_word_that_is_not_among_the_likeliest_is_no_likelier_than_the_least_of_them():
    weights = weigh_told([("Yes", -0.1), ("Sure", -3.0), ("Of", -6.0)], WORDS)
    assert weights == {"yes": pytest.approx(-0.1), "no": -6.0}


@pytest.mark.parametrize("told", [[("<think>", -0.01), ("Well", -5.0)], []])
def test_a_model_that_would_say_neither_gives_no_odds(told):
    answer = weighed_answer(weigh_told(told, WORDS))
    assert answer.text is None and "none of the words" in answer.error
    assert log_odds(answer.text, WORDS) is None


@pytest.mark.parametrize(
    "text", ["", "yes", "[1]", '{"yes": 1}', '{"yes": -Infinity, "no": -1}', '{"yes": {}, "no": 1}']
)
def test_what_another_program_put_into_the_cache_is_no_answer(text):
    assert log_odds(text, WORDS) is None


def test_tokens_that_both_words_may_begin_with_count_for_neither():
    def by_bytes(text):
        return list(text.encode())

    assert choice_tokens(by_bytes, WORDS) == {"yes": sorted(b"yY"), "no": sorted(b"nN")}
    assert weigh_tokens({ord("y"): -1.0, ord("n"): -2.0, ord(" "): -0.5}, choice_tokens(by_bytes, WORDS)) == {
        "yes": -1.0,
        "no": -2.0,
    }
    with pytest.raises(CvrError, match="do not tell 'yes' from"):
        choice_tokens(lambda text: [0], WORDS)


def test_the_tokens_of_choices_are_found_once():
    asked = []
    tokens = ChoiceTokens(lambda text: asked.append(text) or list(text.encode()))
    assert tokens.of(WORDS) is tokens.of(list(WORDS)) and len(asked) == 8
    assert tokens.of(WORDS) == choice_tokens(lambda text: list(text.encode()), WORDS)
