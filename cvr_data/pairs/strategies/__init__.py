"""Pair-mining strategies, one file each.

A strategy brings an `EXAMPLE`: captions, one of a video each, and with which of the others the default options (else
those of `TINY`) pair it.
"""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from cvr_data.core.registry import Family, Member
from cvr_data.core.runner import Flow
from cvr_data.core.stages import Side
from cvr_data.pairs.frames_by import TellsFrames


class StrategyModule(Member, Protocol):
    """A module that proposes pairs."""

    NAME: str
    """The component's name, which its rows have in the column `strategy`."""
    VERSION: int
    """Raised with whatever changes its rows."""

    MEET_BY: str
    """Name of the key by which its rows lie together: those of equal keys are in one part."""

    def mined(self, config: Any, videos: Flow, embeddings: Path | None = None) -> Flow:
        """Return one row per ordered pair, and with a `drop_reason` those that it looked at and left out.

        They are there once the last step has run, which is counted under its NAME; no other is.

        Args:
            config: its options.
            videos: `video_id`, `captions`, and more columns of the whole corpus; these come with the pairs, of both
                videos, as `pairs.search.pairs.pairs_with_video_columns` adds them.
            embeddings: artifact of `cvr embed`; None where none are given.
        """

    def explain(self, config: Any, reference: str, target: str) -> str:
        """Return why two captions that the result has not are no pair: "not a pair: ...", or what it depends on."""


@runtime_checkable
class ReadsFiles(Protocol):
    """A strategy that reads files beside the videos."""

    def inputs(self, config: Any) -> dict[str, Path]:
        """Return name -> file, for the manifest."""


@runtime_checkable
class ReadsFrames(Protocol):
    """A strategy that pairs by what captions say, as frames."""

    def mined_by(self, config: Any, videos: Flow, embeddings: Path | None, frames: Side | None) -> Flow:
        """Return what `mined` does, of the frames that somebody else than the rules tells."""

    def explain_by(self, config: Any, reference: str, target: str, frames: TellsFrames | None) -> str:
        """Return what `explain` does, of these frames."""


@runtime_checkable
class ReadsDescriptions(Protocol):
    """A strategy that reads what describes a video beside its captions, where there is such a column."""

    def reads_descriptions(self, config: Any) -> bool:
        """Return whether these options make use of it."""


@runtime_checkable
class NeedsFilter(Protocol):
    """A strategy that leaves it to a filter whether some of its changes are any."""

    def needed_filter(self, config: Any) -> str | None:
        """Return its name, if these options need one."""


@runtime_checkable
class DropsGroups(Protocol):
    """A strategy that drops crowded groups whole, in one row with `n_captions` and `n_videos`."""

    def group_texts(self, reference: str, target: str) -> list[str]:
        """Return what the groups that could hold a pair have as `reference_caption`."""


@runtime_checkable
class ComparesNeighbours(Protocol):
    """A strategy that has a row for every two videos that it looks at, and looks at the nearest only."""

    NEIGHBOURS: str
    """Which option says how many."""


STRATEGIES: Family[StrategyModule] = Family(__name__, StrategyModule)
