"""How likely each of a few words comes next: what a request with `choices` asks, instead of having a text written.

    answer = weighed_answer(weigh_told([("Yes", -0.2), (" yes", -3.1), ("No", -1.9)], ("yes", "no")))
    answer.text                               # '{"yes": -0.146, "no": -1.9}': it goes through the request cache
    answer_log_odds(answer.text, ("yes", "no"))      # 1.754

A word may be one of several tokens, with a blank before it or a capital: their probabilities are added up. A backend
that `TellsChoices` answers so; one forward pass per request, so the order is finer than that of written verdicts.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.request import Answer

LIKELIEST = 20
"""Tokens of which servers tell how likely they are, at most; a word that is not among them counts as the least likely
of these."""
EACH = "each"
NO_LOGPROBS = "the server tells no log-probabilities"


@runtime_checkable
class TellsChoices(Protocol):
    """A backend that says how likely the words of a request's `choices` are."""

    tells_choices: str
    """Of which tokens: `EACH` of a choice's, or so many likeliest. Part of the cache key, as it changes the answer."""


def choice_tokens(encode: Callable[[str], Sequence[int]], choices: Sequence[str]) -> dict[str, list[int]]:
    """Return word -> the tokens that it may begin with, without those that several words begin with.

    Raises:
        CvrError: nothing tells two words apart.
    """
    found = {
        word: {
            tokens[0]
            for said in (word, word.capitalize())
            for start in ("", " ")
            if (tokens := list(encode(start + said)))
        }
        for word in choices
    }
    apart = {
        word: sorted(own - set().union(*(other for name, other in found.items() if name != word)))
        for word, own in found.items()
    }
    if unclear := [word for word, own in apart.items() if not own]:
        raise CvrError(f"The model's tokens do not tell {unclear[0]!r} from the other words it may choose.")
    return apart


@dataclass(frozen=True)
class ChoiceTokens:
    """The tokens of the choices that one engine is asked about, each set of them found once."""

    encode: Callable[[str], Sequence[int]]
    found: dict[tuple[str, ...], dict[str, list[int]]] = field(default_factory=dict)

    def of(self, choices: Sequence[str]) -> dict[str, list[int]]:
        """Return what `choice_tokens` does. Raises CvrError: nothing tells two words apart."""
        key = tuple(choices)
        if key not in self.found:
            self.found[key] = choice_tokens(self.encode, key)
        return self.found[key]


def weigh_told(told: Iterable[tuple[str, float]], choices: Sequence[str]) -> dict[str, float] | None:
    """Return word -> log-probability, of the likeliest tokens and theirs; None where none of them is a choice."""
    listed = list(told)
    of = {word: [value for token, value in listed if _bare(token) == word.casefold()] for word in choices}
    return summed_answer_probabilities(of, min((value for _, value in listed), default=-math.inf))


def weigh_answer_tokens(told: Mapping[int, float], tokens: Mapping[str, Sequence[int]]) -> dict[str, float] | None:
    """Return the same of tokens by number."""
    of = {word: [told[token] for token in own if token in told] for word, own in tokens.items()}
    return summed_answer_probabilities(of, min(told.values(), default=-math.inf))


def summed_answer_probabilities(of: Mapping[str, Sequence[float]], least: float) -> dict[str, float] | None:
    """Return word -> the logarithm of its summed probabilities, `least` where it has none; None if all have none."""
    if not any(of.values()):
        return None
    return {word: round(_log_sum(values), 6) if values else least for word, values in of.items()}


def weighed_answer(weights: Mapping[str, float] | None, **tokens: Any) -> Answer:
    """Return the answer to a request with choices."""
    if weights is None:
        return Answer(text=None, error="the model would say none of the words it may choose", **tokens)
    return Answer(text=json.dumps(weights), **tokens)


def answer_log_odds(text: str | None, choices: tuple[str, str]) -> float | None:
    """Return how much likelier the first word is than the second, as a difference of logarithms; None of no answer."""
    try:
        weights = json.loads(text or "")
        found = float(weights[choices[0]]) - float(weights[choices[1]])
    except (ValueError, TypeError, KeyError):
        return None
    return found if math.isfinite(found) else None


def _bare(token: str) -> str:
    return token.strip(" \t\n\u0120\u2581").casefold()  # byte-level and sentencepiece blanks


def _log_sum(values: Sequence[float]) -> float:
    most = max(values)
    return most if math.isinf(most) else most + math.log(sum(math.exp(value - most) for value in values))
