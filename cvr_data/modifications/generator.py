"""Ask, parse, lint, and ask rejected ones again: the texts of many pairs with one prompt and one backend.

generator = Generator(Config(prompt="short", backend="rules"))
table = generator.texts_for(pairs)               # one row per pair and candidate, in order
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.filters import FILTERS, KnowsLanguages
from cvr_data.language.words import words_of
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.request import SEEDS_PER_TEXT, Change, Message, Request, request_with_more_tokens
from cvr_data.modifications.backends import load_backend
from cvr_data.modifications.checking.meaning import with_asked
from cvr_data.modifications.counts import modification_fault
from cvr_data.modifications.draft import Draft, draft_lint_table, modifications_of, reject_repeated_drafts, start_drafts
from cvr_data.modifications.pairs import prompt_variables_of_pair, prompted_changes, prompted_description
from cvr_data.modifications.prompts import Prompt, load_prompt

SEEDS = 1000
"""Attempt k of a run with seed s uses seed 1000 s + k, so that no two runs share one."""
TASKS = ("change", "paraphrase", "reverse")
"""What prompts may ask for to write modification texts."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which texts to write, and with what."""

    prompt: str = "short"
    """A built-in prompt (its style), or a YAML file."""
    backend: str = "transformers"
    """A name in `cvr_data.modifications.backends`."""
    options: tuple[str, ...] = ()
    """`key=value` options of the backend."""
    seed: int = 0
    attempts: int = 5
    """Answers to ask for before a rejected text is kept as rejected."""
    limit: int | None = None
    """Only so many pairs: those with the lowest ids, which are hashes, so a fixed sample that grows with the limit."""
    splits: tuple[str, ...] = ()
    """Only pairs of these splits; empty: all."""
    num_texts: int = 1
    """Texts per pair, none equal to another. CoVR's annotators chose among three."""
    temperature: float | None = None
    """Of every answer, instead of the prompt's; CoVR sampled at 0.8."""
    top_k: int | None = None
    """Likely tokens to sample from, instead of the prompt's; CoVR's 200."""
    given: Path | None = field(default=None, metadata={"output": False})
    """The modifications that a paraphrase or reverse prompt is asked about."""
    videos: Path | None = field(default=None, metadata={"output": False})
    """Videos with dense descriptions; None: those the pairs were made from."""
    language: str | None = field(default=None, metadata={"output": False})
    """Code of the language that captions are in; None: the prompt's, unless the import told otherwise."""

    def __post_init__(self) -> None:
        if not 1 <= self.attempts < SEEDS:
            raise CvrError(f"attempts must be between 1 and {SEEDS - 1}, got {self.attempts}.")
        if not 1 <= self.num_texts <= SEEDS // SEEDS_PER_TEXT:
            raise CvrError(f"num_texts must be between 1 and {SEEDS // SEEDS_PER_TEXT}, got {self.num_texts}.")
        several = self.num_texts > 1 or self.given is not None
        if several and self.attempts > SEEDS_PER_TEXT:
            raise CvrError(f"with several texts per pair, attempts must be at most {SEEDS_PER_TEXT}.")


def prompt_of(config: Config) -> Prompt:
    """Return the prompt, decoded as the config says.

    Raises:
        CvrError: no such prompt, one that writes no modification texts, or one that needs texts which are not given.
    """
    prompt = load_prompt(config.prompt)
    check_prompt_lint_languages(prompt)
    if prompt.task not in TASKS:
        raise CvrError(f"The prompt {prompt.name!r} writes no modification texts; its task is {prompt.task!r}.")
    if prompt.task != "change" and config.given is None:
        raise CvrError(f"The prompt {prompt.name!r} is asked about texts that are there: add --from MODIFICATIONS.")
    if prompt.task == "change" and config.given is not None:
        raise CvrError(f"--from is for prompts that paraphrase or reverse texts, which {prompt.name!r} does not.")
    chosen = {"temperature": config.temperature, "top_k": config.top_k}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if not chosen:
        return prompt
    return replace(prompt, decoding={**prompt.decoding, **chosen}, retry={**prompt.retry, **chosen})


def check_prompt_lint_languages(prompt: Prompt) -> None:
    """Refuse lint that does not read the languages a prompt is for.

    Raises:
        CvrError: so.
    """
    for name in prompt.lint:
        module = FILTERS.get(name)
        if isinstance(module, KnowsLanguages) and not {*prompt.languages.split()} <= {*module.LANGUAGES}:
            known = ", ".join(module.LANGUAGES)
            raise CvrError(
                f"The prompt {prompt.name!r} is for {prompt.languages!r}, and {name} reads {known} alone; "
                "leave it out of its `lint`."
            )


class Generator:
    """Writes texts with one prompt and one backend; the backend's engine starts when the cache does not suffice."""

    def __init__(self, config: Config, asker: Asker | None = None):
        self.config = config
        self.prompt = prompt_of(config)
        for name, options in self.prompt.lint.items():
            FILTERS.config(name, options or {})
        self.asker = asker or Asker(load_backend(config.backend, config.options))
        self.backend = self.asker.backend
        self.progress: Progress | None = None
        self.rejected: Counter[str] = Counter()
        """Reasons of all rejected attempts, also of rows that a later attempt saved."""
        self.answers: Counter[str] = Counter()
        """All answers, and of them by what went wrong (`cvr_data.modifications.counts`)."""
        self.introductions: dict[tuple[int, str], tuple[Message, ...]] = {}

    def texts_for(self, pairs: pa.Table) -> pa.Table:
        """Return the modifications of the pairs, `num_texts` rows each, in order."""
        drafts = self.start(pairs)
        asked = [draft for draft in drafts if draft.change is not None]
        if self.progress is not None:
            self.progress.skip(len(drafts) - len(asked))
        taken = self._taken(drafts)
        # One candidate after the other, so that asking for more texts leaves the first ones as they are.
        for candidate in sorted({draft.candidate for draft in asked}):
            todo = [draft for draft in asked if draft.candidate == candidate]
            for attempt in range(self.config.attempts):
                self._attempt(todo, attempt, taken)
                todo = [draft for draft in todo if draft.status != "ok" and not draft.answer.refused]
                if not todo:
                    break
        return modifications_of(drafts, self.prompt, backend=self.config.backend, model=self.backend.model)

    def start(self, pairs: pa.Table) -> list[Draft]:
        """Return the drafts of the pairs, before anything is asked."""
        return start_drafts(pairs, self.prompt, self.config.seed * SEEDS, self.config.num_texts)

    def requests(self, drafts: Sequence[Draft], attempt: int) -> list[Request]:
        """Return what the attempt asks, one request per draft; all of them have a change."""
        return [self._request(draft, draft.change, attempt) for draft in drafts if draft.change is not None]

    def _request(self, draft: Draft, change: Change, attempt: int) -> Request:
        variant = attempt + draft.candidate
        if (variant, change.slot) not in self.introductions:
            self.introductions[variant, change.slot] = self.prompt.introduction(variant, change.slot)
        pair = draft.pair
        variables = prompt_variables_of_pair(pair, change, self.prompt.changes)
        question = self.prompt.question({**variables, "modification": pair.get("given") or "", "style": draft.style})
        request = Request(
            pair_id=pair["pair_id"],
            style=draft.style,
            change=change,
            reference=prompted_description(pair, "reference"),
            target=prompted_description(pair, "target"),
            captions=(pair["reference_caption"], pair["target_caption"]),
            changes=prompted_changes(pair, self.prompt.changes),
            messages=(*self.introductions[variant, change.slot], question),
            lead=self.prompt.lead,
            one_line=not self.prompt.schema,
            schema=self.prompt.schema_text,
            prompt_sha256=self.prompt.sha256,
            parameters=self.prompt.parameters(variant, draft.next_seed),
        )
        return request_with_more_tokens(request, draft.lacked)

    def _attempt(self, drafts: Sequence[Draft], attempt: int, taken: dict[str, set[str]] | None) -> None:
        requests = self.requests(drafts, attempt)
        answers = self.asker.answers(requests, self.progress if attempt == 0 else None)
        for draft, request, answer in zip(drafts, requests, answers, strict=True):
            draft.take(answer, self.prompt, request.parameters.seed)
        parsed = [draft for draft in drafts if draft.status == "rejected" and not draft.reasons]
        reasons = draft_lint_reasons(draft_lint_table(parsed, self.prompt.changes), self.prompt.lint)
        for draft, found in zip(parsed, reasons, strict=True):
            draft.status, draft.reasons = ("rejected", found) if found else ("ok", [])
        if taken is not None:
            reject_repeated_drafts(drafts, taken)
        self.rejected.update(reason for draft in drafts for reason in draft.reasons)
        self.answers.update(modification_fault(draft.status, draft.reasons) for draft in drafts)

    def _taken(self, drafts: Sequence[Draft]) -> dict[str, set[str]] | None:
        """Return the words of the texts that a pair has already; None if no text could be equal to another."""
        if self.config.num_texts == 1 and self.config.given is None:
            return None
        taken: dict[str, set[str]] = defaultdict(set)
        if self.prompt.task == "paraphrase":
            for draft in drafts:
                taken[draft.pair["pair_id"]].add(" ".join(words_of(draft.pair["given"])))
        return taken


Checks = Mapping[str, Mapping[str, Any]]
"""Filter name -> its options."""


def draft_lint_reasons(table: pa.Table, checks: Checks) -> list[list[str]]:
    """Return the reasons of each row, in the order of the checks.

    A text without a word is only "empty"; what else it lacks goes without saying.

    Raises:
        CvrError: there is no such filter or option.
    """
    reasons: list[list[str]] = [[] for _ in range(table.num_rows)]
    table = draft_lint_columns(table, checks)
    for name, options in checks.items():
        checked = FILTERS.get(name).run(FILTERS.config(name, options or {}), table)
        for row, reason in enumerate(checked.column("drop_reason").to_pylist()):
            if reason is not None and reasons[row] != ["empty"]:
                reasons[row].append(reason)
    return reasons


def draft_lint_columns(table: pa.Table, checks: Checks) -> pa.Table:
    """Return a lint table with the columns that these checks read beside the texts."""
    asked = checks.get("lint-change") or {}
    is_read = asked.get("min_similarity") or asked.get("min_shift") is not None
    return with_asked(table) if table.num_rows and is_read else table
