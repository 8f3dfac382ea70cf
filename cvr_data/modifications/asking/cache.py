"""The request cache of language models: the texts of `core/stored_answers.py` as answers of a backend."""

from collections.abc import Iterable

from cvr_data.core.stored_answers import StoredAnswer, StoredAnswers
from cvr_data.modifications.asking.request import Answer


class RequestCache(StoredAnswers):
    """Answers by request key. Errors are never stored: they are asked again."""

    def get(self, keys: Iterable[str]) -> dict[str, Answer]:
        """Return the answers that are there, by key."""
        return {key: _answer(stored) for key, stored in self.stored(keys).items()}

    def put(self, key: str, model: str, answer: Answer) -> Answer:
        """Store an answer at once and return the one under the key: the first one stays, whichever process had it."""
        found = StoredAnswer(answer.text or "", answer.tokens_in, answer.tokens_out, answer.is_cut)
        stored = self.store(key, model, found)
        return answer if stored is found else _answer(stored)


def _answer(stored: StoredAnswer) -> Answer:
    return Answer(text=stored.text, tokens_in=stored.tokens_in, tokens_out=stored.tokens_out, is_cut=stored.is_cut)
