"""What a run would ask, and what that would take: prompts to look at, tokens, time and money, asking nothing."""

from dataclasses import dataclass
from pathlib import Path

from cvr_data.modifications.asking.cache import History, RequestCache
from cvr_data.modifications.asking.request import Answer, completion_text, request_key
from cvr_data.modifications.generate import read_pairs
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


def dry_run(pairs: Path, config: Config, *, cache: Path, show: int = 3, prices: Prices | None = None) -> DryRun:
    """Return what `generate_modifications` would ask in its first attempt, asking nothing."""
    table = read_pairs(pairs, config)
    generator = Generator(config)
    drafts = generator.start(table)
    requests = generator.requests([draft for draft in drafts if draft.change is not None], attempt=0)
    model, prompt = generator.backend.model, generator.prompt.name
    keys = [request_key(model, request) for request in requests]
    known: dict[str, Answer] = {}
    history = None
    if cache.exists() and not generator.backend.is_pure:
        with RequestCache(cache) as opened:
            known = opened.get(keys)
            history = opened.history(model, prompt) or opened.history(model)
    new = list({key: request for key, request in zip(keys, requests, strict=True) if key not in known}.values())
    tokens_in = round(sum(len(completion_text(request).split()) for request in new) * TOKENS_PER_WORD)
    tokens_out = sum(request.parameters.max_tokens for request in new)
    if history is not None:
        tokens_out = round(history.tokens_out / history.requests * len(new))
    prices = prices or Prices()
    return DryRun(
        pairs=table.num_rows,
        texts=len(drafts),
        without_change=len(drafts) - len(requests),
        cached=sum(key in known for key in keys),
        to_ask=len(new),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_out_is_limit=history is None,
        seconds=_seconds(tokens_out, len(new), history, prices),
        cost=_cost(tokens_in, tokens_out, prices),
        shown=[completion_text(request) for request in requests[:show]],
    )


def _seconds(tokens_out: int, requests: int, history: History | None, prices: Prices) -> float | None:
    if prices.tokens_per_s:
        return tokens_out / prices.tokens_per_s
    return history.seconds / history.requests * requests if history is not None else None


def _cost(tokens_in: int, tokens_out: int, prices: Prices) -> float | None:
    if prices.per_million_in is None and prices.per_million_out is None:
        return None
    return (tokens_in * (prices.per_million_in or 0) + tokens_out * (prices.per_million_out or 0)) / 1e6
