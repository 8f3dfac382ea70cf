"""Lint: drop texts that do not ask for the target's concept.

The concept (`after` of a change) must be named, in any form of the word, outside of a negation: "make the ball red
instead of blue" names blue only to take it back.
"""

from dataclasses import dataclass

import pyarrow as pa

from cvr_data.filters._lint import Row, changes_of, drop_where
from cvr_data.generation.words import Sides, mentions, split_negated, words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    """No options."""


TINY = Config()


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "misses_change" where an `after` concept is not asked for.

    Rows without a change that has an `after` are kept: there is nothing to miss.
    """

    def reason(row: Row) -> str | None:
        sides = split_negated(row["modification"])
        wanted = [change for change in changes_of(row) if change["after"]]
        return None if all(_asks_for(change, sides) for change in wanted) else "misses_change"

    return drop_where(table, reason)


def _asks_for(change: dict[str, str], sides: Sides) -> bool:
    after = change["after"]
    takes_it_back = mentions(sides.negated, after) and not mentions(words_of(change["before"] or ""), after)
    return mentions(sides.affirmed, after) and not takes_it_back
