"""What the lint checks share: the columns they read, and how a row gets its reason."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.language.execution import Outcome, phrase_change_outcome, required_phrase_changes
from cvr_data.language.frames import rows_with_parsed_sentences

COLUMNS = (
    "modification", "style", "reference_caption", "target_caption", "reference_description", "target_description",
    "changes", "asked_similarity", "asked_shift",
)  # fmt: skip
"""Columns the checks read; an absent one is null."""
TEXTS = COLUMNS[:6]

LintRow = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """No options: of the checks that have none."""


def drop_linted_where(table: pa.Table, reason: str, is_hit: Callable[[LintRow], object]) -> pa.Table:
    """Return the table with `drop_reason` where the check hits a row; one given earlier stays."""
    return _with_reasons(table, [reason if is_hit(row) else None for row in _rows_of(table)])


def filter_executed_texts(table: pa.Table, reason: Callable[[LintRow, Outcome], str | None]) -> pa.Table:
    """Return the table with what `reason` says of each row and of what comes of its text."""
    rows = rows_with_parsed_sentences(
        list(_rows_of(table)), lambda row: (row["reference_caption"], row["target_caption"])
    )
    return _with_reasons(table, [reason(row, execute_linted_row(row)) for row in rows])  # parsed many at once


def _with_reasons(table: pa.Table, found: Sequence[str | None]) -> pa.Table:
    reasons = pa.chunked_array([pa.array(found, pa.string())])
    if "drop_reason" in table.column_names:
        reasons = pc.coalesce(table.column("drop_reason"), reasons)
    return with_column(table, "drop_reason", reasons)


def execute_linted_row(row: LintRow) -> Outcome:
    """Return what comes of the text of a row, of the changes that its style is about."""
    changes = required_phrase_changes(row["changes"], row["style"])
    return phrase_change_outcome(row["modification"], changes, row["reference_caption"], row["target_caption"])


def _rows_of(table: pa.Table) -> Iterator[LintRow]:
    """Yield the rows as dicts of the columns that lint reads; text is never None, changes is a list."""
    absent = [name for name in COLUMNS if name not in table.column_names]
    for row in table.select([name for name in COLUMNS if name in table.column_names]).to_pylist():
        yield filter_text_row({**row, **dict.fromkeys(absent)})


def filter_text_row(row: Mapping[str, Any]) -> LintRow:
    """Return a row of texts as the checks read it: texts are "" and changes [] where they are absent or null."""
    read = {name: row.get(name) for name in COLUMNS}
    return {**read, "changes": read["changes"] or [], **{name: read[name] or "" for name in TEXTS}}


def filtered_changes_in_words(row: LintRow) -> str:
    """Return the changes that the style of a row is about, in words."""
    changes = required_phrase_changes(row["changes"], row["style"])
    return ", ".join(f"{change.before or 'nothing'} -> {change.after or 'nothing'}" for change in changes) or "none"


def filtered_words_quoted(words: Collection[str]) -> str:
    """Return words in quotes; "nothing" where there are none."""
    return repr(" ".join(words)) if words else "nothing"
