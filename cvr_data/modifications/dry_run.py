"""What a run would ask, and what that would take: prompts to look at, tokens, time and money, asking nothing."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cvr_data.core.stored_answers import History
from cvr_data.modifications.asked import check_modifications_asked, read_asked
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.request import completion_text, request_key
from cvr_data.modifications.generator import Config, Generator

TOKENS_PER_WORD = 1.4
"""Of English prompts with byte-pair vocabularies; used where no earlier run of the model tells."""


@dataclass(frozen=True)
class Prices:
    """What a run costs; None where it is not known."""

    per_million_in: float | None = None
    """Money per million prompt tokens."""
    per_million_out: float | None = None
    """Money per million written tokens."""
    tokens_per_s: float | None = None
    """Written tokens per second; None: as earlier runs of the model went."""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What the first attempt of a run would do."""

    pairs: int
    texts: int
    without_change: int
    cached: int
    """Texts whose answer is in the cache."""
    to_ask: int
    """Requests; pairs with the same captions share one."""
    tokens_in: int
    """Of all requests together, about."""
    tokens_out: int
    """Of all answers together: as earlier runs of the model went, else the most there can be."""
    tokens_out_is_limit: bool
    seconds: float | None
    cost: float | None
    shown: list[str]
    """The first prompts as text."""


def dry_run_prompts(pairs: Path, config: Config, *, cache: Path, show: int = 3, prices: Prices | None = None) -> DryRun:
    """Return what `generate_modifications` would ask in its first attempt, asking nothing."""
    check_modifications_asked(pairs, config)
    generator = Generator(config)
    model, prompt = generator.backend.model, generator.prompt.name
    found = _Found()
    is_known = cache.exists() and not generator.backend.is_pure
    with RequestCache(cache) if is_known else nullcontext() as opened:
        for table in read_asked(pairs, config):
            found.add(table, generator, opened, show)
        history = (opened.history(model, prompt) or opened.history(model)) if opened is not None else None
    tokens_in, tokens_out = round(found.words * TOKENS_PER_WORD), found.most_tokens
    if history is not None:
        tokens_out = round(history.tokens_out / history.requests * len(found.new))
    prices = prices or Prices()
    return DryRun(
        pairs=found.pairs,
        texts=found.texts,
        without_change=found.texts - found.requests,
        cached=found.cached,
        to_ask=len(found.new),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_out_is_limit=history is None,
        seconds=_seconds_of_requests(tokens_out, len(found.new), history, prices),
        cost=_cost_of_tokens(tokens_in, tokens_out, prices),
        shown=found.shown,
    )


@dataclass
class _Found:
    """What was found so far; of what is to be asked, the keys are held."""

    pairs: int = 0
    texts: int = 0
    requests: int = 0
    cached: int = 0
    words: int = 0
    most_tokens: int = 0
    new: set[str] = field(default_factory=set)
    shown: list[str] = field(default_factory=list)

    def add(self, table: pa.Table, generator: Generator, cache: RequestCache | None, show: int) -> None:
        """Add a part of the pairs."""
        drafts = generator.start(table)
        requests = generator.requests([draft for draft in drafts if draft.change is not None], attempt=0)
        keys = [request_key(generator.backend.model, request) for request in requests]
        known = cache.get(keys) if cache is not None else {}
        self.pairs, self.texts = self.pairs + table.num_rows, self.texts + len(drafts)
        self.requests, self.cached = self.requests + len(keys), self.cached + sum(key in known for key in keys)
        self.shown += [completion_text(request) for request in requests[: show - len(self.shown)]]
        for key, request in zip(keys, requests, strict=True):
            if key not in known and key not in self.new:
                self.new.add(key)
                self.words += len(completion_text(request).split())
                self.most_tokens += request.parameters.max_tokens


def _seconds_of_requests(tokens_out: int, requests: int, history: History | None, prices: Prices) -> float | None:
    if prices.tokens_per_s:
        return tokens_out / prices.tokens_per_s
    return history.seconds / history.requests * requests if history is not None else None


def _cost_of_tokens(tokens_in: int, tokens_out: int, prices: Prices) -> float | None:
    if prices.per_million_in is None and prices.per_million_out is None:
        return None
    return (tokens_in * (prices.per_million_in or 0) + tokens_out * (prices.per_million_out or 0)) / 1e6
