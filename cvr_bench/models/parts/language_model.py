"""Ask a language model about queries, through the request cache of `cvr generate-modifications`."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import cache_folder
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.choices import answer_log_odds
from cvr_data.modifications.asking.parse import parse_answer
from cvr_data.modifications.asking.request import Answer, Change, Request
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.prompts import load_prompt

NO_CHANGE = Change(kind="static", slot="", before="", after="")
YES_NO = ("yes", "no")


class LanguageModel:
    """One backend with one prompt, built-in or a YAML file; a cache of None is that of `cvr generate-modifications`."""

    def __init__(self, backend: str, options: Sequence[str], prompt: str, cache: Path | None):
        self.backend = BACKENDS.get(backend).load(BACKENDS.config(backend, options))
        self.prompt = load_prompt(prompt)
        self.introduction = self.prompt.introduction()
        self.cache = cache or cache_folder() / "requests.sqlite"

    def answers(
        self, variables: Sequence[Mapping[str, str]], images: Sequence[tuple[bytes, ...]] | None = None
    ) -> list[str | None]:
        """Return what the model says to each; None where it failed or said nothing of the right form.

        `variables` are those of the prompt's text, `images` JPEG frames shown with it, for vision-language models.
        """
        found = self._asked(variables, images)
        prompt = self.prompt
        return [
            parse_answer(answer.text, lead=prompt.lead, schema=prompt.schema, key=prompt.answer_key) or None
            if answer.text is not None
            else None
            for answer in found
        ]

    def log_odds(
        self, variables: Sequence[Mapping[str, str]], images: Sequence[tuple[bytes, ...]] | None = None
    ) -> list[float | None]:
        """Return how much likelier yes than no comes next, as a difference of logarithms; None where it tells neither.

        Raises:
            CvrError: the backend tells of no request how likely words are.
        """
        answers = self._asked(variables, images, YES_NO)
        errors = [answer.error for answer in answers if answer.text is None]
        if answers and len(errors) == len(answers):
            raise CvrError(f"{self.backend.model} gave no log-odds of {len(answers)} questions: {errors[0]}.")
        return [answer_log_odds(answer.text, YES_NO) for answer in answers]

    def _asked(
        self, variables: Sequence[Mapping[str, str]], images: Sequence[tuple[bytes, ...]] | None,
        choices: tuple[str, ...] = (),
    ) -> list[Answer]:  # fmt: skip
        parameters = self.prompt.parameters(0, 0)
        requests = [
            Request(
                pair_id="",
                style=self.prompt.style,
                change=NO_CHANGE,
                messages=(*self.introduction, self.prompt.question(each)),
                images=images[number] if images else (),
                lead=self.prompt.lead,
                one_line=not self.prompt.schema,
                schema=self.prompt.schema_text,
                prompt_sha256=self.prompt.sha256,
                parameters=parameters,
                choices=choices,
            )
            for number, each in enumerate(variables)
        ]
        with nullcontext() if self.backend.is_pure else RequestCache(self.cache) as opened:
            return Asker(self.backend, opened).answers(requests)
