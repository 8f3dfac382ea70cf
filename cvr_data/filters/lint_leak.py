"""Lint: drop texts that repeat most of the target caption.

Such a text finds the target alone, and the query no longer needs its video. What counts is how much of the *unchanged*
part of the target caption (of its description, where there is one) the text repeats: naming the change is its job.

Source: our own rule, after the text-only baselines that come close to composed ones on generated test sets
(Ventura et al., AAAI 2024, https://arxiv.org/abs/2308.14746, table of baselines).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.core.ranges import Ranged, option_range
from cvr_data.filters._lint import LintRow, drop_linted_where, filter_text_row
from cvr_data.language.execution import required_phrase_changes
from cvr_data.language.words import content_words, has_word, words_of


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    max_share: float = field(default=0.67, metadata=option_range("[0, 1]"))
    """Largest share of the unchanged content words of the target caption that a text may repeat."""
    min_repeated: int = 3
    """Fewer repeated words than this are no leak: in "a man plays a guitar" there is little else to name."""


LANGUAGES = ("en",)
EXAMPLE = [
    {
        "target_caption": "a blue ball rolls on wet sand",
        "modification": "a blue ball that rolls on the sand, which is wet",
        "drop_reason": "leaks_target",
    },
    {"target_caption": "a blue ball rolls on wet sand", "modification": "make the ball blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def leaks(row: LintRow) -> bool:
        unchanged, repeated = _repeated(row)
        return len(repeated) >= config.min_repeated and len(repeated) > config.max_share * len(unchanged)

    return drop_linted_where(table, "leaks_target", leaks)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    unchanged, repeated = _repeated(filter_text_row(row))
    words = ", ".join(sorted(repeated))
    return (
        f"it repeats {len(repeated)} of {len(unchanged)} unchanged words of the target ({words}); "
        f"at most {config.max_share:.0%}, or fewer than {config.min_repeated}"
    )


def _repeated(row: LintRow) -> tuple[set[str], set[str]]:
    """The unchanged content words of what the target shows, and which of them the text has."""
    changed = [
        word for change in required_phrase_changes(row["changes"], row["style"]) for word in words_of(change.after)
    ]
    shown = row["target_description"] or row["target_caption"]
    unchanged = {word for word in content_words(words_of(shown)) if word not in changed}
    text = words_of(row["modification"])
    return unchanged, {word for word in unchanged if has_word(text, word)}
