"""One text on its way: from the pair over answers and lint to a row of the modifications table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.generation.pairs import Pair, change_of
from cvr_data.generation.parse import parse_answer
from cvr_data.generation.request import NO_ANSWER, Answer, Change
from cvr_data.prompts import Prompt
from cvr_data.tables import MODIFICATIONS, PAIRS, modification_id

SCHEMA = pa.schema([*MODIFICATIONS, pa.field("attempts", pa.int32())])
"""Modifications and how many answers it took; the row holds the last one."""


@dataclass(kw_only=True)
class Draft:
    """The state of one text: `status` is ok, rejected or error, and `reasons` say why."""

    pair: Pair
    change: Change | None
    status: str = "rejected"
    reasons: list[str] = field(default_factory=list)
    answer: Answer = NO_ANSWER
    text: str | None = None
    seed: int = 0
    attempts: int = 0

    def take(self, answer: Answer, prompt: Prompt, seed: int) -> None:
        """Take the answer of one more attempt; whether it is good, lint says."""
        self.answer, self.seed, self.attempts = answer, seed, self.attempts + 1
        if answer.text is None:
            self.text, self.status, self.reasons = None, "error", [answer.error or "no answer"]
            return
        self.text = parse_answer(answer.text, lead=prompt.lead, schema=prompt.schema)
        self.status, self.reasons = "rejected", ["unparsable"] if self.text is None else []


def start_drafts(pairs: pa.Table, prompt: Prompt, seed: int) -> list[Draft]:
    """Return one draft per pair; one without a change of the prompt's kind is rejected from the start."""
    reason = "no_change" if prompt.changes == "any" else f"no_{prompt.changes}_change"
    drafts = []
    for pair in pairs.to_pylist():
        change = change_of(pair, prompt.changes)
        drafts.append(Draft(pair=pair, change=change, reasons=[] if change else [reason], seed=seed))
    return drafts


def lint_table(drafts: Sequence[Draft], style: str) -> pa.Table:
    """Return the columns that lint reads, one row per draft."""
    columns = {
        "modification": pa.array([draft.text for draft in drafts], pa.string()),
        "style": pa.array([style] * len(drafts), pa.string()),
        "reference_caption": pa.array([draft.pair["reference_caption"] for draft in drafts], pa.string()),
        "target_caption": pa.array([draft.pair["target_caption"] for draft in drafts], pa.string()),
        "changes": pa.array([_changes(draft) for draft in drafts], PAIRS.field("changes").type),
    }
    return pa.table(columns)


def modifications_of(drafts: Iterable[Draft], prompt: Prompt, *, backend: str, model: str) -> pa.Table:
    """Return the drafts as rows of the modifications table, in order."""
    rows = [_row(draft, prompt, backend, model) for draft in drafts]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _changes(draft: Draft) -> list[Mapping[str, str]]:
    if draft.pair["changes"] or draft.change is None:
        return list(draft.pair["changes"] or [])
    change = draft.change
    return [{"kind": change.kind, "slot": change.slot, "before": change.before, "after": change.after}]


def _row(draft: Draft, prompt: Prompt, backend: str, model: str) -> dict[str, Any]:
    made_by = {"style": prompt.style, "backend": backend, "model": model, "prompt_sha256": prompt.sha256}
    pair_id = draft.pair["pair_id"]
    return {
        **made_by,
        "modification_id": modification_id(pair_id=pair_id, seed=draft.seed, **made_by),
        "pair_id": pair_id,
        "modification": draft.text if draft.status != "error" else None,
        "prompt": prompt.name,
        "seed": draft.seed,
        "raw": draft.answer.text,
        "status": draft.status,
        "reasons": draft.reasons,
        "tokens_in": draft.answer.tokens_in,
        "tokens_out": draft.answer.tokens_out,
        "attempts": draft.attempts,
    }
