"""Filters of pairs, modifications and triplets, one file each.

A filter brings an `EXAMPLE`: rows, each with the `drop_reason` that the default options give it. Columns that a row
leaves out are those of a pair that nothing is wrong with (`tests/pair_tables.py`).
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from cvr_data.core.registry import Family, Member


class FilterModule(Member, Protocol):
    """A module that marks rows, looking at their columns only."""

    def run(self, config: Any, table: pa.Table) -> pa.Table:
        """Return the table with `drop_reason`; a reason that stands is left, and no row is moved or removed."""


@runtime_checkable
class NeedsColumns(Protocol):
    """A filter that reads columns which pairs have only if it is chosen."""

    NEEDS: str
    """Which: a name that `mine_pairs` can add."""


@runtime_checkable
class MeetsInGroups(Protocol):
    """A filter that has to see all rows of a group together."""

    MEET_BY: str
    """Name of the key, by which rows may lie together already."""

    def key(self, config: Any, table: pa.Table) -> np.ndarray:
        """Return a uint64 per row, equal for the rows of a group."""


@runtime_checkable
class ClaimsPlaces(Protocol):
    """A filter whose rows are each in several groups, of whose few numbers say who stays."""

    REASON: str
    """The `drop_reason` of the rows that have a losing claim."""

    def claims(self, config: Any, table: pa.Table) -> pa.Table:
        """Return `key` of a group and `row` for each row in each of its groups, and what `settle` goes by."""

    def settle(self, config: Any, claims: pa.Table) -> pa.Table:
        """Return the claims that lose, without the numbers; the rows that have one are dropped."""


@runtime_checkable
class KnowsLanguages(Protocol):
    """A component that reads captions or texts in some languages only."""

    LANGUAGES: tuple[str, ...]
    """Their codes."""


@runtime_checkable
class ChoosesLanguages(Protocol):
    """A component whose options say which languages it reads."""

    def languages(self, config: Any) -> tuple[str, ...]:
        """Return their codes; none where it reads any."""


@runtime_checkable
class ExplainsDrops(Protocol):
    """A filter that says in words why a row was dropped, with the values that decided; every filter does."""

    def explain(self, config: Any, row: Mapping[str, Any]) -> str:
        """Return one line for a row that it dropped."""


FILTERS: Family[FilterModule] = Family(__name__, FilterModule)
