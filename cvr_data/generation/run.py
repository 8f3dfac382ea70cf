"""Write a modification text for every pair: ask, parse, lint, ask rejected ones again, keep every row.

    pairs ──▶ requests ──▶ cache, else backend ──▶ parsed, linted ──▶ ok | rejected | error, with reasons
                   ▲                                      │
                   └── other examples, another seed ◀─────┘ rejected, while attempts are left

Every row is kept. The rows are identical given the request cache, whatever the engine would have said a second time.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.backends import BACKENDS
from cvr_data.errors import CvrError
from cvr_data.filters import FILTERS
from cvr_data.generation.cache import RequestCache
from cvr_data.generation.draft import Draft, lint_table, modifications_of, start_drafts
from cvr_data.generation.lint import lint_reasons
from cvr_data.generation.pairs import Pair, variables_of
from cvr_data.generation.request import (
    NO_ANSWER,
    Answer,
    Backend,
    Change,
    Message,
    Parameters,
    Request,
    completion_text,
    request_key,
)
from cvr_data.progress import Progress
from cvr_data.prompts import Prompt, load_prompt
from cvr_data.registry import config_dict
from cvr_data.tables import PAIRS, check_columns

STAGE = "generate-modifications"
VERSION = 1
ROWS = 4096
"""Pairs of one part of the artifact."""
SEEDS = 1000
"""Attempt k of a run with seed s uses seed 1000 s + k, so that no two runs share one."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which texts to write, and with what."""

    prompt: str = "short"
    """A built-in prompt (its style), or a YAML file."""
    backend: str = "transformers"
    """A name in `cvr_data.backends`."""
    options: tuple[str, ...] = ()
    """`key=value` options of the backend."""
    seed: int = 0
    attempts: int = 5
    """Answers to ask for before a rejected text is kept as rejected."""
    limit: int | None = None
    """Only so many pairs: those with the lowest ids, which are hashes, so a fixed sample that grows with the limit."""
    splits: tuple[str, ...] = ()
    """Only pairs of these splits; empty: all."""

    def __post_init__(self) -> None:
        if not 1 <= self.attempts < SEEDS:
            raise CvrError(f"attempts must be between 1 and {SEEDS - 1}, got {self.attempts}.")


@dataclass(kw_only=True)
class Tally:
    """What one run did, beyond its rows."""

    asked: int = 0
    cached: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Reasons of all rejected attempts, also of rows that a later attempt saved."""


def generate_modifications(pairs: Path, out: Path, config: Config, *, cache: Path, overwrite: bool = False) -> Artifact:
    """Write the modifications of a pairs artifact and return the artifact, resuming an interrupted run.

    Raises:
        CvrError: unknown prompt, backend, option or split, or `out` holds something else.
    """
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=_identity(config), inputs={"pairs": pairs}, overwrite=overwrite
    )
    if (done := writer.finished()) is not None:
        return done
    table = read_pairs(pairs, config)
    generator = Generator(config)
    opened = nullcontext() if generator.backend.is_pure else RequestCache(cache)
    with writer, opened as request_cache, Progress(STAGE, table.num_rows) as progress:
        generator.cache, generator.progress = request_cache, progress
        for part, start in enumerate(range(0, max(table.num_rows, 1), ROWS)):
            piece = table.slice(start, ROWS)
            if writer.has_part(part):
                progress.advance(piece.num_rows)
            else:
                writer.write_part(part, generator.texts_for(piece))
        tally = generator.tally
        return writer.finish(
            **_counts(out),
            requests={"asked": tally.asked, "cached": tally.cached},
            rejected_attempts=dict(sorted(tally.rejected.items())),
        )


def read_pairs(pairs: Path, config: Config) -> pa.Table:
    """Return the pairs that the config asks for, in order.

    Raises:
        CvrError: a split that no pair has.
    """
    table = check_columns(open_artifact(pairs).read(), PAIRS, str(pairs))
    if config.splits:
        found = set(table.column("split").to_pylist())
        for split in config.splits:
            if split not in found:
                listed = ", ".join(sorted(str(name) for name in found)) or "none"
                raise CvrError(f"{pairs}: no pair is of split {split!r} (splits: {listed}).")
        chosen = pa.array([split in config.splits for split in table.column("split").to_pylist()], pa.bool_())
        table = table.filter(chosen)
    return table if config.limit is None else _sample(table, config.limit)


def _sample(pairs: pa.Table, limit: int) -> pa.Table:
    if pairs.num_rows <= limit:
        return pairs
    lowest = pc.sort_indices(pairs, sort_keys=[("pair_id", "ascending")]).slice(0, limit)
    return pairs.take(lowest.take(pc.sort_indices(lowest)))


class Generator:
    """Writes texts with one prompt and one backend; the backend's engine starts when the cache does not suffice."""

    def __init__(self, config: Config):
        self.config = config
        self.prompt: Prompt = load_prompt(config.prompt)
        module = BACKENDS.get(config.backend)
        self.backend: Backend = module.load(BACKENDS.config(config.backend, config.options))
        for name, options in self.prompt.lint.items():
            FILTERS.config(name, options or {})
        self.cache: RequestCache | None = None
        self.progress: Progress | None = None
        self.tally = Tally()
        self.introductions: dict[tuple[int, str], tuple[Message, ...]] = {}

    def texts_for(self, pairs: pa.Table) -> pa.Table:
        """Return the modifications of the pairs, one row each, in order."""
        drafts = start_drafts(pairs, self.prompt, self.config.seed * SEEDS)
        todo = [draft for draft in drafts if draft.change is not None]
        if self.progress is not None:
            self.progress.advance(len(drafts) - len(todo))
        for attempt in range(self.config.attempts):
            self._attempt(todo, attempt)
            todo = [draft for draft in todo if draft.status != "ok"]
            if not todo:
                break
        return modifications_of(drafts, self.prompt, backend=self.config.backend, model=self.backend.model)

    def requests(self, drafts: Sequence[Draft], attempt: int) -> list[Request]:
        """Return what the attempt asks, one request per draft; all of them have a change."""
        parameters = self.prompt.parameters(attempt, self.config.seed * SEEDS + attempt)
        return [self._request(draft.pair, draft.change, attempt, parameters) for draft in drafts if draft.change]

    def _request(self, pair: Pair, change: Change, attempt: int, parameters: Parameters) -> Request:
        if (attempt, change.slot) not in self.introductions:
            self.introductions[attempt, change.slot] = self.prompt.introduction(attempt, change.slot)
        question = self.prompt.question(variables_of(pair, change))
        return Request(
            pair_id=pair["pair_id"],
            style=self.prompt.style,
            change=change,
            messages=(*self.introductions[attempt, change.slot], question),
            lead=self.prompt.lead,
            one_line=not self.prompt.schema,
            schema=self.prompt.schema_text,
            prompt_sha256=self.prompt.sha256,
            parameters=parameters,
        )

    def _attempt(self, drafts: Sequence[Draft], attempt: int) -> None:
        requests = self.requests(drafts, attempt)
        answers = self._answers(requests, attempt)
        for draft, request, answer in zip(drafts, requests, answers, strict=True):
            draft.take(answer, self.prompt, request.parameters.seed)
        parsed = [draft for draft in drafts if draft.status == "rejected" and not draft.reasons]
        reasons = lint_reasons(lint_table(parsed, self.prompt.style), self.prompt.lint)
        for draft, found in zip(parsed, reasons, strict=True):
            draft.status, draft.reasons = ("rejected", found) if found else ("ok", [])
        self.tally.rejected.update(reason for draft in drafts for reason in draft.reasons)

    def _answers(self, requests: Sequence[Request], attempt: int) -> list[Answer]:
        if self.cache is None:
            answers = self._ask(requests, attempt, keys=None)
            return [answers.get(number, NO_ANSWER) for number in range(len(requests))]
        keys = [request_key(self.backend.model, request) for request in requests]
        known = self.cache.get(keys)
        # Pairs of other videos with the same captions ask the same: it is asked once.
        new = {key: request for key, request in zip(keys, requests, strict=True) if key not in known}
        self.tally.cached += sum(key in known for key in keys)
        if attempt == 0 and self.progress is not None:
            self.progress.advance(len(keys) - len(new), f"{len(keys) - len(new)} from the cache")
        asked = self._ask(list(new.values()), attempt, keys=list(new))
        known |= {key: asked.get(number, NO_ANSWER) for number, key in enumerate(new)}
        return [known[key] for key in keys]

    def _ask(self, requests: Sequence[Request], attempt: int, keys: list[str] | None) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        self.tally.asked += len(requests)
        for number, answer in self.backend.write(requests) if requests else ():
            answers[number] = answer
            if keys is not None and self.cache is not None and answer.error is None:
                self.cache.put(keys[number], self.backend.model, answer)
            if attempt == 0 and self.progress is not None:
                self.progress.advance(1)
        return answers


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What the first attempt of a run would do."""

    pairs: int
    without_change: int
    cached: int
    """Pairs whose answer is in the cache."""
    to_ask: int
    """Requests; pairs with the same captions share one."""
    prompt_words: int
    """Of all requests together."""
    shown: list[str]
    """The first prompts as text."""


def dry_run(pairs: Path, config: Config, *, cache: Path, show: int = 3) -> DryRun:
    """Return what `generate_modifications` would ask in its first attempt, asking nothing."""
    table = read_pairs(pairs, config)
    generator = Generator(config)
    drafts = start_drafts(table, generator.prompt, 0)
    requests = generator.requests([draft for draft in drafts if draft.change is not None], attempt=0)
    keys = [request_key(generator.backend.model, request) for request in requests]
    known: dict[str, Answer] = {}
    if cache.exists() and not generator.backend.is_pure:
        with RequestCache(cache) as opened:
            known = opened.get(keys)
    new = {key: request for key, request in zip(keys, requests, strict=True) if key not in known}
    return DryRun(
        pairs=len(drafts),
        without_change=len(drafts) - len(requests),
        cached=sum(key in known for key in keys),
        to_ask=len(new),
        prompt_words=sum(len(completion_text(request).split()) for request in new.values()),
        shown=[completion_text(request) for request in requests[:show]],
    )


def _identity(config: Config) -> dict[str, Any]:
    prompt = load_prompt(config.prompt)
    backend = BACKENDS.config(config.backend, config.options)
    module = BACKENDS.get(config.backend)
    return {
        **config_dict(replace(config, options=())),
        "prompt": prompt.name,
        "prompt_sha256": prompt.sha256,
        "model": module.load(backend).model,
        "options": config_dict(backend),
        "decoding": [dict(prompt.decoding), dict(prompt.retry)],
        "lint": {name: dict(options or {}) for name, options in prompt.lint.items()},
    }


def _counts(out: Path) -> dict[str, Any]:
    status: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    tokens = [0, 0]
    for part in sorted(out.glob("part-*.parquet")):
        table = pq.read_table(part, columns=["status", "reasons", "tokens_in", "tokens_out"])
        status.update(table.column("status").to_pylist())
        reasons.update(reason for row in table.column("reasons").to_pylist() for reason in row)
        for place, name in enumerate(("tokens_in", "tokens_out")):
            tokens[place] += sum(filter(None, table.column(name).to_pylist()))
    return {
        "status": dict(sorted(status.items())),
        "reasons": dict(sorted(reasons.items())),
        "tokens": {"in": tokens[0], "out": tokens[1]},
    }
