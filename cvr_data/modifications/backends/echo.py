"""For tests: answers with the change itself, or with a fixed text.

Example:
    cvr generate-modifications pairs --style short --llm echo -o text="change it to $after"
"""

import string
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from cvr_data.modifications.asking.request import Answer, Backend, Request


@dataclass(frozen=True, kw_only=True)
class Config:
    text: str = "change the $before to $after instead of $before"
    """The answer; $before, $after, $kind, $slot, $style and $seed are filled in."""
    fail: str = ""
    """Requests whose `after` is this fail, to see an error row."""


def load(config: Config) -> Backend:
    """Return the backend."""
    return EchoBackend(config.text, config.fail)


class EchoBackend:
    """Fills in a template."""

    is_pure = True
    gpus = 0

    def __init__(self, text: str, fail: str):
        self.text, self.fail = string.Template(text), fail
        self.model = "echo"

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers in order."""
        for number, request in enumerate(requests):
            if self.fail and request.change.after == self.fail:
                yield number, Answer(text=None, error="echo was told to fail")
                continue
            variables = {**asdict(request.change), "style": request.style, "seed": request.parameters.seed}
            text = self.text.safe_substitute(variables)
            yield number, Answer(text=text, tokens_in=0, tokens_out=len(text.split()))
