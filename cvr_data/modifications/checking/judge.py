"""Verdicts of a language model on modification texts, by the rubric of the prompt `judge`.

judge = Judge(JudgeConfig(backend="openai", options=("model=...",)))
table = judge.verdicts(references, texts, targets)   # judge_verdict, judge_reason; null where none could be read
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.parse import parse_answer_object, read_answer
from cvr_data.modifications.asking.request import Change, Request
from cvr_data.modifications.backends import load_backend
from cvr_data.modifications.prompts import load_prompt

SCHEMA = pa.schema([("judge_verdict", pa.string()), ("judge_reason", pa.string())])
VERDICTS = ("valid", "wrong", "ambiguous", "too_broad", "leaks_target")
_NO_CHANGE = Change(kind="", slot="", before="", after="")


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Who judges, and how often it may try."""

    backend: str
    """A name in `cvr_data.modifications.backends`."""
    options: tuple[str, ...] = ()
    """`key=value` options of the backend."""
    prompt: str = "judge"
    """A built-in prompt with the task judge, or a YAML file."""
    attempts: int = 3
    """Answers to ask for, under new seeds, before a text stays without a verdict."""


class Judge:
    """Asks one backend for verdicts."""

    def __init__(self, config: JudgeConfig, asker: Asker | None = None):
        self.config = config
        self.prompt = load_prompt(config.prompt)
        if self.prompt.task != "judge" or not self.prompt.schema:
            raise CvrError(f"The prompt {self.prompt.name!r} is no judge: it needs 'task: judge' and a schema.")
        self.asker = asker or Asker(load_backend(config.backend, config.options))
        self.backend = self.asker.backend

    def verdicts(self, references: Sequence[str], texts: Sequence[str], targets: Sequence[str]) -> pa.Table:
        """Return a verdict and a reason per text; where no answer fits the schema, null and why."""
        verdicts: list[str | None] = [None] * len(texts)
        reasons: list[str | None] = [None] * len(texts)
        todo = list(range(len(texts)))
        for attempt in range(self.config.attempts):
            requests = [self._request(references[row], texts[row], targets[row], attempt) for row in todo]
            for row, answer in zip(todo, self.asker.answers(requests), strict=True):
                found = parse_answer_object(answer.text, self.prompt.schema) if answer.text is not None else None
                verdicts[row] = found["verdict"] if found else None
                reasons[row] = found.get("reason") if found else answer.error or self._why_not(answer.text or "")
            todo = [row for row in todo if verdicts[row] is None]
            if not todo:
                break
        return pa.table([pa.array(verdicts, pa.string()), pa.array(reasons, pa.string())], schema=SCHEMA)

    def _why_not(self, raw: str) -> str:
        return read_answer(raw, schema=self.prompt.schema, key="verdict").reason or "unparsable"

    def _request(self, reference: str, text: str, target: str, attempt: int) -> Request:
        shown = {"reference_description": reference, "target_description": target, "modification": text}
        shown |= {"reference_caption": reference, "target_caption": target}
        return Request(
            pair_id="",
            style="judge",
            change=_NO_CHANGE,
            reference=reference,
            target=target,
            messages=(*self.prompt.introduction(attempt), self.prompt.question(shown)),
            lead=self.prompt.lead,
            one_line=False,
            schema=self.prompt.schema_text,
            prompt_sha256=self.prompt.sha256,
            parameters=self.prompt.parameters(attempt, attempt),
        )
