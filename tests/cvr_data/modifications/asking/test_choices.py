"""choices: probabilities of a word's tokens are added, words are told apart, and odds go through the cache as text."""

import math
from dataclasses import dataclass

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.choices import (
    ChoiceTokens,
    answer_log_odds,
    choice_tokens,
    weigh_tokens,
    weigh_told,
    weighed_answer,
)
from cvr_data.modifications.asking.request import Change, Message, Request, request_key
from cvr_data.modifications.backends import load_backend

WORDS = ("yes", "no")
ASKED = Request(pair_id="", style="", change=Change(kind="", slot="", before="", after=""), choices=WORDS,
                messages=(Message("user", "Is snow white?"),))  # fmt: skip


@dataclass
class Told:
    """Says how likely the choices are, as far as it is told."""

    tells_choices: str
    no: float
    model: str = "one and the same"
    is_pure: bool = False
    gpus: int = 0

    def write(self, requests):
        for number, request in enumerate(requests):
            yield number, weighed_answer(dict(zip(request.choices, (-0.5, self.no), strict=True)))


def test_ways_to_write_a_word_are_added_up():
    told = [("Yes", math.log(0.3)), (" yes", math.log(0.2)), ("\u0120no", math.log(0.25)), ("maybe", math.log(0.1))]
    answer = weighed_answer(weigh_told(told, WORDS), tokens_in=7)
    assert answer_log_odds(answer.text, WORDS) == pytest.approx(math.log(0.5 / 0.25), abs=1e-5)
    assert answer_log_odds(answer.text, ("no", "yes")) == pytest.approx(-math.log(0.5 / 0.25), abs=1e-5)
    assert answer.tokens_in == 7


def test_a_word_that_is_not_among_the_likeliest_is_no_likelier_than_the_least_of_them():
    weights = weigh_told([("Yes", -0.1), ("Sure", -3.0), ("Of", -6.0)], WORDS)
    assert weights == {"yes": pytest.approx(-0.1), "no": -6.0}


@pytest.mark.parametrize("told", [[("<think>", -0.01), ("Well", -5.0)], []])
def test_a_model_that_would_say_neither_gives_no_odds(told):
    answer = weighed_answer(weigh_told(told, WORDS))
    assert answer.text is None and "none of the words" in answer.error
    assert answer_log_odds(answer.text, WORDS) is None


@pytest.mark.parametrize(
    "text", ["", "yes", "[1]", '{"yes": 1}', '{"yes": -Infinity, "no": -1}', '{"yes": {}, "no": 1}']
)
def test_what_another_program_put_into_the_cache_is_no_answer(text):
    assert answer_log_odds(text, WORDS) is None


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


def test_what_was_told_of_the_likeliest_tokens_is_no_answer_about_each(tmp_path):
    """A word that is not among twenty counts as the least of them, so their odds are others; both are kept."""
    with RequestCache(tmp_path / "cache.sqlite") as cache:
        askers = [Asker(Told(*told), cache) for told in (("20 likeliest", -3.0), ("each", -7.0))]
        found = [[answer_log_odds(asker.answers([ASKED])[0].text, WORDS) for _ in range(2)] for asker in askers]
    assert found == [[2.5, 2.5], [6.5, 6.5]]
    assert [(asker.tally.asked, asker.tally.cached) for asker in askers] == [(1, 1), (1, 1)]


def test_engines_tell_of_each_token_and_servers_of_the_likeliest():
    told = [load_backend(name, ["model=org/model"]).tells_choices for name in ("transformers", "vllm", "openai")]
    assert told == ["each", "each", "20 likeliest"]
    keys = {request_key("org/model", ASKED, each) for each in told}
    assert len(keys) == 2
