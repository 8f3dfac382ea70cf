"""Filters of videos, one file each: what of a clip is measured, and between which bounds it stays.

A filter is a band on one column of the videos. The column is there already (`duration_s`), or the filter makes it: from
the few frames that are decoded of each clip once for all filters (`measure`), from what recurs in all clips (`learn`),
from stored features (`judge`), or from the videos that are still there (`compare`). `run` looks at columns
only, so bounds are changed without decoding again.

A filter brings an `EXAMPLE`: rows, each with the `drop_reason` that the default options give it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from cvr_data.core.registry import Family, Member
from cvr_data.core.stages import ClaimStep
from cvr_data.videos.seen import Seen

if TYPE_CHECKING:
    from cvr_data.features.protocol import Encoder


class VideoFilterModule(Member, Protocol):
    """A module that marks videos, looking at their columns only."""

    COLUMN: str
    """Of numbers; its histogram shows what the bounds do. A null says that nothing is known, and stays."""

    def run(self, config: Any, table: pa.Table) -> pa.Table:
        """Return the table with `drop_reason`; a reason that stands is left, and no row is moved or removed."""

    def bounds(self, config: Any) -> Sequence[tuple[float, str]]:
        """Return the values of the column beyond which videos are dropped, each with its words."""

    def explain(self, config: Any, row: Mapping[str, Any]) -> str:
        """Return one line for a row that it dropped, with the value that decided."""


@runtime_checkable
class Measures(Protocol):
    """A filter that looks at frames."""

    MEASURED: int
    """Raised with whatever changes a value."""
    FIELDS: Sequence[pa.Field]
    """The columns that it makes."""

    def measure(self, seen: Seen) -> Mapping[str, Any]:
        """Return the value of each column; None where the clip does not tell."""


@runtime_checkable
class NeedsExtra(Protocol):
    """A filter whose measure takes a library or minutes that not everybody has: it is taken only where it is chosen."""

    SIDE: int
    """Pixels of the square that it wants frames in."""

    def require(self) -> None:
        """Raise CvrError where the library is not installed."""


@runtime_checkable
class Learns(Protocol):
    """A filter whose column says how a clip goes with what recurs in all clips."""

    READS: Sequence[str]
    """The columns that it looks at."""

    def learn(self, config: Any, tables: Iterable[pa.Table]) -> Any:
        """Return what recurs, from those columns of all videos."""

    def recurring(self, config: Any, table: pa.Table, learned: Any) -> pa.Table:
        """Return the table with the filter's column."""


@runtime_checkable
class Judges(Protocol):
    """A filter whose column comes from stored features."""

    def judge(self, config: Any, video_ids: Sequence[str], encoder: "Encoder") -> np.ndarray:
        """Return a number for each of these videos, which are all stored."""


@runtime_checkable
class Compares(Protocol):
    """A filter whose column comes from other videos that are still there."""

    def compare(self, config: Any) -> Sequence[ClaimStep]:
        """Return steps that give the filter's column; none of them is counted."""


VIDEO_FILTERS: Family[VideoFilterModule] = Family(__name__, VideoFilterModule)
