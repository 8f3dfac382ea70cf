"""One text on its way: from the pair over answers and lint to a row of the modifications table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.language.words import words_of
from cvr_data.modifications.asking.parse import read_answer
from cvr_data.modifications.asking.request import NO_ANSWER, SEEDS_PER_TEXT, Answer, Change
from cvr_data.modifications.pairs import Pair, prompted_change, prompted_changes
from cvr_data.modifications.prompts import Prompt
from cvr_data.tables import MODIFICATIONS, PAIRS, modification_id

NO_CHANGE = Change(kind="", slot="", before="", after="")
"""Of pairs whose captions no word tells apart; a text about them can still be put in other words."""
SCHEMA = pa.schema(
    [
        *MODIFICATIONS,
        pa.field("attempts", pa.int32()),
        pa.field("candidate", pa.int32()),
        pa.field("given_id", pa.string()),
    ]
)
"""Modifications, how many answers it took (the row holds the last one), which of the pair's texts it is, counted from
0, and the text it paraphrases or reverses."""


@dataclass(kw_only=True)
class Draft:
    """The state of one text: `status` is ok, rejected or error, and `reasons` say why."""

    pair: Pair
    change: Change | None
    style: str
    candidate: int = 0
    status: str = "rejected"
    reasons: list[str] = field(default_factory=list)
    answer: Answer = NO_ANSWER
    text: str | None = None
    seed: int = 0
    """Of the latest attempt."""
    attempts: int = 0
    lacked: str = ""
    """What an answer had no room for, so that the next attempts have more."""

    @property
    def next_seed(self) -> int:
        """The seed of the next attempt."""
        return self.seed + (1 if self.attempts else 0)

    def take(self, answer: Answer, prompt: Prompt, seed: int) -> None:
        """Take the answer of one more attempt; whether it is good, lint says."""
        self.answer, self.seed, self.attempts = answer, seed, self.attempts + 1
        if answer.refused is not None:
            self.text, self.status, self.reasons = None, "rejected", [answer.refused]
            return
        if answer.text is None:
            self.text, self.status, self.reasons = None, "error", [answer.error or "no answer"]
            return
        found = read_answer(
            answer.text, lead=prompt.lead, schema=prompt.schema, key=prompt.answer_key, is_cut_off=answer.is_cut
        )
        self.lacked = found.lacks or self.lacked
        self.text = "" if found.reason == "empty" else found.text
        self.status, self.reasons = "rejected", [found.reason] if self.text is None else []


def start_drafts(pairs: pa.Table, prompt: Prompt, seed: int, num_texts: int = 1) -> list[Draft]:
    """Return `num_texts` drafts per row; one that cannot be asked for is rejected from the start, with the reason."""
    drafts = []
    for pair in pairs.to_pylist():
        change = prompted_change(pair, prompt.changes)
        reason = _prompt_hindrance(pair, change, prompt)
        if change is None and reason is None:
            change = NO_CHANGE
        for number in range(num_texts):
            candidate = (pair.get("place") or 0) * num_texts + number
            drafts.append(
                Draft(
                    pair=pair,
                    change=None if reason else change,
                    style=pair.get("given_style") or prompt.style,
                    candidate=candidate,
                    reasons=[reason] if reason else [],
                    seed=seed + candidate * SEEDS_PER_TEXT,
                )
            )
    return drafts


def _prompt_hindrance(pair: Pair, change: Change | None, prompt: Prompt) -> str | None:
    if pair.get("is_mined") is False:
        return "pair_not_mined"
    if change is None and prompt.task == "change":
        return "no_change" if prompt.changes == "any" else f"no_{prompt.changes}_change"
    return None


def reject_repeated_drafts(drafts: Iterable[Draft], taken: dict[str, set[str]]) -> None:
    """Reject accepted drafts whose words another text of their pair has: one `taken` earlier, or one before them."""
    for draft in drafts:
        if draft.status != "ok":
            continue
        texts, words = taken[draft.pair["pair_id"]], " ".join(words_of(draft.text or ""))
        if words in texts:
            draft.status, draft.reasons = "rejected", ["duplicate"]
        texts.add(words)


def draft_lint_table(drafts: Sequence[Draft], kind: str) -> pa.Table:
    """Return the columns that lint reads, one row per draft, with the changes that a prompt of the kind asks for."""
    columns = {
        "modification": pa.array([draft.text for draft in drafts], pa.string()),
        "style": pa.array([draft.style for draft in drafts], pa.string()),
        "changes": pa.array([_changes_of_draft(draft, kind) for draft in drafts], PAIRS.field("changes").type),
    }
    for side in ("reference", "target"):
        columns[f"{side}_caption"] = pa.array([draft.pair[f"{side}_caption"] for draft in drafts], pa.string())
        shown = [draft.pair.get(f"{side}_description") for draft in drafts]
        columns[f"{side}_description"] = pa.array(shown, pa.string())
    return pa.table(columns)


def modifications_of(drafts: Iterable[Draft], prompt: Prompt, *, backend: str, model: str) -> pa.Table:
    """Return the drafts as rows of the modifications table, in order."""
    rows = [_row_of_draft(draft, prompt, backend, model) for draft in drafts]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _changes_of_draft(draft: Draft, kind: str) -> list[Mapping[str, str]]:
    return [
        {"kind": change.kind, "slot": change.slot, "before": change.before, "after": change.after}
        for change in prompted_changes(draft.pair, kind)
    ]


def _row_of_draft(draft: Draft, prompt: Prompt, backend: str, model: str) -> dict[str, Any]:
    made_by = {"style": draft.style, "backend": backend, "model": model, "prompt_sha256": prompt.sha256}
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
        "candidate": draft.candidate,
        "given_id": draft.pair.get("given_id"),
    }
