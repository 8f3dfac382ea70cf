"""Ask a backend through the request cache: only what is new is asked, each answer is stored when it arrives.

with RequestCache(path) as cache:
    asker = Asker(backend, cache)
    answers = asker.answers(requests)            # one per request, in order; a failed one says why
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cvr_data.core.progress import Progress
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.choices import TellsChoices
from cvr_data.modifications.asking.request import NO_ANSWER, Answer, Backend, Request, request_key


@dataclass(kw_only=True)
class Tally:
    """What was asked of an engine, and what it cost."""

    asked: int = 0
    cached: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    """Time the backend took, its start included."""

    def as_json(self) -> dict[str, Any]:
        """Return the counts with rates per second of the backend's time; a rate of nothing asked is None."""
        rates = (self.asked, self.tokens_out)
        per_s = [round(value / self.seconds, 2) if self.asked and self.seconds > 0 else None for value in rates]
        return {
            "asked": self.asked, "cached": self.cached, "failed": self.failed, "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out, "seconds": round(self.seconds, 3), "requests_per_s": per_s[0],
            "tokens_per_s": per_s[1],
        }  # fmt: skip


class Asker:
    """Asks one backend; without a cache (a pure backend needs none) it asks everything."""

    def __init__(self, backend: Backend, cache: RequestCache | None = None):
        self.backend = backend
        self.cache = cache
        self.tally = Tally()

    def answers(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Answer]:
        """Return one answer per request, in order; equal requests are asked once."""
        if self.cache is None:
            asked = self._ask(requests, None, progress)
            return [asked.get(number, NO_ANSWER) for number in range(len(requests))]
        told = self.backend.tells_choices if isinstance(self.backend, TellsChoices) else ""
        keys = [request_key(self.backend.model, request, told) for request in requests]
        known = self.cache.get(keys)
        # Pairs of other videos with the same captions ask the same: it is asked once.
        new = {key: request for key, request in zip(keys, requests, strict=True) if key not in known}
        self.tally.cached += sum(key in known for key in keys)
        if progress is not None:
            progress.skip(len(keys) - len(new), f"{len(keys) - len(new)} from the cache")
        asked = self._ask(list(new.values()), list(new), progress)
        known |= {key: asked.get(number, NO_ANSWER) for number, key in enumerate(new)}
        return [known[key] for key in keys]

    def _ask(self, requests: Sequence[Request], keys: list[str] | None, progress: Progress | None) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        if not requests:
            return answers
        self.tally.asked += len(requests)
        started = time.monotonic()
        try:
            for number, answer in self.backend.write(requests):
                if number in answers:
                    continue
                answers[number] = self._taken(answer, keys[number] if keys is not None else None)
                if progress is not None:
                    progress.advance()
        finally:
            self.tally.seconds += time.monotonic() - started
        self.tally.failed += sum(answers.get(number, NO_ANSWER).text is None for number in range(len(requests)))
        return answers

    def _taken(self, answer: Answer, key: str | None) -> Answer:
        self.tally.tokens_in += answer.tokens_in or 0
        self.tally.tokens_out += answer.tokens_out or 0
        if key is not None and self.cache is not None and answer.text is not None and answer.error is None:
            return self.cache.put(key, self.backend.model, answer)
        return answer
