"""Ask a language model about queries, through the request cache of `cvr generate-modifications`."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from cvr_data.core.model_packages import cache_folder
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.parse import parse_answer
from cvr_data.modifications.asking.request import Change, Request
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.prompts import load_prompt

NO_CHANGE = Change(kind="static", slot="", before="", after="")


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
            )
            for number, each in enumerate(variables)
        ]
        with nullcontext() if self.backend.is_pure else RequestCache(self.cache) as opened:
            found = Asker(self.backend, opened).answers(requests)
        prompt = self.prompt
        return [
            parse_answer(answer.text, lead=prompt.lead, schema=prompt.schema, key=prompt.answer_key) or None
            if answer.text is not None
            else None
            for answer in found
        ]
